"""The part of a video between --start and --end."""

from dataclasses import dataclass
from fractions import Fraction

import av

from vdeblur_fast.video.errors import InputError

LONGEST = 1e9  # seconds, 32 years; FFmpeg's time stamps overflow somewhere beyond


@dataclass(frozen=True)
class Span:
    """origin: the time stamp (s) at which the file begins; start, end: seconds after it, None if open."""

    origin: Fraction
    start: Fraction | None = None
    end: Fraction | None = None

    @staticmethod
    def of(container, stream, start: float | None, end: float | None) -> "Span":
        """The span of an opened file. Raises InputError for an impossible one."""
        check_span(start, end)
        if container.start_time is not None:
            origin = Fraction(container.start_time, av.time_base)
        else:
            origin = (stream.start_time or 0) * stream.time_base
        return Span(origin, exact(start) or None, exact(end))

    @property
    def is_all(self) -> bool:
        return self.start is None and self.end is None

    @property
    def begin(self) -> Fraction:
        """The time stamp at which the span begins."""
        return self.origin + (self.start or 0)

    def before(self, time: Fraction) -> bool:
        """Whether a time stamp lies before the span."""
        return self.start is not None and time < self.begin

    def after(self, time: Fraction) -> bool:
        """Whether a time stamp lies after the span."""
        return self.end is not None and time >= self.origin + self.end

    def length(self, seconds: Fraction | None) -> Fraction | None:
        """Seconds of a video of `seconds` that lie in the span."""
        end = self.end if seconds is None else min(seconds, self.end if self.end is not None else seconds)
        return None if end is None else max(Fraction(0), end - (self.start or 0))

    def __str__(self) -> str:
        end = "the end" if self.end is None else f"{float(self.end):g} s"
        return f"{float(self.start or 0):g} s to {end}"


def exact(seconds: float | None) -> Fraction | None:
    """Seconds as typed: 0.1 is one tenth."""
    return None if seconds is None else Fraction(str(seconds))


def check_span(start: float | None, end: float | None) -> None:
    """Raises InputError unless 0 <= start < end, both of a length that a video can have."""
    if start is not None and start < 0:
        raise InputError(f"the start is {start:g} s; it must be 0 or more")
    for name, time in (("start", start), ("end", end)):
        if time is not None and not time <= LONGEST:
            raise InputError(f"the {name} is {time:g} s, more than any video lasts; choose an earlier time")
    if end is not None and end <= (start or 0):
        raise InputError(f"the end ({end:g} s) must lie after the start ({start or 0:g} s)")
