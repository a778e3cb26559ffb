"""Building the native module: one object a file, no torch, and a sentence when it cannot be."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("ninja")
pytest.importorskip("pybind11")

ROOT = Path(__file__).parent.parent


def build(tree: Path, **environment: str) -> subprocess.CompletedProcess:
    # A torch that cannot be imported stands in for none at all.
    (tree / "no_torch").mkdir(exist_ok=True)
    (tree / "no_torch" / "torch.py").write_text("raise ImportError('torch is not there')\n")
    return subprocess.run(
        [sys.executable, "setup.py", "build_ext", "--inplace"],
        cwd=tree,
        env=os.environ | {"MAX_JOBS": "2", "PYTHONPATH": str(tree / "no_torch")} | environment,
        capture_output=True,
        text=True,
        timeout=600,
    )


def compiled(output: str) -> list[str]:
    return [line.split(" -o ")[-1].strip() for line in output.splitlines() if " -c " in line]


@pytest.fixture(scope="module")
def tree(tmp_path_factory) -> Path:
    tree = tmp_path_factory.mktemp("tree with a space")
    for name in ("setup.py", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tree / name)
    shutil.copytree(ROOT / "csrc", tree / "csrc")
    for name in ("vdeblur_fast", "reference", "training"):
        (tree / name).mkdir()
        (tree / name / "__init__.py").touch()
    return tree


@pytest.mark.skipif(shutil.which(os.environ.get("CXX", "g++").split()[0]) is None, reason="no C++ compiler here")
def test_touching_one_file_compiles_one_file(tree):
    done = build(tree)
    assert done.returncode == 0, done.stderr
    sources = {file.stem + ".o" for file in (tree / "csrc" / "cpu").glob("*.cpp")}
    assert set(compiled(done.stdout)) == sources
    assert list((tree / "vdeblur_fast").glob("_cpu*.so"))
    assert compiled(build(tree).stdout) == []
    (tree / "csrc" / "cpu" / "temporal_squeeze.cpp").touch()
    assert compiled(build(tree).stdout) == ["temporal_squeeze.o"]
    (tree / "csrc" / "cpu" / "temporal_squeeze.inl").touch()
    assert compiled(build(tree).stdout) == ["temporal_squeeze.o"]


def test_an_absent_compiler_is_named_with_the_remedy(tree):
    done = build(tree, CXX="no-such-compiler")
    assert done.returncode != 0
    assert "the C++ compiler 'no-such-compiler' was not found; install a C++17 compiler" in done.stderr
    assert "VDEBLUR_NATIVE=0" in done.stderr


def test_a_failing_compiler_is_named_with_the_remedy(tree):
    done = build(tree, CXX="false")
    assert done.returncode != 0
    assert "'false' could not compile csrc/cpu (its messages stand above); install" in done.stderr


def test_the_native_half_can_be_left_out(tree):
    done = build(tree, VDEBLUR_NATIVE="0", CXX="no-such-compiler")
    assert done.returncode == 0, done.stderr
    assert compiled(done.stdout) == []
