"""The planes of a decoded frame as arrays, and back."""

import re
from typing import NamedTuple

import av
import numpy as np


class Layout(NamedTuple):
    """What a planar pixel format holds: samples of `bits` bits, chroma halved `x` and `y` times."""

    family: str  # "yuv", "gray" or "gbr"
    bits: int
    x: int = 0
    y: int = 0

    @property
    def dtype(self) -> type:
        return np.uint8 if self.bits <= 8 else np.uint16


SUBSAMPLING = {"420": (1, 1), "422": (1, 0), "444": (0, 0), "440": (0, 1)}


def layout(pix_fmt: str) -> Layout | None:
    """The layout of a planar pixel format that numpy reads directly, or None (swscale converts first)."""
    if match := re.fullmatch(r"yuv[aj]?(420|422|444|440)p(?:(\d+)le)?", pix_fmt):
        return Layout("yuv", int(match[2] or 8), *SUBSAMPLING[match[1]])
    if match := re.fullmatch(r"gray(?:(\d+)le)?", pix_fmt):
        return Layout("gray", int(match[1] or 8))
    if match := re.fullmatch(r"gbra?p(?:(\d+)le)?", pix_fmt):
        return Layout("gbr", int(match[1] or 8))
    return None


def planar_equivalent(pix_fmt: str) -> str:
    """The planar format that loses nothing of `pix_fmt`: nv12 -> yuv420p, p010le -> yuv420p10le."""
    form = av.VideoFormat(pix_fmt, 64, 64)
    bits = max(component.bits for component in form.components)
    depth = "" if bits <= 8 else f"{next(d for d in (9, 10, 12, 14, 16) if d >= min(bits, 16))}le"
    if form.is_rgb or form.has_palette or form.is_bayer or pix_fmt.startswith("xyz"):
        return "gbrp" + depth
    if not any(component.is_chroma for component in form.components):
        return "gray" + depth
    halves = (64 // form.chroma_width(64), 64 // form.chroma_height(64))
    name = {(2, 2): "420", (2, 1): "422", (1, 1): "444", (1, 2): "440", (4, 4): "420", (4, 1): "422"}
    return f"yuv{name.get(halves, '444')}p{depth}"


def nearest_layout(pix_fmt: str) -> Layout:
    """The layout of a pixel format, or that of the planar format that loses nothing of it."""
    return layout(pix_fmt) or layout(planar_equivalent(pix_fmt))


def get_planes(frame: av.VideoFrame, form: Layout) -> list[np.ndarray]:
    """Views of the colour planes of `frame` (transparency is left out), each (rows, columns)."""
    count = 1 if form.family == "gray" else 3
    return [_view(plane, form) for plane in frame.planes[:count]]


def empty_frame(pix_fmt: str, width: int, height: int) -> av.VideoFrame:
    """A frame of a planar format whose colour planes are to be filled; a transparency plane is opaque."""
    form = layout(pix_fmt)
    frame = av.VideoFrame(width, height, pix_fmt)
    for plane in frame.planes[1 if form.family == "gray" else 3 :]:
        _view(plane, form)[:] = 2**form.bits - 1
    return frame


def _view(plane, form: Layout) -> np.ndarray:
    dtype = np.dtype(form.dtype)
    stride = abs(plane.line_size)
    array = np.ndarray((plane.height, plane.width), dtype, plane, strides=(stride, dtype.itemsize))
    return array[::-1] if plane.line_size < 0 else array
