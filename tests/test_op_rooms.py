"""An operator has the same file name in every room."""

from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROOMS = [
    "reference/ops/{}.py",
    "csrc/cpu/{}.cpp",
    "vdeblur_fast/kernels/{}.py",
    "vdeblur_fast/ops/{}.py",
    "tests/ops/test_{}.py",
    "bench/test_{}.py",
]


def operators() -> list[str]:
    """The files of vdeblur_fast/ops that register an operator."""
    files = (ROOT / "vdeblur_fast" / "ops").glob("*.py")
    return sorted(file.stem for file in files if "@register_flop_formula" in file.read_text(encoding="utf-8"))


def test_there_are_operators():
    assert {"spatial_squeeze", "temporal_squeeze", "pixel_distribute"} <= set(operators())


@pytest.mark.parametrize("room", ROOMS)
def test_every_operator_has_every_room(room):
    missing = [room.format(name) for name in operators() if not (ROOT / room.format(name)).is_file()]
    assert not missing


def test_the_native_code_knows_no_torch():
    for file in (ROOT / "csrc").rglob("*"):
        if file.suffix in (".h", ".inl", ".cpp", ".cu", ".cuh"):
            assert "#include <torch" not in file.read_text(encoding="utf-8"), file
            assert "#include <ATen" not in file.read_text(encoding="utf-8"), file


@pytest.mark.parametrize("banned", ["make_block_ptr", "tl.advance", "@triton.autotune", "libdevice"])
def test_kernels_use_nothing_that_the_interpreter_or_the_next_triton_lacks(banned):
    for file in (ROOT / "vdeblur_fast" / "kernels").glob("*.py"):
        assert banned not in file.read_text(encoding="utf-8"), file
