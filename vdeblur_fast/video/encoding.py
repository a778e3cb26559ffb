"""Images into the packets of a video stream."""

from fractions import Fraction

from vdeblur_fast.video.colour import Colour, from_rgb
from vdeblur_fast.video.encoders import (
    check_pixel_format,
    encoder_options,
    find_encoder,
    holds_codec,
    joined,
    open_context,
    pixel_formats,
)
from vdeblur_fast.video.errors import OutputError
from vdeblur_fast.video.frame import Frame
from vdeblur_fast.video.hdr import hdr_options
from vdeblur_fast.video.planes import nearest_layout

HOLD_ORIENTATION = ("mp4", "mov", "matroska", "ipod", "3gp", "3g2")
COUNT_FRAMES = ("mpeg4", "mpeg2video", "mpeg1video", "msmpeg4", "h263", "flv")  # encoders without times
# formats that would lose the times of H.264
OWN_CODEC = {"avi": "mpeg4", "mpeg": "mpeg2video", "vob": "mpeg2video", "svcd": "mpeg2video", "dvd": "mpeg2video"}
MOST_TICKS = 65535  # a second, in MPEG-4
CODEC_PREFERENCE = ("h264", "vp9", "mpeg4", "mpeg2video", "ffv1")
TOLERANCE = Fraction(1, 1000)  # seconds; Matroska counts milliseconds


class VideoEncoder:
    """The video stream of `container`, made to be like that of `source`.

    container  PyAV's output; the stream is added to it
    source     the reader: size, depth, chroma, colours, orientation, pixel shape and times are taken from it
    size       (W, H) of the images
    codec, crf, preset, pix_fmt  as `VideoWriter` has them
    warnings   list that takes a sentence for what cannot be kept

    Raises OutputError: no such encoder, it does not fit the container, or it cannot make this size.
    """

    def __init__(self, container, source, size, codec, crf, preset, pix_fmt, warnings):
        self._source = source
        self._warnings = warnings
        self._durations: dict[int, int] = {}
        self._last = -(2**62)
        self._moved = Fraction(0)
        self._returned = False  # whether a packet came before the last frame
        encoder = find_encoder(codec or default_codec(container))
        if not holds_codec(container.format.name, encoder.name):
            raise misfit(container, codec or encoder.name)
        self._turn = None
        if source.orientation and container.format.name not in HOLD_ORIENTATION:
            self._turn = source.orientation
        self._place(size)
        self._options = joined(encoder_options(encoder.name, crf, preset), hdr_options(encoder.name, source.side_data))
        self._base = time_base(container.format.name, encoder.name, source)
        formats = [check_pixel_format(encoder, pix_fmt)] if pix_fmt else pixel_formats(encoder, source.layout)
        chosen = open_context(encoder, formats, self._set_up)
        self.stream = container.add_stream(encoder.name, rate=source.frame_rate, time_base=self._base)
        self.stream.codec_context.pix_fmt = chosen
        self._set_up(self.stream.codec_context)
        if source.orientation and not self._turn:
            self.stream.set_display_matrix(source.orientation.values)
        self._describe(encoder.name, chosen)

    def encode(self, frame: Frame, time: Fraction) -> list:
        """The packets that are ready after this frame, to be shown at `time` (s)."""
        image = self._turn.apply(frame.image) if self._turn else frame.image
        raw = from_rgb(image, self.stream.pix_fmt, self._colour, self._was_halved)
        raw.time_base = self._base
        raw.pts = self._last = max(round(time / self._base), self._last + 1)
        self._moved = max(self._moved, abs(raw.pts * self._base - time))
        self._durations[raw.pts] = round(frame.duration * frame.time_base / self._base)
        packets = self._timed(self.stream.encode(raw))
        self._returned |= bool(packets)
        return packets

    def flush(self) -> list:
        """The packets of the frames that the encoder still holds."""
        packets = self._timed(self.stream.encode(None))
        if not self._returned and self.stream.codec_context.name == "libx265":
            decode_in_time(packets)
        if self._moved > TOLERANCE:
            self._warnings.append(
                f"some frames were moved by up to {float(self._moved) * 1000:.0f} ms, because this kind "
                "of file cannot say their times exactly; an .mkv or .mp4 file with h264 keeps the times"
            )
        return packets

    def _timed(self, packets: list) -> list:
        for packet in packets:
            packet.duration = self._durations.pop(packet.pts, packet.duration)
        return packets

    def _place(self, size: tuple[int, int]) -> None:
        self._size, self._aspect = size, self._source.sample_aspect_ratio
        if self._turn and self._turn.swaps:
            self._size, self._aspect = size[::-1], self._aspect and 1 / self._aspect

    def _set_up(self, context) -> None:
        context.width, context.height = self._size
        context.time_base, context.framerate = self._base, self._source.frame_rate
        context.options = dict(self._options)
        colour = self._colour_for(context.name, nearest_layout(context.pix_fmt))
        context.colorspace, context.color_range = colour.matrix, colour.range
        context.color_primaries, context.color_trc = colour.primaries, colour.transfer
        if self._aspect:
            context.sample_aspect_ratio = self._aspect

    def _describe(self, encoder: str, pix_fmt: str) -> None:
        form, old = nearest_layout(pix_fmt), self._source.layout
        self._colour = self._colour_for(encoder, form)
        self._was_halved = old.family == "yuv" and (form.x, form.y) == (old.x, old.y)
        if form.bits < old.bits:
            self._warnings.append(f"the colours were reduced from {old.bits} to {form.bits} bits")
        if self._source.has_alpha:
            self._warnings.append(f"the transparency of {self._source.path.name} was left out")
        if self._source.interlaced:
            self._warnings.append(f"{self._source.path.name} is interlaced and was taken as whole frames")

    def _colour_for(self, encoder: str, form) -> Colour:
        colour = self._source.colour
        if form.family == "yuv" and self._source.layout.family != "yuv":
            colour = colour.for_yuv()
        elif form.family == "gbr":
            colour = colour.for_rgb()
        return colour.for_jpeg() if encoder == "mjpeg" else colour


def decode_in_time(packets: list) -> None:
    """Moves the decode times of a whole video, all alike, so that no frame is decoded after it is shown.

    x265 counts them from a number that it has not set where a video is shorter than its run of B frames; their
    differences are right.
    """
    early = min((packet.pts - packet.dts for packet in packets), default=0)
    for packet in packets:
        packet.dts += early


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


def time_base(form: str, encoder: str, source) -> Fraction:
    """The unit (s) of the times in a file: the source's own, where the format and the encoder can have it."""
    if form == "gif":
        return Fraction(1, 100)
    if form == "avi" or encoder in COUNT_FRAMES:
        return (1 / source.frame_rate).limit_denominator(MOST_TICKS)
    return source.time_base


def misfit(container, codec: str) -> OutputError:
    """The sentence for a codec that the container's format does not take."""
    form = container.format.name
    return OutputError(
        f"{form} files cannot hold {codec} video; use another extension or codec, such as .mp4 with h264"
    )
