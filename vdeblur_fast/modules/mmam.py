"""The motion magnitude attentive module on the fused operator."""

import torch

from .. import ops
from ..reference.modules.mmam import MMAM as ReferenceMMAM

__all__ = ["MMAM"]


class MMAM(ReferenceMMAM):
    """`vdeblur_fast.reference.MMAM` in one pass over the features; same parameters, same values.

    x (B, channels, H, W) in float32, bfloat16 or float16, magnitude (B, 1, H, W) of any of them -> (B, channels, H, W)
    of x's dtype and memory order. Neither the hidden maps nor the scales and shifts are ever written.
    """

    def forward(self, x: torch.Tensor, magnitude: torch.Tensor) -> torch.Tensor:
        branches = (self.scale,) if self.shift is None else (self.scale, self.shift)
        parameters = []
        for hidden, out in branches:
            parameters += [hidden.weight.flatten(), hidden.bias, out.weight.flatten(1), out.bias]
        return ops.motion_attention(x, magnitude, *parameters)
