"""A plain install, seen from outside the checkout: everything is there, in its place."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FOLDERS = ("csrc", "reference", "training", "vdeblur_fast")


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A folder with the package as `pip install .` puts it there; the native half has tests of its own."""
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("target")
    for folder in FOLDERS:
        shutil.copytree(ROOT / folder, source / folder, ignore=shutil.ignore_patterns("__pycache__", "*.so"))
    for file in ("setup.py", "pyproject.toml", "README.md", "LICENSE", "MANIFEST.in"):
        shutil.copy(ROOT / file, source)
    offline = ("--quiet", "--no-deps", "--no-build-isolation", "--no-index")
    subprocess.run(
        [sys.executable, "-m", "pip", "install", *offline, "--target", str(target), str(source)],
        check=True,
        env={**os.environ, "VDEBLUR_NATIVE": "0"},
    )
    return target


def python(installed, code):
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    command = [sys.executable, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, cwd="/", env=environment, check=True).stdout.strip()


def test_reference_and_training_are_inside(installed):
    code = (
        "import vdeblur_fast, vdeblur_fast.reference.networks as a, vdeblur_fast.training.recipes as b, "
        "vdeblur_fast.training.synthesis as c; print(*(m.__file__ for m in (vdeblur_fast, a, b, c)), sep='\\n')"
    )
    for file in python(installed, code).splitlines():
        assert Path(file).is_relative_to(installed)
    for package in ("reference", "training", "bench", "tests"):
        assert not (installed / package).exists(), f"{package} is installed at the top level"


def test_every_module_is_installed(installed):
    wanted = {file.relative_to(ROOT / "vdeblur_fast") for file in (ROOT / "vdeblur_fast").rglob("*.py")}
    wanted |= {file.relative_to(ROOT) for name in ("reference", "training") for file in (ROOT / name).rglob("*.py")}
    missing = [str(file) for file in wanted if not (installed / "vdeblur_fast" / file).is_file()]
    assert missing == []


def test_the_weights_are_installed_and_load(installed):
    code = (
        "from vdeblur_fast import build, weights\n"
        "for name in weights.available(): weights.load(build(name), name)\n"
        "print(*weights.available())"
    )
    shipped = {path.stem for path in (ROOT / "vdeblur_fast" / "weights").glob("*.json")}
    assert set(python(installed, code).split()) == shipped


def test_the_counts_of_the_networks_are_installed(installed):
    code = "from vdeblur_fast.cli.models import counts; print(len(counts()))"
    assert int(python(installed, code)) > 40


def test_the_command_is_installed(installed):
    assert "usage: vdeblur" in python(installed, "from vdeblur_fast.cli.main import main; main(['--help'])")
    assert (installed / "bin" / "vdeblur").is_file()
