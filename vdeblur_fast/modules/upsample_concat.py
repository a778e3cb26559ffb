"""The way up of a U-Net on the fused operator."""

from .. import ops
from ..reference.modules.upsample_concat import UpsampleConcat as ReferenceUpsampleConcat

__all__ = ["UpsampleConcat"]


class UpsampleConcat(ReferenceUpsampleConcat):
    """`vdeblur_fast.reference.modules.UpsampleConcat` in one pass; same values.

    x (B, C, H, W), skip (B, D, 2H, 2W) of one dtype, float32, bfloat16 or float16 -> (B, C + D, 2H, 2W), channels last.
    """

    ops = ops
