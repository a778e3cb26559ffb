"""Global vectors handed out to the pixels, each pixel choosing its own mixture."""

import torch

from .accumulate import accumulation_dtype


def pixel_distribute(
    x: torch.Tensor, aggregate: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor
) -> torch.Tensor:
    """Pixelwise adaptive distribution (GSTA, equations 5 and 6).

    x (B, C, H, W) the current frame; aggregate (B, C, K) of `temporal_squeeze`, K = M * N; weight (K, C), bias (K)
    of f_p -> (B, C, H, W) of x's dtype. Computed in float32 for narrower input.

    Equivalent to:
        aggregate @ softmax(conv1x1(x, weight, bias), over the K maps)
    """
    pixels = x.flatten(2).to(accumulation_dtype(x.dtype))
    attention = (weight.to(pixels) @ pixels + bias.to(pixels)[:, None]).softmax(1)
    return (aggregate.to(pixels) @ attention).unflatten(-1, x.shape[2:]).to(x.dtype)
