"""The whole command on a clip, beside a plain loop: real runs of a small clip, and what goes wrong in a sentence."""

import sys
from itertools import pairwise

import pytest

from bench import command
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
    for row in rows.values():
        assert (row["width"], row["height"], row["frames"]) == ("64", "64", "22")
        assert float(row["frames_per_second"]) == pytest.approx(22 / float(row["seconds"]), rel=1e-3)
        assert 100 < float(row["peak_mib"]) < 8000
        assert all(float(row[part]) > 0 for part in command.PARTS)
        assert row["commit"]
        assert row["device"]
    assert "22 frames of 64x64" in capsys.readouterr().out


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
