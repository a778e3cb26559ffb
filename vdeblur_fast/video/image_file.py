"""One image file: read upright with all that it holds, and written with what its kind can hold."""

import os
import struct
import zlib
from functools import cache
from pathlib import Path

import numpy as np

from vdeblur_fast.video.orientation import Orientation
from vdeblur_fast.video.signature import chunk, signed, with_chunk

EIGHT_BITS = {".jpg", ".jpeg", ".jpe", ".webp", ".bmp", ".dib", ".avif"}
OPAQUE = {".jpg", ".jpeg", ".jpe", ".ppm", ".pnm"}
COLOURLESS = {".pgm", ".pbm"}
WITH_PROFILE = {".png", ".jpg", ".jpeg", ".jpe", ".webp", ".avif"}

TURN = 0x0112  # the tag in EXIF, and the display matrix (a, b, c, d) that each of its values means
TURNS = {
    2: (-1, 0, 0, 1),
    3: (-1, 0, 0, -1),
    4: (1, 0, 0, -1),
    5: (0, 1, 1, 0),
    6: (0, 1, -1, 0),
    7: (0, -1, -1, 0),
    8: (0, -1, 1, 0),
}


@cache
def opencv():
    """OpenCV, which would print its own words about a file that it cannot read or write beside our sentence."""
    import cv2

    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    return cv2


def read_image(path: Path) -> np.ndarray | None:
    """(H, W, 3 or 4) RGB or RGBA, uint8 or uint16; None where the file is not such an image."""
    return read_image_and_profile(path)[0]


def read_image_and_profile(path: Path) -> tuple[np.ndarray | None, bytes | None]:
    """The image as `read_image` has it, and the ICC profile that says what its colours are, if there is one."""
    cv2 = opencv()
    try:
        data = np.fromfile(path, np.uint8)
        image, exif, profile = _decoded(data) if data.size else (None, b"", None)
        if image is not None and not (image.ndim == 3 and image.shape[2] == 4):
            image, exif = cv2.imdecode(data, cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH), b""  # upright already
    except (cv2.error, OSError):
        return None, None
    if image is None or image.dtype not in (np.uint8, np.uint16):
        return None, None
    image = cv2.cvtColor(image, cv2.COLOR_BGRA2RGBA if image.shape[2] == 4 else cv2.COLOR_BGR2RGB)
    if turn := TURNS.get(_turn_of(exif)):
        a, b, c, d = turn
        image = Orientation((a, b, 0, c, d, 0, 0, 0, 1)).apply(image)
    return image, profile


def holds_more(path: Path) -> bool:
    """Whether a file that can be read holds more than the one image that is read: an animation, or pages."""
    return opencv().imcount(os.fsencode(path)) > 1  # bytes: OpenCV dies of a name that is no Unicode


def encode_image(image: np.ndarray, suffix: str, profile: bytes | None = None) -> bytes | None:
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
        if profile and suffix != ".png":
            held = [cv2.IMAGE_METADATA_ICCP], [np.frombuffer(profile, np.uint8)]
            done, coded = cv2.imencodeWithMetadata(suffix, image, *held, parameters)
        else:
            done, coded = cv2.imencode(suffix, image, parameters)
    except cv2.error:
        return None
    if not done:
        return None
    return _finished_png(coded.tobytes(), profile) if suffix == ".png" else coded.tobytes()


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


def _finished_png(png: bytes, profile: bytes | None) -> bytes:
    """With the profile, of which OpenCV makes a broken file where libpng finds fault with it, and signed as ours."""
    if profile:
        png = with_chunk(png, chunk(b"iCCP", b"ICC profile\0\0" + zlib.compress(profile)))
    return signed(png)


def _turn_of(exif: bytes) -> int:
    """How EXIF says that the image is to be turned, 1 to 8."""
    exif = exif.removeprefix(b"Exif\0\0")
    order = "<" if exif.startswith(b"II") else ">"
    try:
        (start,) = struct.unpack_from(order + "I", exif, 4)
        (count,) = struct.unpack_from(order + "H", exif, start)
        entries = (struct.unpack_from(order + "HHIH", exif, start + 2 + 12 * index) for index in range(count))
        return next((value for tag, _, _, value in entries if tag == TURN), 1)
    except struct.error:
        return 1
