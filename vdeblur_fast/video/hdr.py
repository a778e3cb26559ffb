"""HDR mastering data (SMPTE ST 2086, CTA-861.3) of a source as options of the encoders that can write it."""

import struct

OPTIONS = {
    "libx264": ("x264-params", "mastering-display", "cll"),
    "libx265": ("x265-params", "master-display", "max-cll"),
}
COLOUR_UNIT, LIGHT_UNIT = 50000, 10000


def hdr_options(encoder: str, side_data: dict[str, bytes]) -> dict[str, str]:
    """Options for `side_data`, that of the first decoded frame by FFmpeg's names; {} for nothing to say."""
    if encoder not in OPTIONS:
        return {}
    option, mastering, light = OPTIONS[encoder]
    parts = []
    if display := side_data.get("MASTERING_DISPLAY_METADATA"):
        parts.append(f"{mastering}={_mastering(display)}")
    if level := side_data.get("CONTENT_LIGHT_LEVEL"):
        parts.append("{}={},{}".format(light, *struct.unpack_from("=2I", level)))
    return {option: ":".join(parts)} if parts else {}


def _mastering(data: bytes) -> str:
    """AVMasteringDisplayMetadata: ten rationals, x and y of red, green, blue, white; darkest, brightest."""
    numbers = struct.unpack_from("=20i", data)
    values = [top / bottom if bottom else 0 for top, bottom in zip(numbers[::2], numbers[1::2], strict=True)]
    points = [
        f"({round(x * COLOUR_UNIT)},{round(y * COLOUR_UNIT)})"
        for x, y in zip(values[0:8:2], values[1:8:2], strict=True)
    ]
    red, green, blue, white = points
    darkest, brightest = (round(value * LIGHT_UNIT) for value in values[8:10])
    return f"G{green}B{blue}R{red}WP{white}L({brightest},{darkest})"
