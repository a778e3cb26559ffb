"""Convolutions of 3x3 and 5x5 by Winograd's method: on the fused operator, with activation and sum after them."""

from functools import partial

import torch
from torch import nn

from .. import ops
from .folding import FoldedConv2d
from .fused_conv import FusedConv2d, FusedFoldedConv2d
from .outside import outside_of_blocks
from .rectified import (
    AddedFoldedConv2d,
    RectifiedConv2d,
    RectifiedConvTranspose2d,
    RectifiedFoldedConv2d,
)

ENOUGH = 12  # input channels from which on it wins, whatever the outputs
# Channels in and out, by kernel, from which on it wins in bfloat16, where what it saves takes half the time,
ENOUGH_IN_BF16 = {3: 48, 5: 16}
# and pairs of channels up to which it does: the transformed weights are fourteen times as large.
MOST_IN_BF16 = 128 * 128


class WinogradConvTranspose2d(nn.ConvTranspose2d):
    """`torch.nn.ConvTranspose2d` in steps of two, then the activation: a pixel is the middle of four results, each of
    which sees some of the 3x3 pixels around it.

    Keeps its own `weight` and `bias`, so that the state_dict stays; what it computes with is made of them, and again
    whenever a state_dict is loaded.
    """

    activation: str

    def forward(self, input: torch.Tensor, output_size: list[int] | None = None) -> torch.Tensor:
        if input.dim() != 4 or output_size is not None:
            y = super().forward(input, output_size)
            return y.relu_() if self.activation == "relu" else y
        return ops.convolution([input], self.phase_weight, self.phase_bias, upscale=2, activation=self.activation)


FILTERED = {
    nn.Conv2d: (FusedConv2d, "none"),
    FoldedConv2d: (FusedFoldedConv2d, "none"),
    RectifiedConv2d: (FusedConv2d, "relu"),
    RectifiedFoldedConv2d: (FusedFoldedConv2d, "relu"),
    AddedFoldedConv2d: (FusedFoldedConv2d, "relu"),
    nn.ConvTranspose2d: (WinogradConvTranspose2d, "none"),
    RectifiedConvTranspose2d: (WinogradConvTranspose2d, "relu"),
}


def filter_by_winograd(network: nn.Module, dtype: torch.dtype) -> int:
    """Makes every convolution of `network` for which that is faster in this type compute by Winograd's method, in place
    -> how many.

    After everything else that changes convolutions. What the network gives stays the same, to rounding. Where their
    weights are not contiguous they are copied at each call.
    """
    found = [module for module in outside_of_blocks(network) if type(module) in FILTERED and _worth_it(module)]
    if dtype == torch.bfloat16:
        found = [module for module in found if _worth_it_in_bf16(module)]
    for module in found:
        kind, activation = FILTERED[type(module)]
        module.__class__, module.activation = kind, activation
        if kind is WinogradConvTranspose2d:
            _prepare(module)
            module.register_load_state_dict_post_hook(partial(_prepare, module))
    return len(found)


def _worth_it(module: nn.Conv2d | nn.ConvTranspose2d) -> bool:
    plain = module.padding_mode == "zeros" and not isinstance(module.padding, str)
    if not plain or module.groups != 1 or module.dilation != (1, 1):
        return False
    (kernel, columns), (padding, _) = module.kernel_size, module.padding
    if kernel != columns or module.padding != (padding, padding):
        return False
    enough = module.in_channels >= ENOUGH or (kernel == 5 and 2 * module.in_channels >= ENOUGH <= module.out_channels)
    if isinstance(module, nn.ConvTranspose2d):
        doubles = module.stride == (2, 2) and all(kernel + more - 2 * padding == 2 for more in module.output_padding)
        few_zeros = kernel >= 4  # a pixel's four results have nine taps each, of which a smaller kernel fills a quarter
        return enough and few_zeros and doubles and padding <= 2 and kernel <= padding + 4
    return enough and module.stride == (1, 1) and kernel in (3, 5) and padding == kernel // 2


def _worth_it_in_bf16(module: nn.Conv2d | nn.ConvTranspose2d) -> bool:
    if isinstance(module, nn.ConvTranspose2d):  # of which oneDNN wastes nothing
        return False
    enough = min(module.in_channels, module.out_channels) >= ENOUGH_IN_BF16[module.kernel_size[0]]
    return enough and module.in_channels * module.out_channels <= MOST_IN_BF16


@torch.no_grad()
def _prepare(conv: WinogradConvTranspose2d, *_: object) -> None:
    """Result (2 a + i, 2 b + j) sees pixel (a + u, b + v) through tap (i + padding - 2 u, j + padding - 2 v)."""
    inputs, outputs, kernel, _ = conv.weight.shape
    weight = conv.weight.new_zeros(outputs, 2, 2, inputs, 3, 3)
    places = [(i, u + 1, tap) for i in (0, 1) for u in (-1, 0, 1) if 0 <= (tap := i + conv.padding[0] - 2 * u) < kernel]
    for i, row, down in places:
        for j, column, across in places:
            weight[:, i, j, :, row, column] = conv.weight[:, :, down, across].t()
    bias = conv.weight.new_zeros(outputs) if conv.bias is None else conv.bias
    conv.register_buffer("phase_weight", weight.flatten(0, 2), persistent=False)
    conv.register_buffer("phase_bias", bias.repeat_interleave(4), persistent=False)
