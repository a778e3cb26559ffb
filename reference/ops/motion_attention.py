"""Features scaled and shifted by how blurred each pixel is."""

import torch
from torch.nn.functional import conv2d, leaky_relu


def motion_attention(
    x: torch.Tensor,
    magnitude: torch.Tensor,
    scale_weight_0: torch.Tensor,
    scale_bias_0: torch.Tensor,
    scale_weight_1: torch.Tensor,
    scale_bias_1: torch.Tensor,
    shift_weight_0: torch.Tensor | None = None,
    shift_bias_0: torch.Tensor | None = None,
    shift_weight_1: torch.Tensor | None = None,
    shift_bias_1: torch.Tensor | None = None,
) -> torch.Tensor:
    """Motion magnitude attention (MMP-RNN section 3.2, Fig. 3).

    x (B, C, H, W); magnitude (B, 1, H, W) the motion magnitude map; weight_0 (K), bias_0 (K), weight_1 (C, K),
    bias_1 (C) of a branch's two 1x1 convolutions with LeakyReLU(0.1) between; the shift may be left out
    -> (B, C, H, W) of x's dtype.

    Equivalent to:
        s, t = (conv1x1(leaky_relu(conv1x1(magnitude, weight_0, bias_0), 0.1), weight_1, bias_1) of either branch)
        x * (s + 1) + t
    """
    magnitude = magnitude.to(x)
    y = x * (_branch(magnitude, scale_weight_0, scale_bias_0, scale_weight_1, scale_bias_1) + 1)
    if shift_weight_0 is None:
        return y
    return y + _branch(magnitude, shift_weight_0, shift_bias_0, shift_weight_1, shift_bias_1)


def _branch(magnitude: torch.Tensor, *parameters: torch.Tensor) -> torch.Tensor:
    weight_0, bias_0, weight_1, bias_1 = (parameter.to(magnitude) for parameter in parameters)
    hidden = leaky_relu(conv2d(magnitude, weight_0[:, None, None, None], bias_0), 0.1)
    return conv2d(hidden, weight_1[:, :, None, None], bias_1)
