"""Dynamic temporal blending on the fused operator."""

import torch

from .. import ops
from ..reference.modules.dtb import DTB as ReferenceDTB

__all__ = ["DTB"]


class DTB(ReferenceDTB):
    """`vdeblur_fast.reference.DTB` with all that follows its convolution in one pass; same parameters, same values.

    current and previous (B, channels, H, W) in float32, bfloat16 or float16 -> (B, channels, H, W) of the same dtype
    and of current's memory order; `previous=None`, on a first frame or after a cut, returns current.
    """

    def forward(self, current: torch.Tensor, previous: torch.Tensor | None = None) -> torch.Tensor:
        if previous is None:
            return current
        return ops.temporal_blend(current, previous, self.similarity.weight, self.similarity.bias, self.beta)
