"""Between the YUV of a file and the RGB of an image, by the tags of the file.

The definitions are those of ITU-T H.273: matrix coefficients (table 4), full and limited range (equations 20
to 46).
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

import av
import cv2
import numpy as np

from vdeblur_fast.video.chroma import double, halve
from vdeblur_fast.video.planes import (
    Layout,
    empty_frame,
    get_planes,
    layout,
    nearest_layout,
    planar_equivalent,
)

UNSPECIFIED = 2
RGB, BT709, BT601, BT2020 = 0, 1, 6, 9
LIMITED, FULL = 1, 2
RED_BLUE = {  # K_R and K_B of each matrix tag
    BT709: (0.2126, 0.0722),
    4: (0.30, 0.11),  # FCC
    5: (0.299, 0.114),  # BT.470 BG
    BT601: (0.299, 0.114),
    7: (0.212, 0.087),  # SMPTE 240M
    BT2020: (0.2627, 0.0593),
    10: (0.2627, 0.0593),  # BT.2020 constant luminance, close enough, and undone by the same rule
}
HD_HEIGHT = 720


@dataclass(frozen=True)
class Colour:
    """The colour tags of a stream (H.273 code points) and what they mean for its pixels.

    matrix, primaries, transfer  code points, 2 where unspecified
    range                        0 unspecified, 1 limited, 2 full
    hd                           which matrix an untagged picture is taken to have: BT.709, else BT.601
    middle                       chroma stands in the middle of its pixels both ways (JPEG)
    """

    matrix: int = UNSPECIFIED
    primaries: int = UNSPECIFIED
    transfer: int = UNSPECIFIED
    range: int = 0
    hd: bool = True
    middle: bool = False

    @property
    def red_blue(self) -> tuple[float, float]:
        return RED_BLUE.get(self.matrix, RED_BLUE[BT709 if self.hd else BT601])

    @property
    def full(self) -> bool:
        return self.range == FULL

    @property
    def sites(self) -> tuple[str, str]:
        """Where chroma stands across and down, see `chroma`."""
        return ("middle" if self.middle else "first", "middle")

    def for_yuv(self) -> "Colour":
        """The tags of a YUV picture made from one that was RGB or grey: all said, since we choose them."""
        return replace(
            self,
            matrix=self.matrix if self.matrix in RED_BLUE else BT709,
            primaries=BT709 if self.primaries == UNSPECIFIED else self.primaries,
            transfer=BT709 if self.transfer == UNSPECIFIED else self.transfer,
            range=LIMITED,
            middle=False,
        )

    def for_jpeg(self) -> "Colour":
        """The tags that every JPEG picture has (JFIF)."""
        return replace(self, matrix=5, range=FULL, middle=True)

    def for_rgb(self) -> "Colour":
        """The tags of an RGB picture made from this one."""
        return replace(self, matrix=RGB, range=FULL)


def colour_of(context, frame: av.VideoFrame) -> Colour:
    """The tags of a stream, from its first frame, else from its codec context."""

    def tag(name, unspecified):
        value = int(getattr(frame, name))
        return int(getattr(context, name)) if value == unspecified else value

    family = nearest_layout(frame.format.name)
    span = tag("color_range", 0)
    if frame.format.name.startswith("yuvj") or (span == 0 and context.name == "mjpeg"):
        span = FULL
    if family.family == "gray" and span == 0 and not context.codec.reorder:
        span = FULL
    return Colour(
        matrix=tag("colorspace", UNSPECIFIED),
        primaries=tag("color_primaries", UNSPECIFIED),
        transfer=tag("color_trc", UNSPECIFIED),
        range=span,
        hd=frame.height >= HD_HEIGHT,
        middle=context.name in ("mjpeg", "mpeg1video"),
    )


def to_rgb(frame: av.VideoFrame, colour: Colour) -> np.ndarray:
    """The picture of a decoded frame: (H, W, 3) RGB, uint8 up to 8 bits, else uint16 over the full scale."""
    form = layout(frame.format.name)
    if form is None:
        frame = frame.reformat(format=planar_equivalent(frame.format.name))
        form = layout(frame.format.name)
    planes = get_planes(frame, form)
    top = 255 if form.bits <= 8 else 65535
    image = np.empty((*planes[0].shape, 3), form.dtype)
    for band in _bands(image.shape[0]):
        if form.family == "gbr":
            green, blue, red = (plane[band] for plane in planes)
            image[band] = _as_integer(_stack((red, green, blue)), top / (2**form.bits - 1), top)
        else:
            matrix = _yuv_to_rgb(colour.red_blue, colour.full, form.bits, top)
            image[band] = _as_integer(cv2.transform(_whole_yuv(planes, form, colour, band), matrix), 1, top)
    return image


def from_rgb(image: np.ndarray, pix_fmt: str, colour: Colour, was_halved: bool) -> av.VideoFrame:
    """A frame of the format `pix_fmt` showing `image` (H, W, 3), uint8 or uint16.

    was_halved: the colours come from a source of the same subsampling, see `chroma`.
    """
    form = layout(pix_fmt)
    if form is None:
        planar = from_rgb(image, planar_equivalent(pix_fmt), colour, was_halved)
        return planar.reformat(format=pix_fmt)
    top, largest = 255 if image.dtype == np.uint8 else 65535, 2**form.bits - 1
    frame = empty_frame(pix_fmt, image.shape[1], image.shape[0])
    planes = get_planes(frame, form)
    for band in _bands(image.shape[0]):
        if form.family == "gbr":
            red, green, blue = cv2.split(_as_integer(image[band].astype(np.float32), largest / top, largest))
            for plane, values in zip(planes, (green, blue, red), strict=True):
                plane[band] = values
        else:
            matrix = _rgb_to_yuv(colour.red_blue, colour.full, form.bits, top)
            _put_yuv(image, matrix, planes, form, colour, was_halved, band)
    return frame


BAND = 32  # rows at a time, an even number: what is computed on the way stays in the cache
REACH = 2  # rows that a filter of `chroma` looks beyond the one it computes


def _bands(height: int) -> Iterator[slice]:
    return (slice(begin, min(begin + BAND, height)) for begin in range(0, height, BAND))


def _whole_yuv(planes: list[np.ndarray], form: Layout, colour: Colour, band: slice) -> np.ndarray:
    """(rows, W, 3) float32 codes of a band, chroma doubled to the size of luma."""
    luma = planes[0][band].astype(np.float32)
    if form.family == "gray":
        middle = np.full_like(luma, 2.0 ** (form.bits - 1))
        return _stack((luma, middle, middle))
    across, down = colour.sites
    first = max(0, (band.start >> form.y) - REACH)
    last = -(-band.stop >> form.y) + REACH
    chroma = [plane[first:last].astype(np.float32) for plane in planes[1:]]
    if form.x:
        chroma = [double(plane, 1, across, luma.shape[1]) for plane in chroma]
    if form.y:
        chroma = [double(plane, 0, down, 2 * plane.shape[0]) for plane in chroma]
    above = band.start - (first << form.y)
    return _stack((luma, *(plane[above : above + luma.shape[0]] for plane in chroma)))


def _put_yuv(image, matrix, planes, form: Layout, colour: Colour, was_halved: bool, band: slice) -> None:
    """Writes a band of `image` into the planes, chroma halved as their layout says."""
    first = max(0, band.start - 2 * REACH)
    rows = image[first : band.stop + 2 * REACH].astype(np.float32)
    codes = cv2.split(cv2.transform(rows, matrix))
    largest = 2**form.bits - 1
    planes[0][band] = _as_integer(codes[0][band.start - first : band.stop - first], 1, largest)
    across, down = colour.sites
    begin, end = band.start >> form.y, -(-band.stop >> form.y)
    above = begin - (first >> form.y)
    for plane, values in zip(planes[1:], codes[1:], strict=False):
        if form.y:
            values = halve(values, 0, down, was_halved)
        values = values[above : above + end - begin]
        if form.x:
            values = halve(values, 1, across, was_halved)
        plane[begin:end] = _as_integer(values, 1, largest)


def _stack(planes) -> np.ndarray:
    return cv2.merge([np.asarray(plane, np.float32) for plane in planes])


def _as_integer(values: np.ndarray, scale: float, top: int) -> np.ndarray:
    """Rounded to nearest and clipped to 0..top."""
    kind = cv2.CV_8U if top <= 255 else cv2.CV_16U
    rounded = cv2.addWeighted(values, scale, values, 0, 0, dtype=kind)
    return rounded if top in (255, 65535) else np.minimum(rounded, top)


@lru_cache(maxsize=32)
def _yuv_to_rgb(red_blue: tuple[float, float], full: bool, bits: int, top: int) -> np.ndarray:
    """(3, 4) affine map from codes of `bits` bits to RGB in 0..top."""
    inverse = np.linalg.inv(_codes(red_blue, full, bits))[:3] * top
    return inverse.astype(np.float64)


@lru_cache(maxsize=32)
def _rgb_to_yuv(red_blue: tuple[float, float], full: bool, bits: int, top: int) -> np.ndarray:
    """(3, 4) affine map from RGB in 0..top to codes of `bits` bits."""
    forward = _codes(red_blue, full, bits)[:3].copy()
    forward[:, :3] /= top
    return forward


def _codes(red_blue: tuple[float, float], full: bool, bits: int) -> np.ndarray:
    """(4, 4) affine map from RGB in 0..1 to YUV codes (H.273, equations 38 to 40; 20 to 31 for the range)."""
    red, blue = red_blue
    luma = np.array([red, 1 - red - blue, blue])
    rows = np.stack((luma, ([0, 0, 1] - luma) / (2 * (1 - blue)), ([1, 0, 0] - luma) / (2 * (1 - red))))
    step = 2.0 ** (bits - 8)
    luma_span, chroma_span = (2.0**bits - 1,) * 2 if full else (219 * step, 224 * step)
    affine = np.eye(4)
    affine[:3, :3] = rows * np.array([[luma_span], [chroma_span], [chroma_span]])
    affine[:3, 3] = (0 if full else 16 * step, 128 * step, 128 * step)
    return affine
