"""The whole command on a clip, beside a plain loop: real runs of a small clip, and what goes wrong in a sentence."""

import sys
from itertools import pairwise

import pytest

from bench import command, plain_loop
from bench.clip import make_clip
from bench.provenance import read_csv
from vdeblur_fast.errors import UserError
from vdeblur_fast.video import open_reader


def test_the_clip_moves_and_is_as_long_as_asked(tmp_path):
    make_clip(tmp_path / "clip.mp4", 96, 64, 5)
    frames = [frame.image for frame in open_reader(tmp_path / "clip.mp4")]
    assert [image.shape for image in frames] == [(64, 96, 3)] * 5
    differences = [abs(a.astype(int) - b).mean() for a, b in pairwise(frames)]
    assert min(differences) > 1


@pytest.mark.slow
def test_a_small_clip_goes_all_ways(tmp_path, capsys):
    arguments = ["run", "loop", "--frames", "22", "--size", "65x64", "--threads", "1", "--out", str(tmp_path)]
    assert command.main(arguments) == 0
    rows = {row["way"]: row for row in read_csv(next(tmp_path.glob("command-*.csv")))}
    assert list(rows) == ["run", "loop"]
    assert {row["precision"] for row in rows.values()} == {"fp32"}
    for row in rows.values():
        assert (row["width"], row["height"], row["frames"]) == ("64", "64", "22")
        assert float(row["frames_per_second"]) == pytest.approx(22 / float(row["seconds"]), rel=1e-3)
        assert 100 < float(row["peak_mib"]) < 8000
        assert all(float(row[part]) > 0 for part in command.PARTS)
        assert row["commit"]
        assert row["device"]
    assert "22 frames of 64x64" in capsys.readouterr().out


def test_rows_of_other_networks_sizes_and_precisions_stay(tmp_path):
    old = {"network": "a", "width": 64, "height": 48, "way": "run", "frames": 5}  # of before there was a precision
    new = old | {"frames": 6}
    later = (old | {"network": "b"}, old | {"width": 32}, new | {"precision": "bf16"}, new | {"precision": "fp32"})
    for row in (old, *later, new | {"precision": "bf16", "frames": 7}):
        command.save([row], tmp_path)
    rows = read_csv(next(tmp_path.glob("command-*.csv")))
    assert [(row["network"], row["width"], row["precision"], row["frames"]) for row in rows] == [
        ("b", "64", "", "5"),
        ("a", "32", "", "5"),
        ("a", "64", "fp32", "6"),
        ("a", "64", "bf16", "7"),
    ]


@pytest.mark.parametrize("way", command.WAYS)
def test_every_way_is_told_the_precision(way, tmp_path):
    said = command.words(way, command.Clip(tmp_path, 64, 64, 1, "mmp-rnn-tiny", "bf16"), tmp_path)
    assert said[said.index("--precision") + 1] == "bf16"


def test_a_way_that_is_named_twice_is_run_once(tmp_path, monkeypatch):
    ways = []
    monkeypatch.setattr(command, "measure", lambda names, *_: ways.extend(names) or [])
    monkeypatch.setattr(command, "table", str)
    monkeypatch.setattr(command, "save", lambda *_: None)
    assert command.main(["loop", "run", "loop", "--frames", "1", "--size", "17x16", "--out", str(tmp_path)]) == 0
    assert ways == ["loop", "run"]


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_the_plain_loop_pads_as_the_command_does(precision, tmp_path, capsys):
    make_clip(tmp_path / "in.mp4", 34, 50, 3)
    words = [str(tmp_path / "in.mp4"), str(tmp_path / "out.mp4"), "estrnn-c70b7", "--precision", precision]
    assert plain_loop.main(words) == 0
    assert '"frames": 3' in capsys.readouterr().out
    assert [frame.image.shape for frame in open_reader(tmp_path / "out.mp4")] == [(50, 34, 3)] * 3


def test_peak_memory_is_that_of_the_process():
    found = command.run(["-c", "x = b'1' * 2**30; print('held', len(x))"], 1)
    assert 2**30 < found.peak < 2**30 + 2**29 + command_itself()
    assert found.said == f"held {2**30}"
    assert found.seconds > 0


def command_itself() -> int:
    """Bytes: a process that is started begins with the figure of the one that starts it."""
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def test_a_process_that_fails_is_quoted():
    with pytest.raises(UserError, match="failed: no such thing"):
        command.run(["-c", "import sys; print('before'); sys.exit('no such thing')"], 1)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["walk"], "there is no way 'walk' to run it; name any of run, run-plain, loop"),
        (["--network", "mmp-rnn-tinny"], "unknown model 'mmp-rnn-tinny'"),
        (["--size", "720p"], "--size must be WIDTHxHEIGHT"),
        (["--frames", "0"], "--frames must be a whole number from 1"),
    ],
)
def test_mistakes_get_one_sentence(arguments, says, capsys):
    assert command.main(arguments) == 2
    said = capsys.readouterr().err
    assert said.startswith("bench.command: ")
    assert says in said
    assert said.count("\n") == 1
