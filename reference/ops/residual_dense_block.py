"""Convolutions that each see everything before them, brought back to the input's channels and added to it."""

from collections.abc import Sequence

import torch
from torch.nn.functional import conv2d, gelu, relu

ACTIVATIONS = {"gelu": gelu, "relu": relu}


def residual_dense_block(
    x: torch.Tensor,
    weights: Sequence[torch.Tensor],
    biases: Sequence[torch.Tensor],
    fuse_weight: torch.Tensor,
    fuse_bias: torch.Tensor,
    activation: str = "gelu",
) -> torch.Tensor:
    """Residual dense block (MMP-RNN section 3.2, after Zhang et al., Residual Dense Network).

    x (B, C, H, W); for layer i weights[i] (G, C + i * G, 3, 3) and biases[i] (G); fuse_weight
    (C, C + layers * G, 1, 1), fuse_bias (C) -> (B, C, H, W) of x's dtype, in which it is computed. GELU is the exact
    erf form.

    Equivalent to:
        for weight, bias in zip(weights, biases): y = torch.cat([y, gelu(conv3x3(y, weight, bias))], 1)
        return conv1x1(y, fuse_weight, fuse_bias) + x
    """
    y = x
    for weight, bias in zip(weights, biases, strict=True):
        y = torch.cat([y, ACTIVATIONS[activation](conv2d(y, weight.to(y), bias.to(y), padding=1))], 1)
    return conv2d(y, fuse_weight.to(y), fuse_bias.to(y)) + x
