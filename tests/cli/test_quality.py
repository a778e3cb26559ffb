import numpy as np
import pytest
from skimage.data import astronaut

from vdeblur_fast.cli.quality import BEST_PSNR, Quality, eight_bits, mean, quality
from vdeblur_fast.errors import UserError


@pytest.fixture(scope="module")
def truth():
    return np.ascontiguousarray(astronaut()[100:180, 150:250])


def test_psnr_is_its_definition(truth):
    image = truth.copy()
    image[::2] ^= 4
    error = np.mean((image.astype(float) - truth) ** 2)
    assert quality(image, truth).psnr == pytest.approx(10 * np.log10(255**2 / error))


def test_identical_images_have_the_best_marks_and_no_warning(truth, recwarn):
    assert quality(truth, truth) == (BEST_PSNR, pytest.approx(1))
    assert not recwarn


def test_sixteen_bits_measure_as_eight(truth):
    image = np.clip(truth.astype(int) + 3, 0, 255).astype(np.uint8)
    deep = quality(image.astype(np.uint16) * 257, truth.astype(np.uint16) * 257)
    assert deep == pytest.approx(quality(image, truth))
    assert quality(image.astype(np.uint16) * 257, truth) == quality(image, truth)


def test_eight_bits_rounds():
    deep = np.array([0, 128, 129, 257, 65535, 65406, 65407], np.uint16)
    assert eight_bits(deep).tolist() == [0, 0, 1, 1, 255, 254, 255]


def test_frames_too_small_for_ssim(truth):
    with pytest.raises(UserError, match=r"at least 11x11 pixels, got 100x10"):
        quality(truth[:10], truth[:10])


def test_mean():
    assert mean([Quality(20, 0.5), Quality(30, 1)]) == (25, 0.75)
