"""The mixing of estimates on the fused operator."""

from .. import ops
from ..reference.modules.attention_mix import AttentionMix as ReferenceAttentionMix

__all__ = ["AttentionMix"]


class AttentionMix(ReferenceAttentionMix):
    """`vdeblur_fast.reference.AttentionMix` in one pass over the estimates; same values.

    estimates (B, K, C, H, W) and logits (B, K, H, W), or nested ones with outer, in float32, bfloat16 or float16
    -> (B, C, H, W) of estimates' dtype. Neither the shares nor the inner mixtures are ever written.
    """

    ops = ops
