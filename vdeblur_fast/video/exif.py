"""What a photograph says of itself, its date and its camera: EXIF, built like a TIFF file."""

import struct

PREFIX = b"Exif\0\0"
LONGEST = 65_000  # bytes; JPEG holds no more
TURN = 0x0112  # a tag, and the display matrix (a, b, c, d) that each of its values means
TURNS = {
    2: (-1, 0, 0, 1),
    3: (-1, 0, 0, -1),
    4: (1, 0, 0, -1),
    5: (0, 1, 1, 0),
    6: (0, 1, -1, 0),
    7: (0, -1, -1, 0),
    8: (0, -1, 1, 0),
}


def turn_of(exif: bytes) -> tuple[int, int, int, int] | None:
    """How EXIF says that the image is to be turned, as a display matrix; None for not at all."""
    exif = exif.removeprefix(PREFIX)
    try:
        order, tags, _ = _directory(exif)
        return next((TURNS.get(_number(order, exif, place + 8)) for tag, place in tags if tag == TURN), None)
    except struct.error:
        return None


def as_upright(exif: bytes) -> bytes | None:
    """The EXIF of an image that has been turned as it says, and no longer looks like its thumbnail, which is hidden.

    None where there is none, or it is damaged.
    """
    exif = bytearray(exif.removeprefix(PREFIX))
    try:
        order, tags, end = _directory(exif)
        for tag, place in tags:
            if tag == TURN:
                struct.pack_into(order + "H", exif, place + 8, 1)
        struct.pack_into(order + "I", exif, end, 0)  # where the thumbnail's own tags are
    except struct.error:
        return None
    return bytes(exif)


def _directory(exif: bytes) -> tuple[str, list[tuple[int, int]], int]:
    """The order of bytes, (tag, place) of each entry, and where they end. Raises struct.error."""
    order = "<" if exif.startswith(b"II") else ">"
    (start,) = struct.unpack_from(order + "I", exif, 4)
    count = _number(order, exif, start)
    places = range(start + 2, start + 2 + 12 * count, 12)
    return order, [(_number(order, exif, place), place) for place in places], start + 2 + 12 * count


def _number(order: str, exif: bytes, place: int) -> int:
    return struct.unpack_from(order + "H", exif, place)[0]
