"""What goes wrong in any command of bench/ is one sentence, before anything is measured."""

import json
import runpy
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import Mock

import pytest
import torch

from bench import (
    agreement,
    command,
    conftest,
    costs,
    david_branches,
    gmacs,
    harness,
    memory,
    plain_loop,
    real_blur,
    report,
    rivals,
    scaling,
    shapes,
)
from bench.provenance import read_csv, write_csv
from vdeblur_fast.errors import UserError, told

ROOT = Path(__file__).parents[2]


@pytest.fixture
def file(tmp_path) -> str:
    (tmp_path / "file").write_text("something")
    return str(tmp_path / "file")


@pytest.fixture
def on_cpu(monkeypatch):
    """Some measure nothing else."""
    for module in (costs, scaling, memory, rivals):
        monkeypatch.setattr(module, "DEVICE", "cpu")


def sentence(main, arguments, capsys) -> str:
    assert main(arguments) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"bench.{main.__module__.rpartition('.')[2]}: ")
    assert said.count("\n") == 1
    return said


@pytest.mark.parametrize(
    ("error", "status", "says"),
    [
        (UserError("not so"), 2, "it: not so\n"),
        (PermissionError(13, "no", "here"), 2, "it: here: permission denied"),
        (KeyboardInterrupt(), 130, "it: interrupted\n"),
    ],
)
def test_a_command_ends_with_a_sentence(error, status, says, capsys):
    @told("it")
    def run(arguments):
        raise error

    assert run([]) == status
    assert capsys.readouterr().err.startswith(says)


def test_mistakes_of_ours_keep_their_traceback():
    @told("it")
    def run(arguments):
        raise KeyError("ours")

    with pytest.raises(KeyError):
        run([])


@pytest.mark.parametrize(
    ("main", "arguments", "says"),
    [
        (gmacs.main, ["--width", "0"], "--width must be a whole number from 1"),
        (gmacs.main, ["--height", "99999"], "--height must be a whole number from 1 to"),
        (costs.main, ["david", "--only", "david", "nothing"], "--only nothing: not a network of david; name any of"),
        (scaling.main, ["--axes", "batch", "--only", "zzz"], "--only zzz: in the name of no series; take a part of"),
        (memory.main, ["--size", "64x64"], "--size: of one network only; name it with --network"),
        (memory.main, ["--frames", "3", "--no-accelerate"], "--frames and --no-accelerate: of one network only"),
        (david_branches.main, ["--network", "nope"], "unknown model 'nope'"),
        (david_branches.main, ["--network", "mmp-rnn-tiny"], "mmp-rnn-tiny has no nets to run in lockstep"),
        (david_branches.main, ["--network", "david-small", "--sides", "16", "7"], "--sides 7: david-small takes"),
        (david_branches.main, ["--repeats", "0"], "--repeats must be a whole number from 1"),
        (david_branches.main, ["--device", "tpu"], "unknown device 'tpu'"),
        (plain_loop.main, ["none.mp4", "out.mp4", "mmp-rnn-tiny"], "none.mp4 is no file; name a video"),
        (command.main, ["--network", "mmp-net"], "mmp-net does not turn frames into frames"),
        (command.main, ["--size", "8x8"], "--size must have sides of at least 16 pixels"),
        (command.main, ["--size", "99999x9"], "--size must have sides of at most"),
        (real_blur.main, ["a/clip.mp4", "b/clip.mp4", "--out", "x"], "would both be clip.mp4.png; rename one"),
    ],
)
def test_mistakes_get_one_sentence(main, arguments, says, capsys):
    assert says in sentence(main, arguments, capsys)


@pytest.mark.parametrize(
    ("main", "arguments"),
    [
        (costs.main, ["david"]),
        (scaling.main, []),
        (memory.main, []),
        (rivals.main, []),
        (command.main, []),
        (report.main, ["--read"]),
        (real_blur.main, ["none.mp4"]),
    ],
)
@pytest.mark.usefixtures("on_cpu")
def test_a_file_is_no_folder_for_results(main, arguments, file, capsys):
    for out in (file, f"{file}/below"):
        assert f"{file} is a file; name a folder" in sentence(main, [*arguments, "--out", out], capsys)
    assert Path(file).read_text() == "something"


@pytest.mark.parametrize(
    ("main", "arguments", "name"),
    [
        (costs.main, ["david"], "david"),
        (scaling.main, [], "scaling"),
        (memory.main, [], "gsta-memory"),
        (rivals.main, [], "rivals"),
        (command.main, [], "command"),
        (report.main, ["--read"], "strcnn"),
    ],
)
@pytest.mark.usefixtures("on_cpu")
def test_a_file_of_somebody_else_is_left_alone(main, arguments, name, tmp_path, capsys):
    path = tmp_path / f"{name}-cpu.csv"
    for foreign in (b"a,b\n1,2\n", b"\xff\xfe\x00"):
        path.write_bytes(foreign)
        said = sentence(main, [*arguments, "--out", str(tmp_path)], capsys)
        assert f"{path.name} is not a file of these measurements" in said
        assert path.read_bytes() == foreign


def test_a_file_is_the_old_one_until_the_new_one_is_whole(tmp_path):
    path = tmp_path / "rows.csv"
    write_csv(path, [{"a": "1"}])
    with pytest.raises(RuntimeError):
        write_csv(path, [{"a": "2"}, {"a": Unwritable()}])
    assert read_csv(path) == [{"a": "1"}]
    write_csv(path, [{"a": "1", "c": "3"}, {"a": "1", "b": "2", "c": "3"}])
    assert path.read_text() == "a,b,c\n1,,3\n1,2,3\n"
    assert list(tmp_path.iterdir()) == [path]


class Unwritable:
    def __str__(self):
        raise RuntimeError("in the middle")


def test_odd_sizes_are_counted_as_they_are_padded(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(gmacs, "networks", lambda: ["mmp-rnn-tiny", "mmp-net"])
    monkeypatch.setattr(gmacs, "COMPARATORS", {})
    assert gmacs.main(["--width", "7", "--height", "9", "--json"]) == 0
    tiny, motion = json.loads(capsys.readouterr().out)["networks"]
    assert tiny["note"].startswith("of ")
    assert "which it is padded to" in tiny["note"]
    width, height = tiny["note"].split()[1].rstrip(",").split("x")
    assert tiny["true_gmacs"] == gmacs.row("mmp-rnn-tiny", int(width), int(height))["true_gmacs"]
    assert motion["true_gmacs"] > 0
    monkeypatch.setattr(gmacs, "row", None)  # nothing is counted
    assert "is no file" in sentence(gmacs.main, ["--csv", str(tmp_path)], capsys)
    (tmp_path / "file").touch()
    assert "is a file" in sentence(gmacs.main, ["--csv", str(tmp_path / "file" / "x.csv")], capsys)


def timed(folder: Path, device: str, rows: list[dict]) -> None:
    write_csv(folder / "rivals-cpu.csv", [row | {"median_ms": 1.0, "device": device} for row in rows])


def test_two_runs_have_all_times_in_common_that_both_have(tmp_path, capsys):
    first, second = tmp_path / "first", tmp_path / "second"
    rows = [{"network": "a", "contender": c, "width": 64, "height": 48} for c in ("eager", "OpenVINO", "ours")]
    timed(first, "A", rows)
    assert "second is no folder" in sentence(agreement.main, [str(second), "--results", str(first)], capsys)
    second.mkdir()
    assert "no time in common" in sentence(agreement.main, [str(second), "--results", str(first)], capsys)
    timed(second, "B", rows)
    assert "is of A and" in sentence(agreement.main, [str(second), "--results", str(first)], capsys)
    timed(second, "A", rows)
    assert agreement.main([str(second), "--results", str(first)]) == 0
    assert [row["of"] for row in read_csv(first / "agreement-cpu.csv")] == [
        "a eager 64 48",
        "a OpenVINO 64 48",
        "a ours 64 48",
    ]


def test_nothing_is_measured_in_a_type_that_the_machine_emulates(monkeypatch):
    monkeypatch.setattr(harness, "MEASURED", {torch.float32: "fp32"})
    monkeypatch.delitem(sys.modules, shapes.__name__)  # so that it is made anew
    files = set((ROOT / "bench").glob("test_*.py")) - {ROOT / "bench" / "test_temporal_blend.py"}  # it skips by itself
    for path in files:
        marks = [mark for found in runpy.run_path(str(path)).values() for mark in getattr(found, "pytestmark", ())]
        values = [list(mark.args[1]) for mark in marks if mark.name == "parametrize"]
        assert not any(name in str(values) for name in ("bfloat16", "bf16")), path


def test_benchmarks_are_not_shared_out_among_workers():
    words = [sys.executable, "-m", "pytest", "--benchmark", "-n", "2", "-p", "no:cacheprovider"]
    found = subprocess.run([*words, "bench/test_temporal_squeeze.py"], cwd=ROOT, capture_output=True, text=True)
    assert found.returncode == 4
    assert found.stderr.startswith("ERROR: --benchmark cannot be shared out among workers")


@pytest.mark.parametrize(("others", "hint"), [([], True), (["tests/test_x.py"], False)])
def test_benchmarks_say_how_they_are_run(others, hint):
    config = SimpleNamespace(getoption=lambda _: False, stash={}, hook=Mock())
    items = [SimpleNamespace(fspath=str(ROOT / name)) for name in ("bench/test_gsta.py", *others)]
    conftest.pytest_collection_modifyitems(config, items)
    assert len(items) == len(others)
    assert ("run with --benchmark" in (conftest.pytest_report_collectionfinish(config) or "")) == hint
