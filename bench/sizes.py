"""Sizes of frames: as people type them, and as networks take them."""

from vdeblur_fast.errors import UserError

MOST = 16_384  # pixels of a side; no video is larger


def read_size(text: str) -> tuple[int, int]:
    """WIDTHxHEIGHT, such as 1280x720 -> (1280, 720). Raises UserError for what is no size."""
    sides = text.lower().split("x")
    if len(sides) != 2 or not all(side.isascii() and side.isdecimal() and int(side[:9]) for side in sides):
        raise UserError(f"--size must be WIDTHxHEIGHT in pixels, such as 1280x720, got {text}")
    if any(len(side) > 9 or int(side) > MOST for side in sides):
        raise UserError(f"--size must have sides of at most {MOST} pixels, got {text[:40]}")
    return int(sides[0]), int(sides[1])


def fitting(network: object, width: int, height: int) -> tuple[int, int]:
    """The size, rounded up to what a network can take, as a stream pads its frames."""
    multiple, least = getattr(network, "multiple", 1), getattr(network, "minimum", 1)
    width, height = (-(-max(side, least) // multiple) * multiple for side in (width, height))
    return width, height
