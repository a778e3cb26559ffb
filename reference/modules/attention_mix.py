"""The attentional modules of DAVID: estimates mixed by maps of shares."""

import torch
from torch import nn

from .. import ops
from ..ops.attention_mix import NORMALIZE


class AttentionMix(nn.Module):
    """Mixture of estimates by pixel-wise shares (Wu et al., DAVID, WACV 2020, section 3.1, equations 1 and 2).

    estimates (B, K, C, H, W), logits (B, K, H, W) -> (B, C, H, W); nested, internal in external: estimates
    (B, J, K, C, H, W), logits (B, J, K, H, W), outer (B, J, H, W) -> (B, C, H, W). No parameters.

    The paper calls the maps probabilistic: `normalize="softmax"` makes shares of logits, "none" takes them as they are.

    Equivalent to:
        mixed = (softmax(logits, over K) * estimates).sum(over K)
        (softmax(outer, over J) * mixed).sum(over J), if nested
    """

    ops = ops

    def __init__(self, normalize: str = "softmax"):
        super().__init__()
        if normalize not in NORMALIZE:
            raise ValueError(f"AttentionMix: normalize must be one of {', '.join(NORMALIZE)}, got {normalize!r}")
        self.normalize = normalize

    def forward(self, estimates: torch.Tensor, logits: torch.Tensor, outer: torch.Tensor | None = None) -> torch.Tensor:
        if estimates.dim() != (5 if outer is None else 6):
            raise ValueError(
                "AttentionMix: estimates must be (B, K, C, H, W) without outer and (B, J, K, C, H, W) with it, "
                f"got {tuple(estimates.shape)} {'without' if outer is None else 'with'} it"
            )
        return self.ops.attention_mix(estimates, logits, outer, self.normalize)

    def extra_repr(self) -> str:
        return f"normalize={self.normalize!r}"
