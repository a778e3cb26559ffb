"""Frames computed in tiles, with the result of the whole frame.

A tile is computed with `halo` pixels around it (less where the frame ends) and only its core is kept. Tiles begin on
multiples of what the network halves, so that every layer sees the pixels where it would see them in the whole frame.
What a network remembers, and what GSTA-Net sums over a frame, is that of the whole frame: so nothing grows with time,
and no seam is left.

Not possible, in this way: MMP-RNN, for MMP-Net's interpolation aligns the corners of the frame, so that every pixel's
value depends on the frame's size; ESTRNN, whose attention averages over the whole frame; GSTA-Net's Net5, whose
non-local block works on a grid over the whole frame.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from ..modules import FrameSummary
from .gsta_net import Choice, Entry, GSTANet
from .video_network import VideoNetwork


@dataclass(frozen=True)
class Box:
    """A part of a frame, in its pixels."""

    top: int
    bottom: int
    left: int
    right: int

    def of(self, x: torch.Tensor, scale: int) -> torch.Tensor:
        """This part of x, which has 1 / scale of the frame's resolution."""
        rows, columns = (self.top // scale, self.bottom // scale), (self.left // scale, self.right // scale)
        return x[..., slice(*rows), slice(*columns)]

    def within(self, outer: "Box") -> "Box":
        """This part, in the pixels of another."""
        y, x = outer.top, outer.left
        return Box(self.top - y, self.bottom - y, self.left - x, self.right - x)


@dataclass(frozen=True)
class Tiles:
    """Tiles of `side` pixels, which begin on multiples of `align`."""

    side: int
    halo: int
    align: int

    def cover(self, height: int, width: int) -> Iterator[tuple[Box, Box]]:
        """Each tile's core, and the part that it is computed from."""
        side = -(-self.side // self.align) * self.align
        halo = -(-self.halo // self.align) * self.align
        for top in range(0, height, side):
            for left in range(0, width, side):
                core = Box(top, min(top + side, height), left, min(left + side, width))
                outer = Box(
                    max(core.top - halo, 0),
                    min(core.bottom + halo, height),
                    max(core.left - halo, 0),
                    min(core.right + halo, width),
                )
                yield core, outer

    def map(self, step: Callable[..., Any], size: tuple[int, int], *inputs: Any) -> Any:
        """What step(*inputs) gives, tile by tile.

        size: height and width of the frame. inputs and results: tensors of the frame's size or an integer part of it,
        in any nesting of tuples and lists; everything else is passed on as it is.
        """
        whole = None
        for core, outer in self.cover(*size):
            found = step(
                *(_each(value, lambda x, outer=outer: outer.of(x, size[0] // x.shape[-2])) for value in inputs)
            )
            extent = outer.bottom - outer.top
            if whole is None:
                whole = _each(found, lambda x, extent=extent: _canvas(x, size, extent // x.shape[-2]))
            for canvas, part in zip(_tensors(whole), _tensors(found), strict=True):
                scale = extent // part.shape[-2]
                core.of(canvas, scale).copy_(core.within(outer).of(part, scale))
        return whole


class TiledNetwork(VideoNetwork):
    """A network whose frames are computed in tiles; everything else is the network's own."""

    def __init__(self, network: VideoNetwork, tile: int):
        super().__init__()
        self.network = network
        self.tiles = Tiles(tile, network.halo, network.multiple)
        self.past, self.future = network.past, network.future
        self.multiple, self.minimum = network.multiple, network.minimum
        self.fine = network.fine
        self.capturable = False

    def compute_in(self, dtype, memory_format=torch.preserve_format):
        self.network.compute_in(dtype, memory_format)
        return self

    def encode(self, frame, state=None):
        return self.tiles.map(self.network.encode, tuple(frame.shape[-2:]), frame, state)

    def decode(self, window: Sequence[Any], state=None):
        frame = next(_tensors(window[self.past]))
        return self.tiles.map(self.network.decode, tuple(frame.shape[-2:]), list(window), state)

    def retire(self, entry):
        return self.network.retire(entry)

    def chosen(self, state):
        return self.network.chosen(state)

    def limit(self, frames=None, lookahead=None):
        self.network.limit(frames, lookahead)
        self.past, self.future = self.network.past, self.network.future


class TiledGSTANet(TiledNetwork):
    """GSTA-Net in tiles: stage by stage, for each attention needs the summary of the whole frame before any tile can go
    on. Summaries of tiles merge into it exactly (`FrameSummary.merge`)."""

    def encode(self, frame, state=None):
        net, index = self.network, state or 0
        size = tuple(frame.shape[-2:])
        skip, features = self.tiles.map(net.lower_levels, size, frame)
        deep = self.tiles.map(lambda x: net.encoder3(net.down2(x)), size, features)
        levels = zip(net.fusions, (features, deep, features), strict=True)
        summaries = tuple(self._summary(fuse, x, size) for fuse, x in levels)
        return net.entry(index, summaries, frame, skip, features, deep), index + 1

    def decode(self, window: Sequence[Entry], state=None) -> tuple[torch.Tensor, Choice]:
        net, centre = self.network, window[self.past]
        size = tuple(centre.frame.shape[-2:])
        neighbours, choice = net.choose(window)
        at2, at3, at_skip = ([entry.summaries[place] for entry in neighbours] for place in range(3))
        picks = None if choice.picks is None else choice.picks.tolist()

        x2 = self._fused(net.fuse2, centre.features, size, at2, picks, centre.summaries[0])
        x = self.tiles.map(lambda y: net.encoder3(net.down2(y)), size, x2)
        x = self._fused(net.fuse3, x, size, at3, picks)
        x = self.tiles.map(lambda y: net.up2(net.decoder3(y)), size, x)
        x = self._fused(net.fuse_skip, x, size, at_skip, picks)
        return self.tiles.map(net.upper_levels, size, x, x2, centre.skip) + centre.frame, choice

    def _fused(self, fuse, x, size, neighbours, picks, own=None):
        own = self._summary(fuse, x, size) if own is None else own
        if isinstance(own, torch.Tensor):  # Net1: features, which are cut like x
            return self.tiles.map(lambda y, others: fuse(y, others), size, x, neighbours)
        return self.tiles.map(lambda y: fuse(y, neighbours, picks, own), size, x)

    def _summary(self, fuse, x: torch.Tensor, size: tuple[int, int]) -> FrameSummary | torch.Tensor:
        """Of the whole frame, from those of its tiles."""
        if self.network.fusion == "none":
            return fuse.summarise(x)
        scale, parts = size[0] // x.shape[-2], []
        for core, outer in self.tiles.cover(*size):
            prepared = fuse.prepare(outer.of(x, scale))
            parts.append(fuse.squeeze(core.within(outer).of(prepared, scale)))
        return FrameSummary.merge(parts)


def tiled(network: VideoNetwork, tile: int) -> VideoNetwork:
    """A network that gives the same as `network`, of which it makes use, but computes frames in tiles of `tile` pixels.

    What it remembers of the frames, and the features of frames that wait for their neighbours, are whole; what it needs
    while it computes is that of a tile and its halo.

    Raises ValueError where the network cannot be computed in tiles, and for a tile smaller than 1.
    """
    if tile < 1:
        raise ValueError(f"tile must be at least 1 pixel, got {tile}")
    if network.halo is None:
        raise ValueError(
            f"tile={tile} cannot be had: {type(network).__name__} cannot be computed in tiles, for {network.untiled}; "
            "leave it out, and use smaller frames or a machine with more memory"
        )
    return (TiledGSTANet if isinstance(network, GSTANet) else TiledNetwork)(network, tile)


def _each(value: Any, function: Callable[[torch.Tensor], torch.Tensor]) -> Any:
    if isinstance(value, torch.Tensor):
        return function(value)
    if isinstance(value, (tuple, list)):
        parts = [_each(part, function) for part in value]
        return type(value)(*parts) if hasattr(value, "_fields") else type(value)(parts)
    return value


def _tensors(value: Any) -> Iterator[torch.Tensor]:
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, (tuple, list)):
        for part in value:
            yield from _tensors(part)


def _canvas(x: torch.Tensor, size: tuple[int, int], scale: int) -> torch.Tensor:
    return x.new_empty(*x.shape[:-2], size[0] // scale, size[1] // scale)
