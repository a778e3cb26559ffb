"""The frames that decode, and the count of what does not."""

from collections import deque
from collections.abc import Iterator
from fractions import Fraction

import av

WITHOUT_TIMES = ("avi", "h264", "hevc", "m4v", "mpegvideo")  # formats that store the order of frames only


class Tally:
    """What happened while decoding."""

    def __init__(self):
        self.frames = self.errors = self.broken = self.gaps = self.discarded = self.untimed = self.resized = 0
        self.timeless = False
        self.end: Fraction | None = None
        self.others_end = Fraction(0)  # how far sound and the like reach

    def sentences(self, name: str, expected: int) -> list[str]:
        """What was wrong with the file `name`, of which about `expected` frames were to come."""
        found = []
        if expected > self.frames:
            found.append(f"{name} is damaged: {self.frames} of about {expected} frames could be decoded")
        if self.broken:
            found.append(f"{name} is damaged: {self.broken} of its frames are incomplete and shown as they came")
        if self.untimed:
            found.append(f"{name} has {self.untimed} frames without a time of their own; they got the next one")
        if self.resized:
            found.append(f"{name} changes its size: {self.resized} of its frames were scaled to that of the first")
        return found


def decode(container, stream, tally: Tally) -> Iterator[av.VideoFrame]:
    """The frames that decode; what does not is counted.

    Slices, not frames, are decoded side by side: a decoder working on several frames at once loses good ones
    when a bad one comes among them. Where the format stores no times of presentation, the frames, which come
    in the order in which they are shown, take the times at which the packets are decoded, in their order.
    """
    stream.thread_type = "SLICE"
    packets = container.demux()
    tally.timeless = container.format.name in WITHOUT_TIMES
    times = deque() if tally.timeless else None
    while True:
        try:
            packet = next(packets, None)
        except (av.FFmpegError, OSError):
            tally.errors += 1
            return
        if packet is None:
            return
        if packet.stream.index != stream.index:
            if packet.pts is not None:
                tally.others_end = max(tally.others_end, (packet.pts + (packet.duration or 0)) * packet.time_base)
            continue
        tally.discarded += packet.is_discard
        tally.gaps += packet.is_corrupt  # after a part of the file that could not be understood
        if times is not None and packet.dts is not None:
            times.append(packet.dts)
        try:
            frames = stream.codec_context.decode(packet if packet.size else None)
        except EOFError:
            continue
        except av.FFmpegError:
            tally.errors += 1
            if times:
                times.pop()
            continue
        for frame in frames:
            tally.broken += frame.is_corrupt
            if times is not None:
                frame.pts = times.popleft() if times else None
            yield frame
