"""Estimates of one image mixed, each pixel choosing its own shares."""

import torch

from .accumulate import accumulation_dtype

NORMALIZE = ("softmax", "none")


def attention_mix(
    estimates: torch.Tensor, logits: torch.Tensor, outer: torch.Tensor | None = None, normalize: str = "softmax"
) -> torch.Tensor:
    """Mixture of the branches' estimates, and of the mixtures (DAVID, equations 1 and 2).

    estimates (B, K, C, H, W), logits (B, K, H, W); or nested, J internal modules of K branches each in an external one:
    estimates (B, J, K, C, H, W), logits (B, J, K, H, W), outer (B, J, H, W) -> (B, C, H, W) of estimates' dtype.

    `normalize="none"` takes the logits themselves as shares. Computed in float32 for narrower input.

    Equivalent to:
        mixed = (softmax(logits, over K) * estimates).sum(over K)
        (softmax(outer, over J) * mixed).sum(over J), if nested
    """
    shares = _shares(logits, estimates.dim() - 4, normalize)
    if outer is not None:
        shares = shares * _shares(outer, 1, normalize)[:, :, None]
    mixed = shares.unsqueeze(-3) * estimates
    return mixed.sum((1, 2) if outer is not None else 1).to(estimates.dtype)


def _shares(logits: torch.Tensor, axis: int, normalize: str) -> torch.Tensor:
    dtype = accumulation_dtype(logits.dtype)
    return logits.softmax(axis, dtype=dtype) if normalize == "softmax" else logits.to(dtype)
