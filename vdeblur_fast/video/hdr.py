"""HDR mastering data (SMPTE ST 2086, CTA-861.3) of a source as options of the encoders that can write it."""

import struct

COLOUR_UNIT, LIGHT_UNIT = 50000, 10000
OPTIONS = {  # the option, its parts, and in how many steps each part of the mastering data counts; 0: decimals
    "libx264": ("x264-params", "mastering-display", "cll", COLOUR_UNIT, LIGHT_UNIT),
    "libx265": ("x265-params", "master-display", "max-cll", COLOUR_UNIT, LIGHT_UNIT),
    "libsvtav1": ("svtav1-params", "mastering-display", "content-light", 0, 0),
}
MASTERING, LIGHT = "MASTERING_DISPLAY_METADATA", "CONTENT_LIGHT_LEVEL"


def loses_hdr(encoder: str, side_data: dict[str, bytes]) -> bool:
    """Whether there is mastering data that the encoder cannot write."""
    return encoder not in OPTIONS and (MASTERING in side_data or LIGHT in side_data)


def hdr_options(encoder: str, side_data: dict[str, bytes]) -> dict[str, str]:
    """Options for `side_data`, that of the first decoded frame by FFmpeg's names; {} for nothing to say."""
    if encoder not in OPTIONS:
        return {}
    option, mastering, light, *units = OPTIONS[encoder]
    parts = []
    if display := side_data.get(MASTERING):
        parts.append(f"{mastering}={_mastering(display, *units)}")
    if level := side_data.get(LIGHT):
        parts.append("{}={},{}".format(light, *struct.unpack_from("=2I", level)))
    return {option: ":".join(parts)} if parts else {}


def _mastering(data: bytes, colour_unit: int, light_unit: int) -> str:
    """AVMasteringDisplayMetadata: ten rationals, x and y of red, green, blue, white; darkest, brightest."""
    numbers = struct.unpack_from("=20i", data)
    values = [top / bottom if bottom else 0 for top, bottom in zip(numbers[::2], numbers[1::2], strict=True)]
    texts = [_counted(value, colour_unit) for value in values[:8]]
    red, green, blue, white = (f"({x},{y})" for x, y in zip(texts[::2], texts[1::2], strict=True))
    darkest, brightest = (_counted(value, light_unit) for value in values[8:])
    return f"G{green}B{blue}R{red}WP{white}L({brightest},{darkest})"


def _counted(value: float, unit: int) -> str:
    return str(round(value * unit)) if unit else f"{value:.6f}"
