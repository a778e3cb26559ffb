"""The U-Nets of DAVID, one by one or many in lockstep."""

from collections.abc import Callable, Sequence
from itertools import groupby

import torch
from torch import nn
from torch.nn.functional import conv2d, interpolate, relu_

from ..modules import UpsampleConcat


class UNet(nn.Module):
    """A U-Net of 3x3 convolutions: (B, inputs, H, W), H and W multiples of 2 ** poolings -> (B, outputs, H, W).

    Two convolutions per level, max pooling down, bilinear interpolation up, the encoder's level concatenated after it,
    and two more convolutions at the end; ReLU after all but the last; no batch norm. `convs[i]` is the paper's
    Conv(i + 1): 20 of them for 4 poolings (the backbone), 12 for 2 (the attention nets).

    width: channels at full resolution; they double with each pooling up to 8 * width, where they stay.
    """

    def __init__(self, inputs: int, outputs: int, width: int, poolings: int):
        super().__init__()
        self.poolings = poolings
        levels = [width * min(2**level, 8) for level in range(poolings + 1)]
        widths = [inputs]
        shapes = []
        for channels in levels:
            shapes += [(widths[-1], channels), (channels, channels)]
            widths.append(channels)
        for channels in reversed(levels[:-1]):
            shapes += [(widths[-1] + channels, channels), (channels, channels)]
            widths.append(channels)
        shapes += [(width, width), (width, outputs)]
        self.convs = nn.ModuleList(nn.Conv2d(before, after, 3, padding=1) for before, after in shapes)
        self.down = nn.MaxPool2d(2)
        self.up = UpsampleConcat()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return _run(x, self.poolings, self.down, self.up, self.layer)

    def layer(self, i: int, x: torch.Tensor) -> torch.Tensor:
        """Conv(i + 1), and the ReLU after all but the last."""
        y = self.convs[i](x)
        return relu_(y) if i < len(self.convs) - 1 else y

    @torch.no_grad()
    def pass_on(self, first: int) -> None:
        """Weights that carry three channels of the input, from `first` on, to the last convolution, and through every
        level: six channels of each layer (or as many as the first has) hold twice what is above 0 of them, and what is
        below."""
        count = min(6, self.convs[0].out_channels)
        for i, conv in enumerate(self.convs[:-1]):
            weight = conv.weight
            weight[:count] = 0
            for channel in range(count):
                if i == 0:
                    weight[channel, first + channel % 3, 1, 1] = 2 if channel < 3 else -2
                else:  # behind what comes up from the level below stand the encoder's channels
                    weight[channel, max(0, weight.shape[1] - len(weight)) + channel, 1, 1] = 1


class Lockstep:
    """Several U-Nets run together: each layer of all of them is one grouped convolution.

    They may differ in their inputs and outputs only, and neighbours with as many inputs read the same ones. What comes
    out is what each gives by itself, to rounding. This wins where a layer of one net is too little work to keep the
    machine busy; it needs the memory of all nets at once, and keeps a joined copy of their weights.
    """

    def __init__(self, nets: Sequence[UNet]):
        self.nets = list(nets)
        self._joined: dict[tuple[int, int, int], tuple[tuple, torch.Tensor, torch.Tensor]] = {}

    def __call__(self, inputs: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        """The input of each net, (B, inputs, H, W) -> the output of each, (B, outputs, H, W)."""
        count, last = len(self.nets), len(self.nets[0].convs) - 1
        first = [self._conv(0, alike, inputs[alike.start], groups=1) for alike in self._alike(0, "in_channels")]

        def up(x: torch.Tensor, skip: torch.Tensor) -> torch.Tensor:
            """Of each net its own channels of both."""
            x = interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
            return torch.cat([y.unflatten(1, (count, -1)) for y in (x, skip)], 2).flatten(1, 2)

        def layer(i: int, x: torch.Tensor) -> torch.Tensor:
            if i == last:
                return x
            return relu_(self._conv(i, range(count), x, groups=count) if i else x)

        net = self.nets[0]
        x = _run(torch.cat(first, 1), net.poolings, net.down, up, layer).unflatten(1, (count, -1))
        outputs = []
        for alike in self._alike(last, "out_channels"):
            part = x[:, alike.start : alike.stop].flatten(1, 2)
            outputs += self._conv(last, alike, part, groups=len(alike)).chunk(len(alike), 1)
        return outputs

    def _alike(self, layer: int, channels: str) -> list[range]:
        """Runs of nets whose convolution has as many channels."""
        counts = groupby(range(len(self.nets)), key=lambda n: getattr(self.nets[n].convs[layer], channels))
        runs = (list(members) for _, members in counts)
        return [range(run[0], run[-1] + 1) for run in runs]

    def _conv(self, layer: int, which: range, x: torch.Tensor, groups: int) -> torch.Tensor:
        weight, bias = self._weights(layer, which)
        return conv2d(x.contiguous(), weight, bias, padding=1, groups=groups)

    def _weights(self, layer: int, which: range) -> tuple[torch.Tensor, torch.Tensor]:
        """The weights and biases of a layer of some nets, joined anew where they are trained or have changed."""
        convs = [self.nets[n].convs[layer] for n in which]
        if torch.is_grad_enabled() or torch.compiler.is_compiling() or convs[0].weight.is_inference():
            return _join(convs)
        mark = tuple((p.data_ptr(), p._version) for conv in convs for p in (conv.weight, conv.bias))
        key = layer, which.start, which.stop
        if key not in self._joined or self._joined[key][0] != mark:
            self._joined[key] = mark, *_join(convs)
        return self._joined[key][1:]


def _join(convs: Sequence[nn.Conv2d]) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.cat([conv.weight for conv in convs]).contiguous(), torch.cat([conv.bias for conv in convs])


def _run(
    x: torch.Tensor,
    poolings: int,
    down: Callable[[torch.Tensor], torch.Tensor],
    up: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
    layer: Callable[[int, torch.Tensor], torch.Tensor],
) -> torch.Tensor:
    """The way of x (B, channels, H, W) through a U-Net, or through many; `down(x)` halves it, `up(x, skip)` doubles it
    and puts the encoder's beside it, and `layer(i, x)` is Conv(i + 1) and the ReLU after it."""
    skips: list[torch.Tensor] = []
    numbers = iter(range(4 * poolings + 4))
    for level in range(poolings + 1):
        x = down(x) if level else x
        for _ in range(2):
            x = layer(next(numbers), x)
        skips.append(x)
    skips.pop()
    while skips:
        x = layer(next(numbers), up(x, skips.pop()))
        x = layer(next(numbers), x)
    x = layer(next(numbers), x)
    return layer(next(numbers), x)
