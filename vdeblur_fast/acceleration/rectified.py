"""Convolutions that do the ReLU after them, and the addition before it, in one pass over their results.

oneDNN's, by PyTorch's own operators for its compiler, so that nothing is rounded or computed otherwise.
"""

from itertools import pairwise

import torch
from torch import nn

from ..device import cpu_is_fast_at
from ..reference.modules import StridedConv2d
from ..reference.networks.strcnn import STRCNN, ResidualBlock
from ..reference.networks.unet import UNet
from .folding import FoldedAway, FoldedConv2d


def asks_for_gradients(*given: torch.Tensor) -> bool:
    """Whether a result must remember how it came about: PyTorch has no gradients for those operators."""
    return torch.is_grad_enabled() and any(x.requires_grad for x in given)


class RectifiedConv2d(nn.Conv2d):
    """`torch.nn.Conv2d`, then ReLU.

    Equivalent to:
        torch.relu(torch.nn.functional.conv2d(x, weight, bias, stride, padding, dilation, groups))
    """

    def _conv_forward(self, input: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
        if asks_for_gradients(input):
            return super()._conv_forward(input, weight, bias).relu()
        where = self.padding, self.stride, self.dilation, self.groups
        return torch.ops.mkldnn._convolution_pointwise(input, weight, bias, *where, "relu", [], "")


class RectifiedFoldedConv2d(FoldedConv2d, RectifiedConv2d):
    """... that has a batch norm in between."""


class RectifiedStridedConv2d(StridedConv2d, RectifiedConv2d):
    """... with a stride."""


class RectifiedConvTranspose2d(nn.ConvTranspose2d):
    """`torch.nn.ConvTranspose2d`, then ReLU.

    Equivalent to:
        y = torch.nn.functional.conv_transpose2d(x, weight, bias, stride, padding, output_padding, groups, dilation)
        torch.relu(y)
    """

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        if asks_for_gradients(input):
            return super().forward(input).relu()
        where = self.padding, self.output_padding, self.stride, self.dilation, self.groups
        return torch.ops.mkldnn._convolution_transpose_pointwise(input, self.weight, self.bias, *where, "relu", [], "")


class AddedFoldedConv2d(FoldedConv2d):
    """The last convolution of a residual block: adds what the block is given, and rectifies the sum."""

    def added(self, x: torch.Tensor, other: torch.Tensor, overwrite: bool = False) -> torch.Tensor:
        if asks_for_gradients(x, other):
            return (self(x) + other).relu()
        where = self.padding, self.stride, self.dilation, self.groups
        weights, ends = (self.folded_weight, self.folded_bias), ("add", 1.0, "relu", [], "")
        if overwrite:
            return torch.ops.mkldnn._convolution_pointwise_.binary(other, x, *weights, *where, *ends)
        return torch.ops.mkldnn._convolution_pointwise.binary(x, other, *weights, *where, *ends)


class FusedResidualBlock(ResidualBlock):
    """STRCNN's, whose batch norms are folded. `overwrites`: the sum takes the place of x, which is nobody else's.

    Equivalent to:
        torch.relu(x + body(x))
    """

    overwrites: bool = False

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        first, _, _, last, _ = self.body
        return last.added(first(x), x, self.overwrites)


class RectifiedUNet(UNet):
    """DAVID's, whose convolutions do the ReLU themselves."""

    def layer(self, i: int, x: torch.Tensor) -> torch.Tensor:
        return self.convs[i](x)


class RectifiedSTRCNN(STRCNN):
    """STRCNN, the last of whose convolutions does the ReLU itself."""

    def hand_on(self, y: torch.Tensor) -> torch.Tensor:
        return self.pass_on(y)


class RectifiedAway(nn.ReLU):
    """A ReLU that the convolution before it does: gives back what it is given."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x


RECTIFIED = {
    nn.Conv2d: RectifiedConv2d,
    FoldedConv2d: RectifiedFoldedConv2d,
    StridedConv2d: RectifiedStridedConv2d,
    nn.ConvTranspose2d: RectifiedConvTranspose2d,
}


def rectify(network: nn.Module, dtype: torch.dtype) -> int:
    """Makes every convolution of `network` that a ReLU follows in an `nn.Sequential` or a U-Net do it, in place, and
    the last of each residual block its sum -> how many. None where oneDNN does not compute in this type here.

    The network must be on the CPU and its batch norms folded; what it gives stays the same.
    """
    native = torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_convolution_pointwise")
    if not native or not (dtype == torch.float32 or (dtype == torch.bfloat16 and cpu_is_fast_at("bf16"))):
        return 0
    count = 0
    for module in network.modules():
        if isinstance(module, nn.Sequential):
            count += _in_chain([child for child in module if not isinstance(child, FoldedAway)])
        elif type(module) is ResidualBlock and type(module.body[3]) is FoldedConv2d:
            module.__class__, module.body[3].__class__ = FusedResidualBlock, AddedFoldedConv2d
            count += 1
        elif type(module) is STRCNN and type(module.pass_on) is nn.Conv2d:
            module.__class__, module.pass_on.__class__ = RectifiedSTRCNN, RectifiedConv2d
            count += 1
        elif type(module) is UNet and all(type(conv) is nn.Conv2d for conv in module.convs):
            module.__class__ = RectifiedUNet
            for conv in module.convs[:-1]:
                conv.__class__ = RectifiedConv2d
            count += len(module.convs) - 1
    for module in network.modules():
        if isinstance(module, nn.Sequential):
            for before, after in pairwise(module):
                if type(before) is type(after) is FusedResidualBlock and before is not after:
                    after.overwrites = True
    return count


def _in_chain(modules: list[nn.Module]) -> int:
    count = 0
    for conv, relu in pairwise(modules):
        rectified = RECTIFIED.get(type(conv))
        if rectified and type(relu) is nn.ReLU and conv.padding_mode == "zeros" and not isinstance(conv.padding, str):
            conv.__class__, relu.__class__ = rectified, RectifiedAway
            count += 1
    return count
