"""convolution on the GPU: by one of three kernels that do all of it, or by cuDNN and a pass for all that follows.

Which of them is as measured on an H200. In the pass a program has BLOCK_P neighbouring numbers of the result: bias,
pixel shuffle, sum and activation would be a pass each. Per number one or two are read and one is written.
"""

from collections.abc import Sequence
from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor
from torch.nn.functional import conv2d

from .convolving import convolve, takes_tma, where_tiles_can_be_had
from .few_channels import convolve_few, from_few, to_few
from .launching import Blocks

MOST_INPUTS = 128  # of a 3x3 convolution that is quicker than cuDNN's
MOST_NARROW = 2**31  # numbers of a picture that 32 bits count, in which divisions are much quicker


@triton.jit
def finish_kernel(
    convolved,
    bias,
    other,
    y,
    C,
    W,
    P,
    other_batch_stride,
    other_channel_stride,
    other_row_stride,
    other_pixel_stride,
    UPSCALE: tl.constexpr,
    ADDS: tl.constexpr,
    FLAT: tl.constexpr,
    WIDE: tl.constexpr,
    ACTIVATION: tl.constexpr,
    BLOCK_P: tl.constexpr,
):
    i_b, i_p = tl.program_id(1).to(tl.int64), tl.program_id(0)
    if WIDE:
        i_p = i_p.to(tl.int64)
    o_p = i_p * BLOCK_P + tl.arange(0, BLOCK_P)
    m_p = o_p < P
    o_channel, o_pixel = o_p % C, o_p // C
    o_row, o_column = o_pixel // W, o_pixel % W
    o_z, o_bias = o_p, o_channel
    if UPSCALE > 1:
        o_bias = (o_channel * UPSCALE + o_row % UPSCALE) * UPSCALE + o_column % UPSCALE
        o_source = o_row // UPSCALE * (W // UPSCALE) + o_column // UPSCALE
        o_z = o_source * (C * UPSCALE * UPSCALE) + o_bias
    b_y = tl.load(convolved + i_b * P + o_z, mask=m_p, other=0.0).to(tl.float32)
    b_y += tl.load(bias + o_bias, mask=m_p, other=0.0)
    if ADDS:
        o_other = o_p.to(tl.int64)
        if not FLAT:
            o_other = o_row.to(tl.int64) * other_row_stride + o_column.to(tl.int64) * other_pixel_stride
            o_other += o_channel.to(tl.int64) * other_channel_stride
        b_y += tl.load(other + i_b * other_batch_stride + o_other, mask=m_p, other=0.0).to(tl.float32)
    if ACTIVATION == "relu":
        b_y = tl.where(b_y < 0.0, 0.0, b_y)  # a comparison, unlike a maximum, lets a NaN through
    tl.store(y + i_b * P + o_p, b_y.to(y.dtype.element_ty), mask=m_p)


def blocks() -> Blocks:
    return Blocks({"BLOCK_P": 1024}, 4)


def why_not(inputs: Sequence[Tensor], weight: Tensor, *_: Any) -> list[str]:
    return [] if weight.shape[1] else ["takes at least one channel"]


def launch(
    y: Tensor,
    inputs: Sequence[Tensor],
    weight: Tensor,
    bias: Tensor,
    other: Tensor | None,
    upscale: int,
    activation: str,
) -> None:
    """Fills `y` of `vdeblur_fast.ops.convolution.outputs`, on the current stream."""
    x = inputs[0] if len(inputs) == 1 else torch.cat(list(inputs), 1)
    if upscale == 1 and other is None and (from_few(weight) or to_few(weight)):
        convolve_few(x, weight, bias, y, activation)
        return
    x = x.contiguous(memory_format=torch.channels_last)
    if upscale == 1 and weight.shape[2] == 3 and x.shape[1] <= MOST_INPUTS:
        x = where_tiles_can_be_had(x)
        if takes_tma(x):
            convolve(x, weight, bias, y, other, activation)
            return
    convolved = conv2d(x, weight.to(x), padding=weight.shape[-1] // 2)
    convolved = convolved.contiguous(memory_format=torch.channels_last)
    batch, channels, height, width = y.shape
    numbers, chosen = channels * height * width, blocks()
    strides = (0, 0, 0, 0) if other is None else other.stride()
    finish_kernel[(triton.cdiv(numbers, chosen.sizes["BLOCK_P"]), batch)](
        convolved,
        bias.float().contiguous(),
        y if other is None else other,
        y,
        channels,
        width,
        numbers,
        *strides,
        UPSCALE=upscale,
        ADDS=other is not None,
        FLAT=other is not None and other.is_contiguous(memory_format=torch.channels_last),
        WIDE=numbers > MOST_NARROW,
        ACTIVATION=activation,
        **chosen.sizes,
        **chosen.options(),
    )
