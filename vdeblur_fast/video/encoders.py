"""Which encoder, with which pixel format and which options."""

import os

import av
from av.codec.codec import Capabilities, UnknownCodecError

from vdeblur_fast.video.errors import OutputError
from vdeblur_fast.video.planes import Layout, layout, nearest_layout

ENCODERS = {
    "h264": "libx264",
    "hevc": "libx265",
    "h265": "libx265",
    "av1": "libsvtav1",
    "vp9": "libvpx-vp9",
    "vp8": "libvpx",
    "prores": "prores_ks",
}
DEFAULTS = {  # options of each encoder for a result that the eye does not tell from its input
    "libx264": {"crf": "16", "preset": "medium"},
    "libx265": {"crf": "18", "preset": "medium", "x265-params": "log-level=none"},
    "libvpx-vp9": {"crf": "20", "b:v": "0", "row-mt": "1", "cpu-used": "3"},
    "libvpx": {"crf": "8", "b:v": "20M", "cpu-used": "3"},
    "libsvtav1": {"crf": "22", "preset": "8"},
    "prores_ks": {"profile": "hq"},
    "mpeg4": {"flags": "+qscale", "global_quality": "236"},
    "mpeg2video": {"flags": "+qscale", "global_quality": "236"},
    "mjpeg": {"flags": "+qscale", "global_quality": "236"},
}
LOSSLESS = ("ffv1", "png", "huffyuv", "ffvhuff", "utvideo", "magicyuv", "rawvideo")
# Pixels across and down. From less, SVT-AV1 never returns; x265 writes past its buffers where a picture is
# narrower than 49 pixels, and may crash (64 is one of its blocks). Both print a complaint of their own.
SMALLEST = {"libx265": (64, 16), "libsvtav1": (16, 16)}
X26_PRESETS = (
    *("ultrafast", "superfast", "veryfast", "faster", "fast"),
    *("medium", "slow", "slower", "veryslow", "placebo"),
)
PRESETS = {"libx264": X26_PRESETS, "libx265": X26_PRESETS, "libsvtav1": tuple(str(speed) for speed in range(14))}
LARGEST_CRF = {"libx264": 51, "libx265": 51}
ON_A_DEVICE = Capabilities.hardware.value | Capabilities.hybrid.value


def find_encoder(name: str) -> av.Codec:
    """The encoder for a codec name ("h264", "hevc", "vp9", "av1", "ffv1" ...) or an encoder's own name."""
    try:
        codec = av.Codec(ENCODERS.get(name.lower(), name.lower()), "w")
    except (UnknownCodecError, ValueError):
        try:
            codec = av.Codec(name.lower(), "w")
        except (UnknownCodecError, ValueError) as error:
            known = ", ".join(sorted({*ENCODERS, "ffv1"} - {"h265"}))
            raise OutputError(f"there is no encoder {name!r} here; use one of {known}") from error
    if codec.type != "video":
        raise OutputError(f"{name!r} encodes {codec.type}, not video; use h264, hevc, av1, vp9, ffv1 or prores")
    if not codec.video_formats:
        raise OutputError(f"{name!r} does not say what pixels it takes; use h264, or ffv1, which loses nothing")
    return codec


def encoder_options(encoder: str, crf: float | None, preset: str | None) -> dict[str, str]:
    """The options of `encoder` with the user's own quality and speed. Raises OutputError for one it has not."""
    options = dict(DEFAULTS.get(encoder, {}))
    if preset is not None and preset not in PRESETS.get(encoder, (preset,)):
        raise OutputError(f"the encoder {encoder} has no preset {preset}; use one of {', '.join(PRESETS[encoder])}")
    if crf is not None:
        if crf > LARGEST_CRF.get(encoder, crf):
            raise OutputError(f"the encoder {encoder} takes a crf from 0 to {LARGEST_CRF[encoder]}, not {crf:g}")
        options["crf"] = f"{crf:g}"
    if preset is not None:
        options["preset"] = str(preset)
    return options


def joined(options: dict[str, str], more: dict[str, str]) -> dict[str, str]:
    """Both; of an option that both have, a list "a=1:b=2" of the encoder's own, the parts of both."""
    return options | {name: f"{options[name]}:{value}" if name in options else value for name, value in more.items()}


def pixel_formats(encoder: av.Codec, source: Layout) -> list[str]:
    """The formats of `encoder`, best for a picture of the layout `source` first.

    Depth counts most, then the resolution of chroma. RGB and grey become 4:2:0, which every player shows,
    unless the encoder is lossless.
    """
    wanted = source
    if source.family != "yuv" and encoder.name not in LOSSLESS:
        wanted = Layout("yuv", source.bits, 1, 1)
    names = (form.name for form in encoder.video_formats if form.components)  # the others live on a GPU
    forms = {name: nearest_layout(name) for name in names if not name.startswith(("yuva", "gbra", "grayf", "gbrpf"))}

    def loss(name: str):
        form = forms[name]
        return (
            form.family != wanted.family,
            max(0, wanted.bits - form.bits),
            max(0, form.x - wanted.x) + max(0, form.y - wanted.y),
            wanted.x - form.x + wanted.y - form.y,
            form.bits - wanted.bits,
            layout(name) is None,
            name.startswith("yuvj"),
        )

    return sorted(forms, key=loss)


def check_pixel_format(encoder: av.Codec, pix_fmt: str) -> str:
    """`pix_fmt`, if the encoder takes it; else OutputError."""
    names = [form.name for form in encoder.video_formats if form.components]
    if pix_fmt not in names:
        raise OutputError(f"the encoder {encoder.name} has no pixel format {pix_fmt!r}; it has {', '.join(names)}")
    return pix_fmt


def check_size(encoder: str, width: int, height: int) -> None:
    """Raises OutputError for a picture smaller than the encoder takes."""
    least = SMALLEST.get(encoder, (1, 1))
    if width < least[0] or height < least[1]:
        raise OutputError(
            f"the encoder {encoder} cannot make {width}x{height} video, only {least[0]}x{least[1]} pixels or more; "
            "use the codec h264 or ffv1"
        )


def open_context(encoder: av.Codec, pix_fmts: list[str], set_up) -> str:
    """The first of `pix_fmts` that the encoder opens with; `set_up(context)` gives the rest of its settings.

    Raises OutputError where it opens with none: the size is impossible, an option is, or its device is not here.
    """
    if encoder.name == "libsvtav1":
        os.environ.setdefault("SVT_LOG", "1")
    first_error = None
    for pix_fmt in pix_fmts:
        context = av.CodecContext.create(encoder, "w")
        context.pix_fmt = pix_fmt
        set_up(context)
        check_size(encoder.name, context.width, context.height)
        wanted = {key: context.options[key] for key in ("crf", "preset") if key in context.options}
        try:
            context.open()
        except (av.FFmpegError, ValueError) as error:
            first_error = first_error or error
            continue
        if unknown := next((key for key in wanted if key in context.options), None):
            raise OutputError(f"the encoder {encoder.name} has no {unknown}; leave it out or choose another codec")
        return pix_fmt
    if encoder.capabilities & ON_A_DEVICE:
        raise OutputError(
            f"the encoder {encoder.name} needs a device or a driver that is not here; use the codec h264, hevc or av1"
        ) from first_error
    raise OutputError(
        f"the encoder {encoder.name} cannot make {context.width}x{context.height} video with these options; "
        "choose other ones, or the codec h264 or ffv1"
    ) from first_error
