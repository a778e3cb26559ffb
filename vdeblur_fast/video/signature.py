"""How we know the PNG files that we have written: only they are ever deleted with the folder that they are in."""

import struct
import zlib
from pathlib import Path

_START = 33  # bytes of PNG's own signature and of its first chunk, the header


def chunk(kind: bytes, data: bytes) -> bytes:
    """A part of a PNG file."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def with_chunk(png: bytes, part: bytes) -> bytes:
    """A PNG file with a further part right after its header."""
    return png[:_START] + part + png[_START:]


_SIGNATURE = chunk(b"tEXt", b"Software\0vdeblur")


def signed(png: bytes) -> bytes:
    """A PNG file that says who wrote it."""
    return with_chunk(png, _SIGNATURE)


def is_signed(path: Path) -> bool:
    """Whether a file is a PNG that we have written."""
    if path.suffix != ".png" or not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(_START + len(_SIGNATURE))[_START:] == _SIGNATURE
