"""Convolutions that do the ReLU after them, and the addition before it, in one pass over their results.

oneDNN's, by PyTorch's own operators for its compiler, so that nothing is rounded or computed otherwise.
"""

from collections.abc import Iterable

import torch
from torch import nn
from torch.autograd import forward_ad

from ..device import cpu_is_fast_at
from ..reference.modules import StridedConv2d
from ..reference.networks.strcnn import STRCNN, ResidualBlock
from ..reference.networks.unet import UNet
from .chains import chains, fuse_pairs, is_hooked, set_layers, twin
from .folding import FoldedConv2d
from .outside import layers_of, outside_of_blocks


def takes(dtype: torch.dtype) -> bool:
    """Whether oneDNN convolves in this type here, fast or not: bfloat16 it refuses where the CPU has no AVX-512."""
    return dtype == torch.float32 or (dtype == torch.bfloat16 and torch.ops.mkldnn._is_mkldnn_bf16_supported())


def can_fuse(*given: torch.Tensor, bias: torch.Tensor | None) -> bool:
    """Whether those operators take it: batches, weights and bias of one of these types, of which nothing must remember
    how it came about, for PyTorch has no gradients for them, and no tangents; all of it on the CPU."""
    everything = given if bias is None else (*given, bias)
    dtype = given[0].dtype
    if not given[0].is_cpu or not takes(dtype):
        return False
    if any(x.dim() != 4 for x in given) or any(x.dtype != dtype for x in everything):
        return False
    asked = torch.is_grad_enabled() and any(x.requires_grad for x in everything)
    return not asked and forward_ad._current_level < 0


class RectifiedConv2d(nn.Conv2d):
    """`torch.nn.Conv2d`, then ReLU.

    Equivalent to:
        torch.relu(torch.nn.functional.conv2d(x, weight, bias, stride, padding, dilation, groups))
    """

    def _conv_forward(self, input: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
        if not can_fuse(input, weight, bias=bias):
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
        # To a compiler, which does the ReLU itself, PyTorch says that as many channels come out of it as go in.
        if torch.compiler.is_compiling() or not can_fuse(input, self.weight, bias=self.bias):
            return super().forward(input).relu()
        where = self.padding, self.output_padding, self.stride, self.dilation, self.groups
        return torch.ops.mkldnn._convolution_transpose_pointwise(input, self.weight, self.bias, *where, "relu", [], "")


class AddedFoldedConv2d(FoldedConv2d):
    """The last convolution of a residual block: adds what the block is given, and rectifies the sum."""

    def added(self, x: torch.Tensor, other: torch.Tensor, overwrite: bool = False) -> torch.Tensor:
        # PyTorch does the sum itself where oneDNN does not like the memory order, and then not in bfloat16.
        reordered = x.dtype == torch.bfloat16 and not x.is_contiguous(memory_format=torch.channels_last)
        if reordered or not can_fuse(x, other, self.folded_weight, bias=self.folded_bias):
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
        layers = layers_of(self.body)
        if len(layers) != 2:  # somebody gave it others
            return super().forward(x)
        return layers[1].added(layers[0](x), x, self.overwrites)


class RectifiedUNet(UNet):
    """DAVID's, whose convolutions do the ReLU themselves."""

    def layer(self, i: int, x: torch.Tensor) -> torch.Tensor:
        return self.convs[i](x)


class RectifiedSTRCNN(STRCNN):
    """STRCNN, the last of whose convolutions does the ReLU itself."""

    def hand_on(self, y: torch.Tensor) -> torch.Tensor:
        return self.pass_on(y)


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
    count = len(fuse_pairs(network, _rectified))
    for module in outside_of_blocks(network):
        if type(module) is ResidualBlock and kinds_of_layers(module) == [RectifiedFoldedConv2d, FoldedConv2d]:
            module.__class__, layers_of(module.body)[1].__class__ = FusedResidualBlock, AddedFoldedConv2d
            count += 1
        elif type(module) is STRCNN and _plain([module.pass_on]):
            module.__class__, module.pass_on.__class__ = RectifiedSTRCNN, RectifiedConv2d
            count += 1
        elif type(module) is UNet and _plain(module.convs):
            module.__class__ = RectifiedUNet
            for conv in module.convs[:-1]:
                conv.__class__ = RectifiedConv2d
            count += len(module.convs) - 1
    for chain in chains(network):
        _overwrite(chain)
    return count


def _plain(convs: Iterable[nn.Module | None]) -> bool:
    return all(type(conv) is nn.Conv2d and not is_hooked(conv) for conv in convs)


def _rectified(conv: nn.Module, relu: nn.Module) -> type[nn.Module] | None:
    plain = type(relu) is nn.ReLU and type(conv) in RECTIFIED and conv.padding_mode == "zeros"
    return RECTIFIED[type(conv)] if plain and not isinstance(conv.padding, str) else None


def kinds_of_layers(block: ResidualBlock) -> list[type[nn.Module]]:
    """Of what the body calls, unless somebody looks at that."""
    return [] if is_hooked(block.body, *layers_of(block.body)) else [type(layer) for layer in layers_of(block.body)]


def _overwrite(chain: nn.Sequential) -> None:
    """Has the chain's blocks put their sum in the place of what they are given, where that is another block's."""
    layers = list(layers_of(chain))
    for i in range(1, len(layers)):
        fused = isinstance(layers[i - 1], FusedResidualBlock) and isinstance(layers[i], FusedResidualBlock)
        if fused and not is_hooked(layers[i - 1], layers[i]):
            layers[i] = twin(layers[i], FusedResidualBlock)
            layers[i].overwrites = True
    if layers != list(layers_of(chain)):
        set_layers(chain, layers)
