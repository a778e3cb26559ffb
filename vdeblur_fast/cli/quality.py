"""How close an image is to the true one: PSNR and SSIM as the deblurring papers measure them."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ..errors import UserError

BEST_PSNR = 100.0  # dB; what identical images count as, so that a mean over images stays a number
SMALLEST = 11  # pixels: the side of SSIM's window


class Quality(NamedTuple):
    """PSNR in dB, SSIM up to 1."""

    psnr: float
    ssim: float


def quality(image: np.ndarray, truth: np.ndarray) -> Quality:
    """PSNR and SSIM of an image, both (H, W, 3) uint8 or uint16; of unequal depths, at 8 bits.

    SSIM is that of Wang et al. (2004): Gaussian weights of sigma 1.5, per channel, averaged.

    Raises UserError for images smaller than SSIM's window.
    """
    from skimage.metrics import peak_signal_noise_ratio, structural_similarity

    if image.dtype != truth.dtype:
        image, truth = eight_bits(image), eight_bits(truth)
    height, width = truth.shape[:2]
    if min(height, width) < SMALLEST:
        raise UserError(f"SSIM needs frames of at least {SMALLEST}x{SMALLEST} pixels, got {width}x{height}")
    peak = np.iinfo(truth.dtype).max
    with np.errstate(divide="ignore"):
        psnr = peak_signal_noise_ratio(truth, image, data_range=peak)
    ssim = structural_similarity(
        truth,
        image,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        channel_axis=-1,
        data_range=peak,
    )
    return Quality(min(float(psnr), BEST_PSNR), float(ssim))


def eight_bits(image: np.ndarray) -> np.ndarray:
    """uint16 of full scale, or uint8 -> uint8, rounded."""
    return image if image.dtype == np.uint8 else ((image.astype(np.uint32) + 128) // 257).astype(np.uint8)


def mean(qualities: list[Quality], weights: Sequence[float] | None = None) -> Quality:
    weights = weights or [1] * len(qualities)
    parts = zip(*qualities, strict=True)
    return Quality(*(sum(w * v for w, v in zip(weights, part, strict=True)) / sum(weights) for part in parts))
