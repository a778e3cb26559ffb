"""The display matrix of a stream: how a player turns the picture before showing it."""

import struct
from typing import NamedTuple

import av
import numpy as np

ONE = 1 << 16
UPRIGHT = (ONE, 0, 0, 0, ONE)


class Orientation(NamedTuple):
    """A display matrix that turns by quarters and mirrors; `values` are its nine numbers as in the file.

    (x, y) of the coded picture is shown at (a x + c y, b x + d y), where a, b, c, d are -1, 0 or 1 (ISO/IEC
    14496-12, 8.3.2.3, as FFmpeg stores it: three rows of 16.16, 16.16, 2.30).
    """

    values: tuple[int, ...]

    @property
    def swaps(self) -> bool:
        """Whether width and height change places."""
        return self.values[0] == 0

    def apply(self, image: np.ndarray) -> np.ndarray:
        """The picture (H, W, ...) as it is shown, contiguous."""
        a, b, _, c, d, *_ = self.values
        if self.swaps:
            image = image.swapaxes(0, 1)
            across, down = c, b
        else:
            across, down = a, d
        if across < 0:
            image = image[:, ::-1]
        if down < 0:
            image = image[::-1]
        return np.ascontiguousarray(image)


def orientation_of(frame: av.VideoFrame) -> Orientation | None:
    """The display matrix of a decoded frame; None where there is none, or none that turns by quarters."""
    values = _matrix(frame)
    return Orientation(values) if values and _turns_by_quarters(values) and values[:5] != UPRIGHT else None


def is_tilted(frame: av.VideoFrame) -> bool:
    """Whether a decoded frame has a display matrix that does not turn by quarters."""
    values = _matrix(frame)
    return values is not None and not _turns_by_quarters(values)


def _matrix(frame: av.VideoFrame) -> tuple[int, ...] | None:
    data = frame.side_data.get(av.sidedata.sidedata.Type.DISPLAYMATRIX)
    return None if data is None else struct.unpack("=9i", bytes(data))


def _turns_by_quarters(values: tuple[int, ...]) -> bool:
    a, b, _, c, d, *_ = values
    return {abs(v) for v in (a, b, c, d)} <= {0, ONE} and (a == 0) == (d == 0) != (b == 0) == (c == 0)
