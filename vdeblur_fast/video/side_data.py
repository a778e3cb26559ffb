"""What frames carry besides pixels and no encoder is given here, by FFmpeg's names, and the sentence for its loss."""

import struct

import av

LOST = {
    "A53_CC": "the closed captions in the picture of {} were left out",
    "SPHERICAL": "{} is a 360-degree video, which the output does not say: players will show it flat",
    "STEREO3D": "{} is a 3D video, which the output does not say: players will take it for an ordinary one",
    "DOVI_METADATA": "the Dolby Vision data of {} was left out",
    "DYNAMIC_HDR_PLUS": "the HDR10+ data of {} was left out",
}
FLAT = 0  # AV_STEREO3D_2D, which some cameras say


def lost_kinds(frame: av.VideoFrame) -> set[str]:
    """The keys of LOST that a decoded frame has."""
    return {
        item.type.name
        for item in frame.side_data
        if item.type.name in LOST and not (item.type.name == "STEREO3D" and _kind_of_view(item) == FLAT)
    }


def _kind_of_view(item) -> int:
    """Of AVStereo3D, whose first number it is."""
    return struct.unpack_from("=i", bytes(item))[0]
