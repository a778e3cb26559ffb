"""A convolution with a stride, right for narrow pictures too."""

import torch
from torch import nn
from torch.nn.functional import pad


class StridedConv2d(nn.Conv2d):
    """`torch.nn.Conv2d` with a stride above 1.

    x (B, in_channels, H, W) -> (B, out_channels, (H + 2 padding - kernel) // stride + 1, the same of W), any floating
    dtype.

    PyTorch 2.13 on CPUs with AMX gives noise, at times NaN, where the output is one column wide and bfloat16 (oneDNN's
    kernel for strides reads beyond the row). There one column more is computed, and dropped.

    Equivalent to:
        torch.nn.functional.conv2d(x, weight, bias, stride, padding)
    """

    def _conv_forward(self, input: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
        columns = (input.shape[-1] + 2 * self.padding[1] - self.kernel_size[1]) // self.stride[1] + 1
        if columns != 1 or not input.is_cpu:
            return super()._conv_forward(input, weight, bias)
        return super()._conv_forward(pad(input, [0, self.stride[1]]), weight, bias)[..., :1]
