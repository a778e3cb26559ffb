"""The residual dense block on the fused operator."""

import torch

from .. import ops
from ..reference.modules.residual_dense_block import RDB as ReferenceRDB

__all__ = ["RDB"]


class RDB(ReferenceRDB):
    """`vdeblur_fast.reference.RDB` without a concatenation; same parameters, same values.

    x (B, channels, H, W) in float32, bfloat16 or float16, in any memory order -> the same.
    """

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        weights, biases = [conv.weight for conv in self.dense], [conv.bias for conv in self.dense]
        return ops.residual_dense_block(x, weights, biases, self.fuse.weight, self.fuse.bias, self.activation)
