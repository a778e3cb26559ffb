import builtins
import importlib.metadata
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import frame_count
from vdeblur_fast.__main__ import main
from vdeblur_fast.cli.main import COMMANDS


def names() -> list[str]:
    return [command.__name__.rpartition(".")[2] for command in COMMANDS]


def test_help_names_every_command(vdeblur):
    code, out, error = vdeblur("--help")
    assert (code, error) == (0, "")
    assert all(f"\n    {name}" in out for name in names())


@pytest.mark.parametrize("name", names())
def test_every_command_has_help(vdeblur, name):
    code, out, _ = vdeblur(name, "--help")
    assert code == 0
    assert out.startswith(f"usage: vdeblur {name}")


def test_version(vdeblur):
    assert vdeblur("--version") == (0, f"vdeblur {importlib.metadata.version('vdeblur-fast')}\n", "")


@pytest.mark.parametrize(
    "arguments",
    [[], ["in.mp4", "out.mp4"], ["run"], ["run", "a", "b", "--colour"]],
)
def test_what_cannot_be_understood_shows_the_usage(vdeblur, arguments):
    code, out, error = vdeblur(*arguments)
    assert (code, out) == (2, "")
    assert error.startswith("usage: vdeblur")
    assert error.splitlines()[-1].startswith("vdeblur: ")


def test_asking_for_help_needs_no_heavy_library():
    code = (
        "import sys; from vdeblur_fast.cli.main import main; main(['run', '--help']); "
        "heavy = {'torch', 'numpy', 'av', 'cv2', 'skimage', 'tqdm'} & set(sys.modules); "
        "print(heavy, file=sys.stderr)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stderr.strip() == "set()"


def test_nobody_reads_what_is_printed():
    command = f"{sys.executable} -m vdeblur_fast evaluate --help | true; echo ${{PIPESTATUS[0]}}"
    found = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
    assert found.stderr == ""


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&- <&-"])
def test_nowhere_to_print(closed, clip, weights, tmp_path):
    run = f"{sys.executable} -m vdeblur_fast run {clip} {tmp_path / 'out.mp4'} --weights {weights} {closed}"
    found = subprocess.run(["bash", "-c", run], capture_output=True, text=True)
    assert (found.returncode, found.stderr) == (0, "")
    assert frame_count(tmp_path / "out.mp4") == frame_count(clip)


def test_names_that_are_no_unicode(clip, weights, tmp_path):
    """Where the terminal takes Unicode alone, too."""
    source, images, sharp = (
        os.fsdecode(os.fsencode(tmp_path) + name) for name in (b"/i\xff.mp4", b"/i\xff", b"/s\xff/")
    )
    os.rename(clip, source)
    network = ("--weights", str(weights), "--precision", "fp32")
    for arguments in (["run", source, images], ["run", images, sharp], ["inspect", source, f"{images}-seen"]):
        command = [sys.executable, "-m", "vdeblur_fast", *arguments, *network]
        found = subprocess.run(command, capture_output=True, env={**os.environ, "PYTHONIOENCODING": "utf-8:strict"})
        assert (found.returncode, found.stderr) == (0, b"")
        assert rb"\udcff" in found.stdout
    assert sorted(os.listdir(images)) == sorted(os.listdir(sharp))
    assert "sees in i?.mp4" in Path(f"{images}-seen", "index.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(("set_by_user", "wanted"), [({}, "1"), ({"THP_MEM_ALLOC_ENABLE": "0"}, "0")])
def test_frames_lie_in_large_pages_unless_the_user_says_otherwise(set_by_user, wanted):
    code = (
        "import os, sys; from vdeblur_fast.cli.main import main; sys.argv = ['vdeblur', 'models', 'nonsense']; main(); "
        "print(os.environ['THP_MEM_ALLOC_ENABLE'])"
    )
    environment = {name: value for name, value in os.environ.items() if name != "THP_MEM_ALLOC_ENABLE"}
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment | set_by_user
    )
    assert found.stdout.strip() == wanted


def test_interrupted_while_it_begins(monkeypatch, capsys):
    ordinary = builtins.__import__

    def interrupted(name, *arguments, **options):
        if name == "cli.main":
            raise KeyboardInterrupt
        return ordinary(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", interrupted)
    assert main() == 130
    assert capsys.readouterr().err == "vdeblur: interrupted; nothing was written\n"
