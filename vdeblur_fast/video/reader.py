"""A video file as a stream of frames."""

import itertools
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av

from vdeblur_fast.video.colour import colour_of, to_rgb
from vdeblur_fast.video.decoding import Tally, decode
from vdeblur_fast.video.errors import InputError
from vdeblur_fast.video.frame import Frame
from vdeblur_fast.video.orientation import is_tilted, orientation_of
from vdeblur_fast.video.planes import nearest_layout
from vdeblur_fast.video.side_data import lost_kinds
from vdeblur_fast.video.source import find_video, open_input
from vdeblur_fast.video.span import Span

SEEK_MARGINS = (1, 10)  # seconds before the start: B-frames before the key frame we land on must not be lost
OF_THE_FILE = ("asf", "wtv")  # formats whose streams are all said to be as long as the file
FASTEST = 1000  # frames per second; some files declare the ticks of their clock instead


class VideoReader:
    """The frames of a video file, in the order in which they are shown, each with its exact time.

    path        any container and codec that PyAV decodes
    start, end  seconds from the beginning of the file; frames with start <= time < end are read
    upright     turn the frames as the display matrix of the file says, and report no orientation

    Iterating yields `Frame`; it can be done again and again, each time from the beginning. After an iteration
    `problems` holds a sentence for everything that was wrong with the file, and `lost_kinds` what its frames carried
    that they carry no more (see `side_data`).

    width, height   of the frames yielded
    bit_depth       8 for uint8 frames, else the depth of the source (9..16) in uint16 frames
    frame_rate      average, Fraction, frames per second
    duration        seconds, of the chosen span, or None
    frames_estimate number of frames in the span, or None; exact only where the container counts them

    Raises InputError: no such file, not a video, no video in it, nothing decodes, nothing within start..end.
    """

    is_images = False

    def __init__(self, path, start: float | None = None, end: float | None = None, upright: bool = False):
        self.path = Path(path)
        self.problems: list[str] = []
        self.lost_kinds: set[str] = set()
        with open_input(self.path) as container:
            stream = find_video(container, self.path)
            self._describe_stream(container, stream)
            self.span = Span.of(container, stream, start, end)
            first = next(decode(container, stream, Tally()), None)
            if first is None:
                raise InputError(f"{self.path} is damaged: not one of its frames could be decoded")
            self._describe_frame(stream, first, upright)
        if start is not None or end is not None:
            self._check_span()

    def _describe_stream(self, container, stream) -> None:
        self.stream_index = stream.index
        self.codec = stream.codec_context.name
        self.time_base = stream.time_base
        self.frame_rate = _rate(stream)
        self.sample_aspect_ratio = stream.sample_aspect_ratio or None
        self.container_metadata = dict(container.metadata)
        self.stream_metadata = dict(stream.metadata)
        self.disposition = stream.disposition
        self._counted = _count(container, stream)
        self._stream_seconds, self._seconds_are_its_own = _stream_seconds(container, stream)

    def _describe_frame(self, stream, first: av.VideoFrame, upright: bool) -> None:
        self.pix_fmt = first.format.name
        self.layout = nearest_layout(self.pix_fmt)
        self.bit_depth = max(8, self.layout.bits)
        self.colour = colour_of(stream.codec_context, first)
        self.interlaced = first.interlaced_frame
        self.has_alpha = self.codec != "gif" and any(c.is_alpha for c in first.format.components)
        self.side_data = {item.type.name: bytes(item) for item in first.side_data}
        self._coded_size = self.width, self.height = first.width, first.height
        self.orientation, self._tilted = orientation_of(first), is_tilted(first)
        self._turn = None
        if upright and self.orientation:
            self._turn, self.orientation = self.orientation, None
            if self._turn.swaps:
                self.width, self.height = self.height, self.width
                self.sample_aspect_ratio = self.sample_aspect_ratio and 1 / self.sample_aspect_ratio

    def _check_span(self) -> None:
        if next(iter(self), None) is None:
            lasts = f", which lasts {float(self._stream_seconds):.2f} s" if self._stream_seconds else ""
            raise InputError(f"there is no frame of {self.path} in the chosen span ({self.span}){lasts}")
        self.problems = []

    def __enter__(self) -> "VideoReader":
        return self

    def __exit__(self, *_) -> None:
        """Nothing stays open between iterations."""

    @property
    def duration(self) -> Fraction | None:
        """Seconds in the chosen span, or None where the file does not say."""
        return self.span.length(self._stream_seconds)

    @property
    def frames_estimate(self) -> int | None:
        """About how many frames will come."""
        if self._counted and self.span.is_all:
            return self._counted
        return None if self.duration is None else max(1, round(self.duration * self.frame_rate))

    def __iter__(self) -> Iterator[Frame]:
        self.problems = []
        tally = Tally()
        container, decoded = self._open_at_start(tally)
        with container:
            yield from self._frames(decoded, tally)
        self._report(tally)

    def _open_at_start(self, tally: Tally):
        """An opened container and its frames from the start of the span or earlier.

        Files without a good index may land after the key frame that is needed; then reading starts earlier
        still.
        """
        for margin in SEEK_MARGINS if self.span.start is not None else ():
            container = open_input(self.path)
            stream = container.streams[self.stream_index]
            decoded = decode(container, stream, tally)
            first = _seek(container, stream, self.span.begin - margin) and next(decoded, None)
            if first and first.pts is not None and first.pts * stream.time_base <= self.span.begin:
                return container, itertools.chain([first], decoded)
            container.close()
        container = open_input(self.path)
        return container, decode(container, container.streams[self.stream_index], tally)

    def _frames(self, decoded: Iterator[av.VideoFrame], tally: Tally) -> Iterator[Frame]:
        step = max(1, round(1 / (self.frame_rate * self.time_base)))
        last = None
        for raw in decoded:
            pts = raw.pts
            if pts is None or (last is not None and pts <= last):
                tally.untimed += not tally.timeless
                pts = 0 if last is None else last + (step if pts is None else 1)
            last = pts
            time = pts * self.time_base
            if self.span.before(time):
                tally.errors = tally.broken = tally.gaps = tally.untimed = 0
                continue
            if self.span.after(time):
                return
            tally.frames += 1
            self.lost_kinds |= lost_kinds(raw)
            tally.resized += (raw.width, raw.height) != self._coded_size
            yield Frame(self._image(raw), pts, self.time_base, raw.duration or step)
            tally.end = time + (raw.duration or step) * self.time_base

    def _image(self, raw: av.VideoFrame):
        if (raw.width, raw.height) != self._coded_size or raw.format.name != self.pix_fmt:
            width, height = self._coded_size
            raw = raw.reformat(width, height, self.pix_fmt, interpolation="BICUBIC")
        image = to_rgb(raw, self.colour)
        return self._turn.apply(image) if self._turn else image

    def _report(self, tally: Tally) -> None:
        """Says what was wrong, once everything was read."""
        expected = tally.frames + tally.errors
        if self.span.is_all:
            expected = max(expected, tally.frames + self._missing(tally))
        self.problems = tally.sentences(self.path.name, expected)
        if self._tilted:
            self.problems.append(f"{self.path.name} is to be shown tilted or stretched; only quarter turns are kept")

    def _missing(self, tally: Tally) -> int:
        """How many frames the file announces that did not come."""
        if self._counted:
            return self._counted - tally.discarded - tally.frames
        if not self._stream_seconds or tally.end is None:
            return 0
        if tally.gaps:
            return round(self._stream_seconds * self.frame_rate) - tally.frames
        end = tally.end if self._seconds_are_its_own else max(tally.end, tally.others_end)  # sound may be longer
        short = self._stream_seconds - (end - self.span.origin)
        slack = 2 / self.frame_rate if self._seconds_are_its_own else max(1, self._stream_seconds / 20)
        return max(1, round(short * self.frame_rate)) if short > slack else 0


def _rate(stream) -> Fraction:
    """Frames per second: the first of the file's own word and FFmpeg's guess that makes sense."""
    rates = (stream.average_rate, stream.guessed_rate)
    return next((rate for rate in rates if rate and 0 < rate <= FASTEST), Fraction(25))


def _seek(container, stream, time: Fraction) -> bool:
    """Goes to a key frame at or before `time`; False where the file cannot."""
    try:
        container.seek(int(time / stream.time_base), stream=stream)
    except (av.FFmpegError, OSError):
        return False
    return True


def _count(container, stream) -> int:
    """How many frames the container says it has; 0 where it does not say.

    The index of MP4 knows better than its header, which also counts what an edit list hides; that of AVI leaves
    out the empty frames, which show the one before a little longer.
    """
    index = getattr(stream, "index_entries", None)
    if index and stream.frames and "mp4" in container.format.name:
        return len(index)
    if index and stream.frames and container.format.name == "avi":
        return stream.frames - (index[-1].timestamp - index[0].timestamp + 1 - len(index))
    return stream.frames


def _stream_seconds(container, stream) -> tuple[Fraction | None, bool]:
    """How long the video lasts (s): by its own word or its Matroska tag (True), else by the container's."""
    if stream.duration:
        return stream.duration * stream.time_base, container.format.name not in OF_THE_FILE
    if match := stream.metadata.get("DURATION"):
        try:
            hours, minutes, seconds = match.strip("\0 ").split(":")
            return int(hours) * 3600 + int(minutes) * 60 + Fraction(seconds), True
        except ValueError:
            pass
    return (Fraction(container.duration, av.time_base) if container.duration else None), False
