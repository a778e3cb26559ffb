"""A frame squeezed into a few vectors, each a softmax-weighted sum over its pixels."""

from typing import NamedTuple

import torch

from .accumulate import accumulation_dtype


class SpatialSqueeze(NamedTuple):
    """What `spatial_squeeze` returns; all float32 (float64 for float64 input) but the mask, which has x's dtype."""

    aggregate: torch.Tensor  # (B, T, C, M)
    mean: torch.Tensor  # (B, T, C)
    peak: torch.Tensor | None = None  # (B, T, M) largest logit of each map
    total: torch.Tensor | None = None  # (B, T, M) sum over pixels of exp(logit - peak)
    mask: torch.Tensor | None = None  # (B, T, 1, H, W) the gate Q


def spatial_squeeze(
    x: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor,
    gate_weight: torch.Tensor | None = None,
    gate_bias: torch.Tensor | None = None,
    mask: torch.Tensor | None = None,
    return_mask: bool = False,
    return_statistics: bool = False,
) -> SpatialSqueeze:
    """Gated spatial aggregation of every frame (GSTA, equations 1, 2, 7 and 8).

    x (B, T, C, H, W); weight (M, C), bias (M) of the map logits f_s; gate_weight (C), gate_bias (1) of the blur gate
    f_q, or a `mask` (B, T, 1, H, W) in its place, or neither -> aggregate (B, T, C, M) and mean (B, T, C).

    The squeeze is a sum, for the softmax over pixels already normalises; the gate takes weight away and nothing is
    renormalised. Computed in float32 for narrower input.

    Equivalent to:
        attention = softmax(conv1x1(x, weight, bias), over the pixels)
        aggregate = (attention * (1 - sigmoid(conv1x1(x, gate_weight, gate_bias)))) @ x^T
    """
    pixels = x.flatten(3).to(accumulation_dtype(x.dtype))
    logits = weight.to(pixels) @ pixels + bias.to(pixels)[:, None]
    attention = weighted = logits.softmax(-1)
    if gate_weight is not None:
        mask = torch.sigmoid(gate_weight.to(pixels)[None] @ pixels + gate_bias.to(pixels)).unflatten(-1, x.shape[3:])
    if mask is not None:
        weighted = attention * (1 - mask.to(pixels).flatten(3))
    return SpatialSqueeze(
        aggregate=pixels @ weighted.mT,
        mean=pixels.mean(-1),
        peak=logits.amax(-1) if return_statistics else None,
        total=1 / attention.amax(-1) if return_statistics else None,
        mask=mask.to(x.dtype) if return_mask else None,
    )
