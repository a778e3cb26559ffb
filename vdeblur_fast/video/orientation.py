"""The display matrix of a stream: how a player turns the picture before showing it."""

import struct
from typing import NamedTuple

import av
import numpy as np

ONE = 1 << 16


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
    data = frame.side_data.get(av.sidedata.sidedata.Type.DISPLAYMATRIX)
    if data is None:
        return None
    values = struct.unpack("=9i", bytes(data))
    a, b, _, c, d, *_ = values
    quarter = {abs(v) for v in (a, b, c, d)} <= {0, ONE} and (a == 0) == (d == 0) != (b == 0) == (c == 0)
    return Orientation(values) if quarter and (a, b, c, d) != (ONE, 0, 0, ONE) else None
