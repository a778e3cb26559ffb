"""Convolutions on the fused operator, with the sum and the activation after them."""

import torch
from torch import nn

from .. import ops


class FusedConv2d(nn.Conv2d):
    """`torch.nn.Conv2d`, then the sum and the activation.

    Equivalent to:
        y = torch.nn.functional.conv2d(x, weight, bias, padding=weight.shape[-1] // 2)
        activation(y if other is None else y + other)
    """

    activation: str

    def forward(self, input: torch.Tensor, other: torch.Tensor | None = None) -> torch.Tensor:
        bias = self.weight.new_zeros(self.out_channels) if self.bias is None else self.bias
        return self._fused(input, self.weight, bias, other)

    def _fused(
        self, input: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor, other: torch.Tensor | None
    ) -> torch.Tensor:
        if input.dim() == 3:  # as PyTorch's takes a picture by itself
            return self._fused(input[None], weight, bias, None if other is None else other[None]).squeeze(0)
        return ops.convolution([input], weight, bias, other, activation=self.activation)


class FusedFoldedConv2d(FusedConv2d):
    """... that has a batch norm in between."""

    def forward(self, input: torch.Tensor, other: torch.Tensor | None = None) -> torch.Tensor:
        return self._fused(input, self.folded_weight, self.folded_bias, other)

    def added(self, x: torch.Tensor, other: torch.Tensor, overwrite: bool = False) -> torch.Tensor:
        return self(x, other=other)
