"""What each kind of video file can hold, and how it counts time."""

import io
from fractions import Fraction
from pathlib import Path

import av

from vdeblur_fast.video.encoders import find_encoder
from vdeblur_fast.video.errors import OutputError

# Formats that take a video and do not give it back: tags alone, planes without their size, no times or wrong ones.
USELESS = ("ffmetadata", "rawvideo", "yuv4mpegpipe", "fits", "rm", "swf", "a64", "ogg", "ogv")
# Formats that would lose the times of H.264, or whose players do not know it.
OWN_CODEC = {"avi": "mpeg4", "asf": "wmv2"}
OWN_CODEC |= dict.fromkeys(("mpeg", "vob", "svcd", "dvd", "mxf"), "mpeg2video")
CODEC_PREFERENCE = ("h264", "vp9", "mpeg4", "mpeg2video", "ffv1")
# What readers find again in formats whose writers take anything.
HELD = {"mpegts": ("h264", "hevc", "mpeg1video", "mpeg2video", "mpeg4"), "wtv": ("h264", "mpeg2video")}
HELD |= dict.fromkeys(("mpeg", "vob", "svcd", "dvd"), ("mpeg1video", "mpeg2video", "mpeg4"))
IN_ORDER = ("avi", "mxf")  # they store when a frame is decoded, not when it is shown
COUNT_FRAMES = ("mpeg4", "mpeg2video", "mpeg1video", "msmpeg4", "h263", "flv")  # encoders without times
MOST_TICKS = 65535  # a second, in MPEG-4


def video_format(file: str, path: Path) -> str:
    """The name of the format for `file`, by its extension, which is that of `path`.

    Raises OutputError where there is none, or none for one file of video: some write many files, by names of
    their own.
    """
    try:
        form = av.open(file, "w").format
    except ValueError:
        form = None
    if form is None or form.no_file or form.name in USELESS:
        raise OutputError(
            f"{path.suffix or path.name} is no kind of video file that can be written; "
            "use .mp4, .mkv, .mov, .webm or the name of a folder ending in /"
        )
    return form.name


def holds_codec(form: str, encoder: str) -> bool:
    """Whether files of a format can hold what an encoder makes, and give it back at the right times.

    Readers of ASF count the times of a coding that could have B-frames one frame too late, even without any.
    """
    codec = av.Codec(encoder, "w")
    if (form == "asf" and codec.reorder) or codec.canonical_name not in HELD.get(form, (codec.canonical_name,)):
        return False
    try:
        av.open(io.BytesIO(), "w", format=form).add_stream(encoder)
    except ValueError:
        return False
    return True


def default_codec(container) -> str:
    """H.264 where the container can hold it with the frames' times, which AVI and MPEG's program streams do not store.

    Raises OutputError for a file of sound or text, which holds a cover picture at best.
    """
    form = container.format.name
    if form in OWN_CODEC:
        return OWN_CODEC[form]
    fits = (name for name in CODEC_PREFERENCE if holds_codec(form, find_encoder(name).name))
    codec = next(fits, container.default_video_codec)
    if codec in ("none", "png"):
        raise OutputError(f"{form} files hold no video; use .mp4, .mkv, .mov or .webm")
    return codec


def is_timeless(form: str) -> bool:
    """Whether files of a format store the order of the frames and a rate, but no times."""
    return bool(av.ContainerFormat(form, "w").flags & av.format.Flags.no_timestamps.value)


def time_base(form: str, encoder: str, source) -> Fraction:
    """The unit (s) of the times in a file: the source's own, where the format and the encoder can have it."""
    if form == "gif":
        return Fraction(1, 100)
    if form == "avi" or encoder in COUNT_FRAMES or is_timeless(form):
        return (1 / source.frame_rate).limit_denominator(MOST_TICKS)
    return source.time_base


def misfit(container, codec: str) -> OutputError:
    """The sentence for a codec that the container's format does not take."""
    form = container.format.name
    return OutputError(
        f"{form} files cannot hold {codec} video; use another extension or codec, such as .mp4 with h264"
    )
