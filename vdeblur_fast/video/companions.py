"""Everything of a file besides the video, copied: sound, subtitles, attachments, data, cover pictures."""

from fractions import Fraction

import av
from av.stream import Discard, Disposition

from vdeblur_fast.video.source import is_cover, open_input
from vdeblur_fast.video.subtitles import SubtitleConverter
from vdeblur_fast.video.tags import stream_tags
from vdeblur_fast.video.trial import DAMAGED, UNFIT, Trial

NO_TEXT = b"\0\0"  # between two subtitles of MP4; the muxer makes its own
HOLD_COVERS = ("mp4", "ipod")  # besides Matroska; other writers forget them, or make a second video of them
COVER_TYPES = {"mjpeg": ("cover.jpg", "image/jpeg"), "png": ("cover.png", "image/png")}


class Companions:
    """The other streams of `reader`'s file on their way into `output`.

    `add` announces the streams, before the header is written; `pump(time)` copies what comes before `time`
    (seconds in the output), so that sound and picture lie side by side in the file; `finish` copies the rest.
    What the output cannot hold, and damaged packets, are left out, with a sentence in `warnings`.
    """

    def __init__(self, reader, output: av.container.OutputContainer, warnings: list[str]):
        self._reader = reader
        self._output = output
        self._warnings = warnings
        self._input = open_input(reader.path)
        self._routes: dict[int, _Route] = {}
        self._shift = Fraction(0)
        self._packets = None
        self._waiting = None

    def add(self) -> None:
        """Adds a stream to the output for each one that it can hold."""
        for stream in self._input.streams:
            if stream.index == self._reader.stream_index:
                continue
            try:
                route = self._route(stream)
            except UNFIT:
                route = None
            if route is None:
                self._leave_out(stream)
            elif route.target is not None:
                self._routes[stream.index] = route

    def start(self, shift: Fraction) -> None:
        """`shift`: the time stamp that becomes zero."""
        self._shift = shift
        streams = [self._input.streams[index] for index in self._routes]
        for stream in self._input.streams:
            if stream not in streams:
                stream.discard = Discard.all
        self._packets = self._demux(streams)
        self._waiting = next(self._packets, None)

    def pump(self, time: Fraction) -> Fraction:
        """Copies the packets that come before `time`; returns the time of the earliest of them, or `time`."""
        earliest = time
        while self._waiting is not None and self._waiting[0] <= time:
            at, route, packet = self._waiting
            earliest = min(earliest, at)
            self._mux(route, packet)
            self._waiting = next(self._packets, None)
        return earliest

    def finish(self) -> None:
        """Copies the rest."""
        self.pump(Fraction(10**12))
        self._say_lost()
        self.close()

    def close(self) -> None:
        self._input.close()

    def _route(self, stream) -> "_Route | None":
        output = self._output
        if self._is_made_anew(stream):
            return None
        if stream.type == "attachment":
            if "matroska" not in output.format.name:
                return None
            output.add_attachment(stream.name or "attachment", stream.mimetype or "", stream.data)
            return _Route(None)
        is_picture = stream.type == "video" and is_cover(stream)
        if is_picture and output.format.name == "matroska":
            picture = next(self._cover_packets(stream), None)
            name, mime = COVER_TYPES[stream.codec_context.name]
            output.add_attachment(name, mime, bytes(picture))
            return _Route(None)
        if is_picture and output.format.name not in HOLD_COVERS:
            return None
        converter = None
        if trial := _trial(output.format.name, stream):
            target = output.add_stream_from_template(stream, opaque=True)
        elif stream.type == "subtitle":
            converter = SubtitleConverter(stream, output)
            target = converter.target
        else:
            return None
        target.metadata.update(stream_tags(stream.metadata, self._output.format.name))
        target.disposition = Disposition(stream.disposition)
        return _Route(target, trial, converter, stream.type == "subtitle", is_picture)

    def _cover_packets(self, stream):
        with open_input(self._reader.path) as container:
            yield from (packet for packet in container.demux(container.streams[stream.index]) if packet.size)

    def _leave_out(self, stream) -> None:
        if self._is_made_anew(stream):
            return
        name = getattr(stream, "name", None) or "unknown"
        form = self._output.format.name
        hint = "; an .mkv file may" if form != "matroska" and stream.type != "data" else ""
        self._warnings.append(
            f"the {stream.type or 'unknown'} track {stream.index} ({name}) was left out, "
            f"because {form} files cannot hold it{hint}"
        )

    def _is_made_anew(self, stream) -> bool:
        """Whether the muxer writes a track of its own, from the tag `timecode` or the chapters."""
        return stream.type == "data" and ("timecode" in stream.metadata or _tells_chapters(self._input, stream))

    def _demux(self, streams):
        """(time in the output, route, packet) of each packet within the span."""
        span = self._reader.span
        if not streams:
            return
        packets = self._input.demux(streams)
        while True:
            try:
                packet = next(packets, None)
            except (av.FFmpegError, OSError):
                self._warnings.append(f"{self._reader.path.name} is damaged: its sound or subtitles end early")
                return
            if packet is None:
                return
            if packet.size == 0:
                continue
            route = self._routes[packet.stream_index]
            if route.is_cover:
                packet.pts = packet.dts = 0
                yield Fraction(0), route, packet
                continue
            if route.is_subtitle and bytes(packet) == NO_TEXT:
                continue
            stamp = packet.pts if packet.pts is not None else packet.dts
            if stamp is None:
                continue
            base = packet.time_base
            begin, end = stamp * base, (stamp + (packet.duration or 0)) * base
            if span.after(begin):
                if packet.dts is not None and span.after(packet.dts * base - 10):
                    return
                continue
            if span.start is not None and begin < self._shift:
                if not route.is_subtitle or end <= self._shift:
                    continue
                packet.duration = round((end - self._shift) / base)
                packet.pts = packet.dts = round(self._shift / base)
            ticks = round(self._shift / base)
            packet.pts = None if packet.pts is None else packet.pts - ticks
            packet.dts = None if packet.dts is None else packet.dts - ticks
            order = packet.dts if packet.dts is not None else packet.pts
            yield order * base, route, packet

    def _mux(self, route: "_Route", packet) -> None:
        try:
            packet = route.converter.convert(packet) if route.converter else packet
        except DAMAGED:
            route.lost += 1
            return
        if packet is not None and not (self._put(route, packet) or self._put_later(route, packet)):
            route.lost += 1

    def _put(self, route: "_Route", packet) -> bool:
        """Whether the output has taken a packet."""
        if route.trial and not route.trial.takes(packet):
            return False
        packet.stream = route.target
        try:
            self._output.mux(packet)
        except av.ArgumentError:
            return False
        route.last = packet.dts if packet.dts is not None else route.last
        return True

    def _put_later(self, route: "_Route", packet) -> bool:
        """A packet no later than the one before it, as damaged files have: it comes one tick after it."""
        if packet.dts is None or route.last is None or packet.dts > route.last:
            return False
        packet.dts = route.last + 1
        packet.pts = max(packet.pts or 0, packet.dts)
        return self._put(route, packet)

    def _say_lost(self) -> None:
        for index, route in self._routes.items():
            if route.lost:
                packets, were = ("packet", "was") if route.lost == 1 else ("packets", "were")
                self._warnings.append(
                    f"{route.lost} damaged {packets} of the {route.target.type} track {index} of "
                    f"{self._reader.path.name} cannot be copied and {were} left out"
                )


class _Route:
    """From a stream of the input to one of the output; `target` is None where it needed no packets."""

    def __init__(self, target, trial=None, converter=None, is_subtitle=False, is_cover=False):
        self.target = target
        self.trial: Trial | None = trial
        self.converter = converter
        self.is_subtitle = is_subtitle
        self.is_cover = is_cover
        self.last: int | None = None  # the decode time of the packet before
        self.lost = 0


def _tells_chapters(container, stream) -> bool:
    """Whether a data track of an MP4 file holds the titles of its chapters."""
    return stream.name == "bin_data" and bool(container.chapters())


def _trial(form: str, stream) -> Trial | None:
    """None where files of the format cannot hold the stream as it is."""
    try:
        return Trial(form, stream)
    except UNFIT:
        return None
