"""ESTRNN's attention and the transposed convolution after it, as one convolution.

Between the features of the window and that convolution's result nothing but the gates is not linear, and the gates
depend on means alone. So the weights of the one convolution that does all of it are made anew for each frame, from two
small matrix products, and the features go through one convolution instead of fourteen.
"""

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn.functional import conv_transpose2d, pad

from ..reference.modules import GlobalSpatioTemporalAttention, JoiningConv2d
from ..reference.networks.estrnn import ESTRNN
from .chains import is_hooked


class DoneLater(JoiningConv2d):
    """The last convolution of an attention that is done by the one after it: has weights, and is never called."""


class OneConvESTRNN(ESTRNN):
    """`ESTRNN` whose attention is part of the convolution after it.

    Keeps its weights, so that the state_dict stays; what it computes with is made of them, and again whenever a
    state_dict is loaded.
    """

    def decode(self, window: Sequence[torch.Tensor], state: None = None) -> tuple[torch.Tensor, None]:
        _, *rest = self.reconstruct
        x = self._attend(window)
        for module in rest:
            x = module(x)
        return self._image(x), state

    def _attend(self, window: Sequence[torch.Tensor]) -> torch.Tensor:
        up, x = self.reconstruct[0], window[self.past]
        if x.shape[0] == 0:  # no clips: there is nothing to attend to, but a shape to give
            return up(torch.cat([*window], 1))
        # One more channel is 1, for what the biases come to; where the frame ends, they come to less. Another is 0, for
        # a single channel has no memory order that the concatenation could keep.
        constant = torch.zeros_like(x[:, :2])
        constant[:, 0] = 1
        pictures = torch.cat([*window, constant], 1)
        means = _means(pictures)[:, :-2].unflatten(1, (len(window), -1))
        weights = self._weights(means).to(x.dtype)
        results = [
            conv_transpose2d(picture, weight, up.bias, up.stride, up.padding, up.output_padding)
            for picture, weight in zip(pictures.split(1), weights, strict=True)
        ]
        return torch.cat(results) if len(results) > 1 else results[0]

    def _weights(self, means: torch.Tensor) -> torch.Tensor:
        """Of the one convolution for each clip: (B, frames, channels) -> (B, frames * channels + 2, outputs, 3, 3), in
        float32."""
        channels = means.shape[2]
        before, centre, after = means.split([self.past, 1, self.future], 1)
        others = torch.cat([before, after], 1)
        pairs = torch.cat([centre.expand_as(others), others], 2)
        gates = self.attention.weigh(pairs)
        dtype = torch.promote_types(gates.dtype, torch.float32)  # the tables', unless somebody converted the network
        before, after, fixed = (table.to(dtype) for table in (self.before, self.after, self.fixed))
        parts = before @ (gates.to(dtype)[..., None] * after)  # (B, neighbours, 2 channels + 1, outputs * 9)
        own, other, bias = parts.split([channels, channels, 1], 2)
        fixed = torch.cat([own, bias], 2).sum(1) + fixed
        rows = list(other.unbind(1))
        rows.insert(self.past, fixed[:, :channels])
        rows = torch.cat([*rows, pad(fixed[:, channels:], (0, 0, 0, 1))], 1)
        return rows.unflatten(2, self.reconstruct[0].weight.shape[1:])


def _means(x: torch.Tensor) -> torch.Tensor:
    """(B, C, H, W) -> (B, C), the means over the frame.

    In bfloat16 PyTorch's own take a CPU three times as long as the sums of the rows by a product of matrices.
    """
    if x.device.type != "cpu" or x.dtype != torch.bfloat16:
        return x.mean((2, 3))
    rows = x.new_ones(1, x.shape[3]) @ x.permute(0, 2, 3, 1)
    return (rows.sum((1, 2), dtype=torch.float32) / (x.shape[2] * x.shape[3])).to(x.dtype)


def attend_in_one_convolution(network: nn.Module) -> int:
    """Makes every ESTRNN in `network` do its attention in the convolution after it, in place -> how many there are.
    None whose attention has hooks, or a forward of its own.

    After the network got its dtype: what it computes with stays in float32. What the network gives stays the same, to
    rounding.
    """
    found = [module for module in network.modules() if type(module) is ESTRNN and not _is_watched(module)]
    for module in found:
        module.__class__, module.attention.fuse.__class__ = OneConvESTRNN, DoneLater
        _prepare(module)
        module.register_load_state_dict_post_hook(_prepare)
    return len(found)


def _is_watched(network: ESTRNN) -> bool:
    up = network.reconstruct[0]
    return is_hooked(*network.attention.modules(), network.reconstruct, up)


@torch.no_grad()
def _prepare(network: OneConvESTRNN, *_: object) -> None:
    """What does not depend on the gates, in float64 until it is rounded once.

    With P the two pointwise convolutions, C `condense`, F_i and F_c the parts of `fuse` for neighbour i and for the
    centre, T the transposed convolution and g_i the gates, all as matrices:
        before = P and its bias, after[i] = T F_i C, fixed = T F_c and T of the other biases
    """
    attention: GlobalSpatioTemporalAttention = network.attention
    first, second, condense, fuse = (
        (conv.weight.double().flatten(1), conv.bias.double())
        for conv in (*attention.pointwise, attention.condense, attention.fuse)
    )
    up = network.reconstruct[0].weight.double().flatten(1)  # (inputs, outputs * 9)
    *neighbours, centre = fuse[0].split(condense[0].shape[0], 1)
    bias = fuse[1] + sum(part @ condense[1] for part in neighbours)
    tables = {
        "before": torch.cat([(second[0] @ first[0]).t(), (second[0] @ first[1] + second[1])[None]]),
        "after": torch.stack([(part @ condense[0]).t() @ up for part in neighbours]),
        "fixed": torch.cat([centre.t() @ up, bias[None] @ up]),
    }
    for name, table in tables.items():
        network.register_buffer(name, table.float(), persistent=False)
