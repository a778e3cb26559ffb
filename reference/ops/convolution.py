"""A convolution of several pictures, with what mostly comes after it."""

from collections.abc import Sequence

import torch
from torch.nn.functional import conv2d, pixel_shuffle, relu

ACTIVATIONS = {"relu": relu, "none": lambda x: x}


def convolution(
    inputs: Sequence[torch.Tensor],
    weight: torch.Tensor,
    bias: torch.Tensor,
    other: torch.Tensor | None = None,
    upscale: int = 1,
    activation: str = "none",
) -> torch.Tensor:
    """A padded convolution of pictures side by side, a pixel shuffle, a sum and an activation.

    inputs: one or more (B, ., H, W), I channels together; weight (O * upscale ** 2, I, k, k), k odd, and bias
    (O * upscale ** 2); other (B, O, H * upscale, W * upscale) or None -> the same shape, of the inputs' dtype, in which
    it is computed.

    Equivalent to:
        y = pixel_shuffle(conv2d(torch.cat(inputs, 1), weight, bias, padding=k // 2), upscale)
        return activation(y if other is None else y + other)
    """
    x = inputs[0] if len(inputs) == 1 else torch.cat(tuple(inputs), 1)
    y = conv2d(x, weight.to(x), bias.to(x), padding=weight.shape[-1] // 2)
    y = pixel_shuffle(y, upscale) if upscale > 1 else y
    return ACTIVATIONS[activation](y if other is None else y + other)
