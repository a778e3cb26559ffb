"""Sizes of frames as people type them."""

from vdeblur_fast.errors import UserError


def read_size(text: str) -> tuple[int, int]:
    """WIDTHxHEIGHT, such as 1280x720 -> (1280, 720). Raises UserError for what is no size."""
    sides = text.lower().split("x")
    if len(sides) != 2 or not all(side.isascii() and side.isdecimal() and int(side) for side in sides):
        raise UserError(f"--size must be WIDTHxHEIGHT in pixels, such as 1280x720, got {text}")
    return int(sides[0]), int(sides[1])
