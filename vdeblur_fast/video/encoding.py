"""Images into the packets of a video stream."""

from fractions import Fraction

from vdeblur_fast.video.colour import Colour, from_rgb
from vdeblur_fast.video.encoders import (
    check_pixel_format,
    encoder_options,
    find_encoder,
    joined,
    open_context,
    pixel_formats,
)
from vdeblur_fast.video.formats import IN_ORDER, default_codec, holds_codec, is_timeless, misfit, time_base
from vdeblur_fast.video.frame import Frame
from vdeblur_fast.video.hdr import hdr_options, loses_hdr
from vdeblur_fast.video.planes import nearest_layout
from vdeblur_fast.video.tags import MP4_FORMATS

HOLD_ORIENTATION = ("mp4", "mov", "matroska", "ipod", "3gp", "3g2")
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
        self._moved = Fraction(0)
        self._end, self._delay = -(2**62), None  # of the packets: where the last ends, how long the first waits
        self._returned = False  # whether a packet came before the last frame
        encoder = find_encoder(codec or default_codec(container))
        form = container.format.name
        if not holds_codec(form, encoder.name):
            raise misfit(container, codec or encoder.name)
        self._format, self._timeless = form, is_timeless(form)
        self._last = -1 if self._timeless else -(2**62)  # the time stamp before the first one
        self._turn = None
        if source.orientation and form not in HOLD_ORIENTATION:
            self._turn = source.orientation
        self._place(size)
        self._options = joined(encoder_options(encoder.name, crf, preset), hdr_options(encoder.name, source.side_data))
        self._base = time_base(form, encoder.name, source)
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
        following = self._last + 1
        raw.pts = self._last = following if self._timeless else max(round(time / self._base), following)
        self._moved = max(self._moved, abs(raw.pts * self._base - time))
        self._durations[raw.pts] = round(frame.duration * frame.time_base / self._base)
        packets = self._timed(self.stream.encode(raw))
        self._returned |= bool(packets)
        return packets

    def flush(self) -> list:
        """The packets of the frames that the encoder still holds."""
        packets = self.stream.encode(None)
        if not self._returned and self.stream.codec_context.name == "libx265":
            decode_in_time(packets)
        packets = self._timed(packets)
        if packets and self._format in MP4_FORMATS:
            self._reach_the_end(packets[-1])
        if self._moved > TOLERANCE:
            self._warnings.append(
                f"some frames were moved by up to {float(self._moved) * 1000:.0f} ms, because this kind "
                "of file cannot say their times exactly; an .mkv or .mp4 file with h264 keeps the times"
            )
        return packets

    def _timed(self, packets: list) -> list:
        for packet in packets:
            packet.duration = self._durations.pop(packet.pts, packet.duration)
            if self._delay is None:
                self._delay = packet.pts - packet.dts
            self._end = max(self._end, packet.pts + packet.duration)
        return packets

    def _reach_the_end(self, packet) -> None:
        """Makes the packet that is decoded last end with the last frame shown.

        MP4 adds up the time from one decoding to the next, and B-frames shown before a long last frame are
        decoded after it.
        """
        packet.duration = max(packet.duration, self._end - self._delay - packet.dts)

    def _place(self, size: tuple[int, int]) -> None:
        self._size, self.aspect = size, self._source.sample_aspect_ratio
        if self._turn and self._turn.swaps:
            self._size, self.aspect = size[::-1], self.aspect and 1 / self.aspect

    def _set_up(self, context) -> None:
        context.width, context.height = self._size
        context.time_base, context.framerate = self._base, self._source.frame_rate
        context.options = dict(self._options)
        colour = self._colour_for(context.name, nearest_layout(context.pix_fmt))
        context.colorspace, context.color_range = colour.matrix, colour.range
        context.color_primaries, context.color_trc = colour.primaries, colour.transfer
        if self._format in IN_ORDER:
            context.max_b_frames = 0
        if self.aspect:
            context.sample_aspect_ratio = self.aspect

    def _describe(self, encoder: str, pix_fmt: str) -> None:
        form, old = nearest_layout(pix_fmt), self._source.layout
        self._colour = self._colour_for(encoder, form)
        self._was_halved = old.family == "yuv" and (form.x, form.y) == (old.x, old.y)
        if form.bits < old.bits:
            self._warnings.append(f"the colours were reduced from {old.bits} to {form.bits} bits")
        if loses_hdr(encoder, self._source.side_data):
            self._warnings.append(
                f"the HDR mastering data was left out, which {encoder} cannot store; h264 and hevc can"
            )
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
