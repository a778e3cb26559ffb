"""A look into a network while it works: what went into some of its modules, and what came out."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import nn

from ..reference.networks import VideoNetwork
from .figures import Figure, Table


class Call(NamedTuple):
    inputs: tuple
    output: Any


@contextmanager
def watching(modules: Sequence[nn.Module]) -> Iterator[dict[nn.Module, Call]]:
    """The last call of each module, filled in as they are called inside."""
    calls: dict[nn.Module, Call] = {}

    def remember(module: nn.Module, inputs: tuple, output: Any) -> None:
        calls[module] = Call(inputs, output)

    handles = [module.register_forward_hook(remember) for module in modules]
    try:
        yield calls
    finally:
        for handle in handles:
            handle.remove()


class Noted(NamedTuple):
    """An entry, and what the eye noted when the frame was encoded."""

    entry: Any
    note: Any


class Eye:
    """What is worth looking at in one kind of network; this one sees nothing."""

    def watched(self, network: VideoNetwork) -> Sequence[nn.Module]:
        """The modules whose calls are needed."""
        return ()

    def note(self, network: VideoNetwork, calls: dict[nn.Module, Call]) -> Any:
        """What is to be kept of a frame that was encoded just now."""
        return None

    def figures(
        self, network: VideoNetwork, calls: dict[nn.Module, Call], window: Sequence[Noted], state: Any
    ) -> list[Figure | Table]:
        """What is to be seen of the image that was decoded just now, of this window, with this state after it."""
        return []


class WatchedNetwork(VideoNetwork):
    """The same network with an eye on it: the same images, and in `figures` what was seen of the last one.

    wanted: the numbers of the images, from 0, of which anything is to be seen.
    """

    capturable = False

    def __init__(self, network: VideoNetwork, eye: Eye, wanted: range):
        super().__init__()
        self.network = network
        self.eye = eye
        self.wanted = wanted
        self.figures: list[Figure | Table] = []
        self._made = 0
        self.multiple, self.minimum = network.multiple, network.minimum
        self.past, self.future = network.past, network.future
        self.fine = network.fine

    def compute_in(self, dtype, memory_format=torch.preserve_format):
        self.network.compute_in(dtype, memory_format)
        return self

    def limit(self, frames=None, lookahead=None):
        self.network.limit(frames, lookahead)
        self.past, self.future = self.network.past, self.network.future

    def encode(self, frame: torch.Tensor, state=None):
        with watching(self.eye.watched(self.network)) as calls:
            entry, state = self.network.encode(frame, state)
        return Noted(entry, self.eye.note(self.network, calls)), state

    def decode(self, window: Sequence[Noted], state=None):
        with watching(self.eye.watched(self.network)) as calls:
            image, state = self.network.decode([noted.entry for noted in window], state)
        wanted = self._made in self.wanted
        self.figures = self.eye.figures(self.network, calls, window, state) if wanted else []
        self._made += 1
        return image, state

    def retire(self, noted: Noted):
        return noted._replace(entry=self.network.retire(noted.entry))

    def chosen(self, state):
        return self.network.chosen(state)
