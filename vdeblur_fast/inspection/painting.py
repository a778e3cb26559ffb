"""Maps and images as pictures."""

import base64

import numpy as np
import torch

from ..video.signature import signed
from .figures import Figure


def paint(values: torch.Tensor, figure: Figure, extent: tuple[int, int], size: tuple[int, int]) -> np.ndarray:
    """A map (h, w) of a figure in colours, dark for 0 and bright for `figure.brightest` and more.

    extent: height and width that the map covers; size: those of the frame in its upper left corner.
    -> (height, width, 3) RGB uint8, of the frame's size.
    """
    import cv2

    height, width = size
    whole = cv2.resize(values.numpy(), extent[::-1], interpolation=cv2.INTER_LINEAR)[:height, :width]
    levels = np.clip(whole / max(figure.brightest, 1e-12) * 255, 0, 255).round().astype(np.uint8)
    picture = colours(levels)
    if figure.mark:
        radius, thickness = max(3, min(size) // 40), max(1, min(size) // 240)
        cv2.circle(picture, figure.mark, radius, (255, 255, 255), thickness, cv2.LINE_AA)
    return picture


def colours(levels: np.ndarray) -> np.ndarray:
    """(H, W) uint8 -> (H, W, 3) RGB uint8."""
    import cv2

    return np.ascontiguousarray(cv2.applyColorMap(levels, cv2.COLORMAP_INFERNO)[..., ::-1])


def png(image: np.ndarray) -> bytes:
    """(H, W, 3) RGB uint8 or uint16 -> a PNG file, signed as ours."""
    import cv2

    return signed(cv2.imencode(".png", image[..., ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 3])[1].tobytes())


def inline(image: np.ndarray, width: int) -> str:
    """(H, W, 3) RGB uint8 or uint16 -> a JPEG, at most so wide, as a data: address."""
    import cv2

    if image.dtype == np.uint16:
        image = (image // 257).astype(np.uint8)
    if image.shape[1] > width:
        height = max(1, round(image.shape[0] * width / image.shape[1]))
        image = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    coded = cv2.imencode(".jpg", np.ascontiguousarray(image[..., ::-1]), [cv2.IMWRITE_JPEG_QUALITY, 88])[1]
    return "data:image/jpeg;base64," + base64.b64encode(coded.tobytes()).decode("ascii")
