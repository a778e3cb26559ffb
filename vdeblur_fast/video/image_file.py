"""One image file: read upright with all that it holds, and written with what its kind can hold."""

import os
import zlib
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from vdeblur_fast.video.exif import as_upright, turn_of
from vdeblur_fast.video.orientation import Orientation
from vdeblur_fast.video.signature import chunk, signed, with_chunk

EIGHT_BITS = {".jpg", ".jpeg", ".jpe", ".webp", ".bmp", ".dib", ".avif"}
OPAQUE = {".jpg", ".jpeg", ".jpe", ".ppm", ".pnm"}
COLOURLESS = {".pgm", ".pbm"}
WITH_METADATA = {".png", ".jpg", ".jpeg", ".jpe", ".webp", ".avif"}


@cache
def opencv():
    """OpenCV, which would print its own words about a file that it cannot read or write beside our sentence."""
    import cv2

    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    return cv2


class ImageFile(NamedTuple):
    """image: (H, W, 3 or 4) RGB or RGBA, uint8 or uint16. What its file says of it: profile: the ICC profile of its
    colours; exif: date, camera and the like. Each is None where there is none."""

    image: np.ndarray | None = None
    profile: bytes | None = None
    exif: bytes | None = None


def read_image(path: Path) -> np.ndarray | None:
    """(H, W, 3 or 4) RGB or RGBA, uint8 or uint16; None where the file is not such an image."""
    return read_image_file(path).image


def read_image_file(path: Path) -> ImageFile:
    """The image, upright, and what its file says of it."""
    cv2 = opencv()
    try:
        data = np.fromfile(path, np.uint8)
        image, exif, profile = _decoded(data) if data.size else (None, b"", None)
        turn = turn_of(exif)
        if image is not None and not (image.ndim == 3 and image.shape[2] == 4):
            image, turn = cv2.imdecode(data, cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH), None  # upright already
    except (cv2.error, OSError):
        return ImageFile()
    if image is None or image.dtype not in (np.uint8, np.uint16):
        return ImageFile()
    image = cv2.cvtColor(image, cv2.COLOR_BGRA2RGBA if image.shape[2] == 4 else cv2.COLOR_BGR2RGB)
    if turn:
        a, b, c, d = turn
        image = Orientation((a, b, 0, c, d, 0, 0, 0, 1)).apply(image)
    return ImageFile(image, profile, as_upright(exif))


def holds_more(path: Path) -> bool:
    """Whether a file that can be read holds more than the one image that is read: an animation, or pages."""
    return opencv().imcount(os.fsencode(path)) > 1  # bytes: OpenCV dies of a name that is no Unicode


def encode_image(
    image: np.ndarray, suffix: str, profile: bytes | None = None, exif: bytes | None = None
) -> bytes | None:
    """(H, W, 3 or 4) as a file of the kind that `suffix` says; None where OpenCV cannot make one."""
    cv2 = opencv()
    parameters = {
        ".png": [cv2.IMWRITE_PNG_COMPRESSION, 3],
        ".jpg": [cv2.IMWRITE_JPEG_QUALITY, 98],
        ".jpeg": [cv2.IMWRITE_JPEG_QUALITY, 98],
        ".jpe": [cv2.IMWRITE_JPEG_QUALITY, 98],
        ".webp": [cv2.IMWRITE_WEBP_QUALITY, 101],
    }.get(suffix, [])
    image = cv2.cvtColor(image, cv2.COLOR_RGBA2BGRA if image.shape[2] == 4 else cv2.COLOR_RGB2BGR)
    try:
        if (profile or exif) and suffix != ".png":
            said = {cv2.IMAGE_METADATA_ICCP: profile, cv2.IMAGE_METADATA_EXIF: exif}
            held = {kind: np.frombuffer(data, np.uint8) for kind, data in said.items() if data}
            done, coded = cv2.imencodeWithMetadata(suffix, image, list(held), list(held.values()), parameters)
        else:
            done, coded = cv2.imencode(suffix, image, parameters)
    except cv2.error:
        return None
    if not done:
        return None
    return _finished_png(coded.tobytes(), profile, exif) if suffix == ".png" else coded.tobytes()


def is_profile_of_rgb(profile: bytes) -> bool:
    """Whether it is a whole ICC profile, and of RGB, which all images become here, grey and CMYK too."""
    whole = len(profile) == int.from_bytes(profile[:4]) and profile[36:40] == b"acsp"
    return whole and profile[16:20] == b"RGB "


def eight_bits(image: np.ndarray) -> np.ndarray:
    """uint16 of full scale -> uint8, rounded."""
    return ((image.astype(np.uint32) + 128) // 257).astype(np.uint8)


def _decoded(data: np.ndarray) -> tuple[np.ndarray | None, bytes, bytes | None]:
    """The image as it is stored, its EXIF and its colour profile; an older OpenCV does not tell the latter two."""
    cv2 = opencv()
    if not hasattr(cv2, "imdecodeWithMetadata"):
        return cv2.imdecode(data, cv2.IMREAD_UNCHANGED), b"", None
    image, kinds, values = cv2.imdecodeWithMetadata(data, cv2.IMREAD_UNCHANGED)
    held = {int(kind): value.tobytes() for kind, value in zip(kinds, values, strict=True)}
    return image, held.get(cv2.IMAGE_METADATA_EXIF, b""), held.get(cv2.IMAGE_METADATA_ICCP)


def _finished_png(png: bytes, profile: bytes | None, exif: bytes | None) -> bytes:
    """With the profile, of which OpenCV makes a broken file where libpng finds fault with it, and signed as ours."""
    if exif:
        png = with_chunk(png, chunk(b"eXIf", exif))
    if profile:
        png = with_chunk(png, chunk(b"iCCP", b"ICC profile\0\0" + zlib.compress(profile)))
    return signed(png)
