"""The Triton kernels, compiled for GPUs that need not be there: no spills, within the chip's memory, wide loads."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("triton")

ROOT = Path(__file__).parent.parent.parent
SHARED_MEMORY = {"sm_80": 163 * 1024, "sm_90a": 227 * 1024}


@pytest.fixture(scope="module")
def compiled(tmp_path_factory) -> list[dict]:
    environment = {k: v for k, v in os.environ.items() if k != "TRITON_INTERPRET"}
    environment["TRITON_CACHE_DIR"] = str(tmp_path_factory.mktemp("triton"))
    command = [sys.executable, "-m", "tests.kernels.ahead"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_every_kernel_compiles_for_both_chips(compiled):
    assert {found["target"] for found in compiled} == set(SHARED_MEMORY)
    kinds = {found["name"].partition("-")[0] for found in compiled}
    assert kinds == {
        "squeeze",
        "merge",
        "mix",
        "distribute",
        "blend",
        "attend",
        "branches",
        "convolve",
        "fromfew",
        "tofew",
        "finish",
        "upsample",
    }


def test_no_kernel_spills(compiled):
    spilled = [found["name"] for found in compiled if found["STACK"] or found["LOCAL"]]
    assert not spilled


def test_every_kernel_fits_into_shared_memory_more_than_once(compiled):
    large = [found["name"] for found in compiled if 2 * found["shared"] > SHARED_MEMORY[found["target"]]]
    assert not large


def test_frames_are_read_and_written_sixteen_bytes_at_a_time(compiled):
    for found in compiled:
        kind = found["name"].partition("-")[0]
        if kind in ("squeeze", "distribute", "blend", "attend", "branches", "finish", "upsample"):
            assert found["wide_loads"] > 0, found["name"]
        if kind in ("squeeze", "distribute", "blend", "convolve", "finish", "upsample"):
            assert found["half_loads"] == 0, found["name"]  # bfloat16 frames are the only half-wide numbers
        if kind in ("distribute", "blend", "attend", "branches", "convolve", "finish", "upsample"):
            assert found["wide_stores"] > 0, found["name"]


def test_convolutions_are_products_of_tiles_that_the_chip_brings(compiled):
    for found in compiled:
        if found["name"].startswith("convolve"):
            assert found["products"] > 0, found["name"]
            assert (found["tiles"] > 0) == ("tma" in found["name"]), found["name"]
