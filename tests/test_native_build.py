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
CXX = os.environ.get("CXX", "g++")


def build(tree: Path, **environment: str) -> subprocess.CompletedProcess:
    # A torch that cannot be imported stands in for none at all.
    (tree / "no_torch").mkdir(exist_ok=True)
    (tree / "no_torch" / "torch.py").write_text("raise ImportError('torch is not there')\n")
    return subprocess.run(
        [sys.executable, "setup.py", "build_ext", "--inplace"],
        cwd=tree,
        env=os.environ | {"MAX_JOBS": "2", "VDEBLUR_CUDA": "0", "PYTHONPATH": str(tree / "no_torch")} | environment,
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


@pytest.fixture(scope="module")
def quick(tmp_path_factory) -> dict[str, str]:
    """A compiler that does not optimise, which would take three times as long."""
    script = tmp_path_factory.mktemp("compiler") / "quick"
    script.write_text(f'#!/bin/sh\nexec {CXX} "$@" -O0\n')
    script.chmod(0o755)
    return {"CXX": str(script)}


@pytest.mark.skipif(shutil.which(CXX.split()[0]) is None, reason="no C++ compiler here")
def test_touching_one_file_compiles_one_file(tree, quick):
    done = build(tree, **quick)
    assert done.returncode == 0, done.stderr
    sources = {file.stem + ".o" for file in (tree / "csrc" / "cpu").glob("*.cpp")}
    assert set(compiled(done.stdout)) == sources
    assert list((tree / "vdeblur_fast").glob("_cpu*.so"))
    assert compiled(build(tree, **quick).stdout) == []
    (tree / "csrc" / "cpu" / "temporal_squeeze.cpp").touch()
    assert compiled(build(tree, **quick).stdout) == ["temporal_squeeze.o"]
    (tree / "csrc" / "cpu" / "temporal_squeeze.inl").touch()
    assert compiled(build(tree, **quick).stdout) == ["temporal_squeeze.o"]


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


@pytest.fixture
def small_tree(tree, tmp_path) -> Path:
    """The tree with one small source of either kind."""
    small = tmp_path / "small tree"
    shutil.copytree(tree, small, ignore=shutil.ignore_patterns("build", "*.so", "csrc"))
    for folder, name in (("cpu", "one.cpp"), ("cuda", "one.cu"), ("cuda", "two.cu")):
        (small / "csrc" / folder).mkdir(parents=True, exist_ok=True)
        (small / "csrc" / folder / name).write_text('extern "C" int one() { return 1; }\n'.replace("one", name[:3]))
    return small


@pytest.fixture
def toolkit(tmp_path) -> Path:
    """A CUDA_HOME whose nvcc is the C++ compiler, deaf to what only nvcc understands."""
    nvcc = tmp_path / "toolkit" / "bin" / "nvcc"
    nvcc.parent.mkdir(parents=True)
    nvcc.write_text(
        f"#!{sys.executable}\nimport subprocess, sys\nprint(*sys.argv)\n"
        "kept = [a for a in sys.argv[1:] if not a.startswith(('-gencode', '-Xcompiler', '-Xlinker'))]\n"
        "sys.exit(subprocess.run(['g++', '-fPIC', '-x', 'c++' if '-c' in kept else 'none', *kept]).returncode)\n"
    )
    nvcc.chmod(0o755)
    return nvcc.parent.parent


def test_cuda_is_compiled_by_the_nvcc_that_is_found(small_tree, toolkit):
    done = build(small_tree, VDEBLUR_CUDA="auto", CUDA_HOME=str(toolkit), VDEBLUR_CUDA_ARCHS="80;90")
    assert done.returncode == 0, done.stderr
    assert list((small_tree / "vdeblur_fast").glob("_cuda*.so"))
    for flag in ("arch=compute_80,code=sm_80", "arch=compute_90,code=sm_90", "arch=compute_90,code=compute_90"):
        assert flag in done.stdout
    again = build(small_tree, VDEBLUR_CUDA="auto", CUDA_HOME=str(toolkit), VDEBLUR_CUDA_ARCHS="80;90")
    assert compiled(again.stdout) == []
    (small_tree / "csrc" / "cuda" / "two.cu").touch()
    again = build(small_tree, VDEBLUR_CUDA="auto", CUDA_HOME=str(toolkit), VDEBLUR_CUDA_ARCHS="80;90")
    assert set(compiled(again.stdout)) == {"two.o"}


def without_nvcc() -> str:
    path = os.pathsep.join(p for p in os.environ["PATH"].split(os.pathsep) if not (Path(p) / "nvcc").exists())
    if shutil.which("g++", path=path) is None:
        pytest.skip("nvcc and g++ lie in the same folder")
    return path


def test_without_nvcc_everything_else_is_built(small_tree):
    done = build(small_tree, VDEBLUR_CUDA="auto", CUDA_HOME="", PATH=without_nvcc())
    assert done.returncode == 0, done.stderr
    assert "no nvcc in CUDA_HOME or PATH" in done.stdout
    assert list((small_tree / "vdeblur_fast").glob("_cpu*.so"))
    assert not list((small_tree / "vdeblur_fast").glob("_cuda*.so"))


def test_an_absent_nvcc_that_was_insisted_on_is_named_with_the_remedy(small_tree):
    done = build(small_tree, VDEBLUR_CUDA="1", CUDA_HOME="", PATH=without_nvcc())
    assert done.returncode != 0
    assert "nvcc was not found in CUDA_HOME or PATH; install the CUDA toolkit, or set VDEBLUR_CUDA=0" in done.stderr


def test_cuda_that_does_not_compile_does_not_take_the_rest_away(small_tree, toolkit):
    (small_tree / "csrc" / "cuda" / "one.cu").write_text("this is no C++\n")
    done = build(small_tree, VDEBLUR_CUDA="auto", CUDA_HOME=str(toolkit))
    assert done.returncode == 0, done.stderr
    assert "could not compile csrc/cuda (its messages stand above)" in done.stdout + done.stderr
    assert list((small_tree / "vdeblur_fast").glob("_cpu*.so"))
