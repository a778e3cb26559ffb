"""Before and after in one picture, and the package as a whole."""

import subprocess
import sys

import numpy as np
import pytest

from tests.video.clips import make_video
from vdeblur_fast.video import open_reader, open_writer, process, side_by_side, split


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_side_by_side(dtype):
    before, after = np.zeros((4, 6, 3), dtype), np.full((4, 6, 3), 9, dtype)
    both = side_by_side(before, after)
    assert (both.shape, both.dtype) == ((4, 12, 3), dtype)
    assert (both[:, :6] == 0).all()
    assert (both[:, 6:] == 9).all()


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("width", [1, 2, 9, 40])
def test_split(dtype, width):
    before, after = np.zeros((4, width, 3), dtype), np.full((4, width, 3), 9, dtype)
    both = split(before, after)
    assert (both.shape, both.dtype) == (after.shape, dtype)
    assert (both[:, -1] == 9).all()
    assert width == 1 or (both[:, 0] == 0).all()
    line = (both == np.iinfo(dtype).max).all(axis=(0, 2)).sum()
    assert line == (2 if width > 8 else 0)
    assert (after == 9).all()


def test_unequal_pictures_are_a_mistake():
    with pytest.raises(ValueError, match="must be alike, got uint8"):
        side_by_side(np.zeros((4, 6, 3), np.uint8), np.zeros((4, 6, 3), np.uint16))


def test_a_comparison_is_twice_as_wide_and_upright(tmp_path):
    make_video(tmp_path / "in.mp4", frames=3, rotation=90)
    reader = open_reader(tmp_path / "in.mp4", upright=True)
    writer = open_writer(tmp_path / "out.mp4", reader, size=(2 * reader.width, reader.height))
    process(reader, writer, None, transform=side_by_side)
    result = open_reader(tmp_path / "out.mp4")
    assert (result.width, result.height, result.orientation) == (96, 64, None)


def test_importing_the_package_does_not_import_the_libraries():
    script = (
        "import sys, vdeblur_fast, vdeblur_fast.video\n"
        "assert not {'av', 'cv2'} & set(sys.modules)\n"
        "vdeblur_fast.video.open_reader\n"
        "assert 'av' in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_unknown_names_are_attribute_errors():
    import vdeblur_fast.video

    assert "open_reader" in dir(vdeblur_fast.video)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        vdeblur_fast.video.nothing  # noqa: B018
