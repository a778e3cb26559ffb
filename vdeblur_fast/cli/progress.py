"""How far it is: a bar on a terminal, now and then a line in a log, nothing where quiet was asked for."""

import sys
import time

EVERY = 30  # seconds between lines where stderr is no terminal
BAR = "{desc}{percentage:3.0f}% |{bar}| {n_fmt}/{total_fmt} frames, {rate_noinv_fmt}, {remaining} left"
NO_TOTAL = "{desc}{n_fmt} frames, {rate_noinv_fmt}, {elapsed} so far"


class Progress:
    """Counts frames on stderr, with frames per second and the time left.

    total: frames to come, where known. label: what stands before the numbers. As a context it leaves the line
    clean, whatever happens.
    """

    def __init__(self, total: int | None = None, quiet: bool = False, label: str = ""):
        from tqdm import tqdm

        self.total, self.done, self.began = total, 0, time.monotonic()
        self._label = f"{label}: " if label else ""
        self._spoke = self.began
        hidden = quiet or not sys.stderr.isatty()
        self._bar = tqdm(
            total=total,
            desc=self._label,
            unit=" frames",
            bar_format=BAR if total else NO_TOTAL,
            disable=hidden,
            file=sys.stderr,
            leave=False,
            dynamic_ncols=True,
        )
        self._lines = hidden and not quiet

    def advance(self, frames: int = 1) -> None:
        self.done += frames
        self._bar.update(frames)
        if self._lines and time.monotonic() - self._spoke >= EVERY:
            self._spoke = time.monotonic()
            print(f"vdeblur: {self._label}{self._line()}", file=sys.stderr)

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.began

    @property
    def rate(self) -> float:
        """Frames per second so far."""
        return self.done / max(self.seconds, 1e-9)

    def _line(self) -> str:
        if not self.total or self.done > self.total:
            return f"{self.done} frames, {self.rate:.2f} frames/s"
        left = (self.total - self.done) / self.rate
        return f"{self.done} of {self.total} frames, {self.rate:.2f} frames/s, {left:.0f} s left"

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *_) -> None:
        self._bar.close()
