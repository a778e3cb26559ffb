"""residual_dense_block on the GPU: every layer is one implicit matrix product over x and what the layers before wrote.

A program gives BLOCK_P pixels BLOCK_O of their K new channels: for each of the 9 taps (1 of the fusion) BLOCK_I input
channels at a time are multiplied on the tensor cores, with zeros beyond the frame; bias and activation, or bias and x,
are added in registers. The layers' results lie side by side, pixel by pixel, in one buffer of x's dtype, so that
nothing is ever concatenated. x and the weights, as (outputs, taps, inputs), are read in channels_last: kept so, and in
one dtype, they are not copied at each call.
"""

from collections.abc import Sequence
from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from .launching import Blocks, pixel_strides, power_of_two, precision


@triton.jit
def dense_kernel(
    x,
    grown,
    weight,
    bias,
    y,
    C,
    D,
    K,
    H,
    W,
    S,
    y_batch_stride,
    y_channel_stride,
    y_row_stride,
    y_pixel_stride,
    TAPS: tl.constexpr,
    ACTIVATION: tl.constexpr,
    PRECISION: tl.constexpr,
    WIDEN: tl.constexpr,
    BLOCK_I: tl.constexpr,
    BLOCK_O: tl.constexpr,
    BLOCK_P: tl.constexpr,
):
    i_b = tl.program_id(2).to(tl.int64)
    o_p = tl.program_id(0) * BLOCK_P + tl.arange(0, BLOCK_P)
    o_o = tl.program_id(1) * BLOCK_O + tl.arange(0, BLOCK_O)
    o_i = tl.arange(0, BLOCK_I)
    m_p, m_o = o_p < H * W, o_o < K
    o_row, o_column = o_p // W, o_p % W
    p_x, p_grown = x + i_b * H * W * C, grown + i_b * H * W * S
    b_y = tl.zeros((BLOCK_P, BLOCK_O), tl.float32)
    for tap in range(TAPS):
        o_r, o_c = o_row, o_column
        if TAPS == 9:
            o_r, o_c = o_row + tap // 3 - 1, o_column + tap % 3 - 1
        m_tap = m_p & (o_r >= 0) & (o_r < H) & (o_c >= 0) & (o_c < W)
        o_pixel = (o_r * W + o_c).to(tl.int64)[:, None]
        p_weight = weight + (o_o.to(tl.int64)[None, :] * TAPS + tap) * (C + D)
        for i in range(0, C, BLOCK_I):
            m_i = i + o_i < C
            b_x = tl.load(p_x + o_pixel * C + i + o_i[None, :], mask=m_tap[:, None] & m_i[None, :], other=0.0)
            b_w = tl.load(p_weight + i + o_i[:, None], mask=m_i[:, None] & m_o[None, :], other=0.0)
            if WIDEN:
                b_x, b_w = b_x.to(tl.float32), b_w.to(tl.float32)
            b_y = tl.dot(b_x, b_w, acc=b_y, input_precision=PRECISION)
        for i in range(0, D, BLOCK_I):
            m_i = i + o_i < D
            b_x = tl.load(p_grown + o_pixel * S + i + o_i[None, :], mask=m_tap[:, None] & m_i[None, :], other=0.0)
            b_w = tl.load(p_weight + C + i + o_i[:, None], mask=m_i[:, None] & m_o[None, :], other=0.0)
            if WIDEN:
                b_x, b_w = b_x.to(tl.float32), b_w.to(tl.float32)
            b_y = tl.dot(b_x, b_w, acc=b_y, input_precision=PRECISION)
    b_y += tl.load(bias + o_o, mask=m_o, other=0.0)[None, :]
    m_y, o_channel = m_p[:, None] & m_o[None, :], o_o.to(tl.int64)[None, :]
    if ACTIVATION == "gelu":
        b_y = 0.5 * b_y * (1.0 + tl.erf(b_y * 0.7071067811865476))
    elif ACTIVATION == "relu":
        b_y = tl.where(b_y < 0.0, 0.0, b_y)
    else:
        b_y += tl.load(p_x + o_p.to(tl.int64)[:, None] * C + o_channel, mask=m_y, other=0.0).to(tl.float32)
    o_y = o_row.to(tl.int64) * y_row_stride + o_column.to(tl.int64) * y_pixel_stride
    p_y = y + i_b * y_batch_stride + o_y[:, None] + o_channel * y_channel_stride
    tl.store(p_y, b_y.to(y.dtype.element_ty), mask=m_y)


def blocks(outputs: int, dtype: torch.dtype) -> Blocks:
    """Products of float32 are three, and need the registers."""
    inputs, pixels = (16, 64) if dtype == torch.float32 else (32, 128)
    return Blocks({"BLOCK_I": inputs, "BLOCK_O": min(64, power_of_two(outputs)), "BLOCK_P": pixels}, 4, 3)


def why_not(x: Tensor, weights: Sequence[Tensor], *_: Any) -> list[str]:
    return [] if weights else ["takes at least one layer"]


def launch(
    y: Tensor,
    x: Tensor,
    weights: Sequence[Tensor],
    biases: Sequence[Tensor],
    fuse_weight: Tensor,
    fuse_bias: Tensor,
    activation: str,
) -> None:
    """Fills `y` of `vdeblur_fast.ops.residual_dense_block.outputs`, on the current stream."""
    batch, _, height, width = x.shape
    growth = weights[0].shape[0]
    x = x.contiguous(memory_format=torch.channels_last)
    grown = x.new_empty((batch, height, width, triton.cdiv(growth * len(weights), 16) * 16)).movedim(-1, 1)
    for i, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
        _convolve(x, grown, i * growth, weight, bias, activation, grown[:, i * growth : (i + 1) * growth])
    _convolve(x, grown, growth * len(weights), fuse_weight, fuse_bias, "", y)


def _convolve(x: Tensor, grown: Tensor, used: int, weight: Tensor, bias: Tensor, activation: str, y: Tensor) -> None:
    """y = weight * [x, the first `used` channels of grown] + bias, activated; without an activation + x."""
    batch, channels, height, width = x.shape
    outputs = weight.shape[0]
    chosen = blocks(outputs, x.dtype)
    grid = triton.cdiv(height * width, chosen.sizes["BLOCK_P"]), triton.cdiv(outputs, chosen.sizes["BLOCK_O"]), batch
    dense_kernel[grid](
        x,
        grown,
        weight.to(x.dtype).contiguous(memory_format=torch.channels_last),
        bias.float().contiguous(),
        y,
        channels,
        used,
        outputs,
        height,
        width,
        grown.shape[1],
        *y.stride()[:2],
        *pixel_strides(y)[:2],
        TAPS=weight.shape[2] * weight.shape[3],
        ACTIVATION=activation,
        PRECISION=precision(x.dtype),
        WIDEN=not x.is_cuda,  # the interpreter multiplies no bfloat16
        **chosen.sizes,
        **chosen.options(),
    )
