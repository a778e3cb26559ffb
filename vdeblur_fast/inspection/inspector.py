"""A video goes through a network, and of some frames everything that is to be seen comes out."""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ..engine import Deblurrer
from ..reference.networks import VideoNetwork
from ..video import Frame
from .eyes import eye_for
from .figures import Figure, Table
from .watching import Eye, WatchedNetwork


@dataclass(frozen=True)
class Sight:
    """An image, and what it was made of.

    number      of the frame, from 0
    frame       as it came; `after` is what the network made of it
    neighbours  numbers of the frames that helped
    figures     the maps behind it
    extent      (height, width) of what the maps cover: the frame, with what was added below and on the right
    """

    number: int
    frame: Frame
    after: Frame
    neighbours: list[int]
    figures: list[Figure | Table]
    extent: tuple[int, int]


class Inspector:
    """Looks into a network, on frames of `size` (height, width): at frame 0 and every so many further, `show` in all.

    network: of `vdeblur_fast.build`, with its weights. at: (x, y), the pixel whose attention is shown; None chooses.
    options: those of `Deblurrer` but `accelerate`, for a fused network has no maps.
    """

    def __init__(
        self,
        network: VideoNetwork,
        size: tuple[int, int],
        show: int = 5,
        every: int = 1,
        at: tuple[int, int] | None = None,
        **options,
    ):
        self.wanted = range(0, show * every, every)
        eye = eye_for(network, size, at)
        self.sees_nothing = eye is None
        watched = WatchedNetwork(network, eye or Eye(), self.wanted)
        self._deblurrer = Deblurrer(watched, accelerate=False, on_choice=self._remember, **options)
        sides = (max(side, network.minimum) for side in size)
        self._extent = tuple(-(-side // network.multiple) * network.multiple for side in sides)
        self._seen: deque[tuple[int, list[int], list[Figure | Table]]] = deque()
        self._last = -1  # the number of the last image

    @property
    def needed(self) -> int:
        """How many frames it reads of a video that is long enough."""
        return self.wanted[-1] + 1 + self._deblurrer.latency

    def look(self, frames: Iterable[Frame]) -> Iterator[Sight]:
        """What there is to see of the wanted frames, in order; reads no further than it must."""
        waiting: deque[Frame] = deque()
        for frame in frames:
            waiting.append(frame)
            yield from self._sights(waiting, self._deblurrer.push(frame.image))
            if self._last >= self.wanted[-1]:
                return
        yield from self._sights(waiting, self._deblurrer.flush())

    def _remember(self, number: int, neighbours: list[int]) -> None:
        self._seen.append((number, neighbours, self._deblurrer.network.figures))
        self._last = number

    def _sights(self, waiting: deque[Frame], images: Iterable) -> Iterator[Sight]:
        for image in images:
            frame = waiting.popleft()
            number, neighbours, figures = self._seen.popleft()
            if number in self.wanted:
                yield Sight(number, frame, frame.with_image(image), neighbours, figures, self._extent)
