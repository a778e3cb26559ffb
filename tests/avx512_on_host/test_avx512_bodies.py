"""The operators' own tests on the AVX-512 and AMX bodies that this processor lacks: the same sources that setup.py
compiles, with the instructions emulated."""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pybind11
import pytest

from vdeblur_fast.ops import native

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
COMPILER = os.environ.get("CXX", "g++").split()
FLAGS = f"-std=c++17 -O1 -fPIC -fopenmp -fvisibility=hidden -fno-math-errno -Wall -Wextra -Wno-maybe-uninitialized \
-Wno-psabi -DVDEBLUR_ON_HOST -include {HERE / 'avx512_on_host.h'} -I{pybind11.get_include()} \
-I{sysconfig.get_path('include')}"

PYTEST = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist"]


def run(command: list[str], **options) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, **options)
    assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]
    return done.stdout


@pytest.mark.skipif(shutil.which(COMPILER[0]) is None, reason=f"no C++ compiler {COMPILER[0]!r} here")
def test_the_avx512_bodies_pass_the_operators_tests(tmp_path):
    lacking = {"avx2": "cpu-avx512 or cpu-amx", "avx512": "cpu-avx512_bf16 or cpu-amx", "avx512_bf16": "cpu-amx"}
    if (best := native.module().isa()) not in lacking:
        pytest.skip(f"the emulation is for processors with AVX2 that lack AMX, this one is {best}")

    def compiled(source: Path) -> str:
        run([*COMPILER, *FLAGS.split(), "-c", str(source), "-o", str(target := tmp_path / f"{source.stem}.o")])
        return str(target)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        objects = list(pool.map(compiled, sorted((ROOT / "csrc" / "cpu").glob("*.cpp"))))
    module = tmp_path / "_cpu.so"
    run([*COMPILER, "-shared", "-fopenmp", *objects, "-o", str(module)])
    said = run(
        [*PYTEST, "-p", "tests.avx512_on_host.load", "-k", lacking[best], "tests/ops"],
        cwd=ROOT,
        env=os.environ | {"VDEBLUR_ON_HOST": str(module)},
    )
    assert int(re.search(r"(\d+) passed", said).group(1)) > (200 if best == "avx2" else 50)
    assert "skipped" not in said
