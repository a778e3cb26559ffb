"""motion_attention on the GPU: a program gives BLOCK_P pixels of one frame their scales and shifts.

The hidden units of a pixel come from one number and are made where they are needed, BLOCK_K at a time; the second 1x1
convolutions run on tensor cores. Per pixel C numbers are read and C written, 4 * C * K operations.
"""

import triton
import triton.language as tl
from torch import Tensor

from .launching import Blocks, pixel_strides, precision


@triton.jit
def branch(b_m, weight_0, bias_0, weight_1, bias_1, C, K, o_c, PRECISION: tl.constexpr, BLOCK_K: tl.constexpr, b_out):
    """b_out (BLOCK_C, BLOCK_P) plus both 1x1 convolutions of the magnitudes b_m (BLOCK_P)."""
    m_c = o_c < C
    b_out += tl.load(bias_1 + o_c, mask=m_c, other=0.0)[:, None]
    for i_k in range(0, K, BLOCK_K):
        o_k = i_k + tl.arange(0, BLOCK_K)
        m_k = o_k < K
        b_w = tl.load(weight_0 + o_k, mask=m_k, other=0.0)
        b_h = b_w[:, None] * b_m[None, :] + tl.load(bias_0 + o_k, mask=m_k, other=0.0)[:, None]
        b_h = tl.where(b_h < 0.0, 0.1 * b_h, b_h)
        p_w = weight_1 + o_c[:, None] * K + o_k[None, :]
        b_w1 = tl.load(p_w, mask=m_c[:, None] & m_k[None, :], other=0.0)
        b_out = tl.dot(b_w1, b_h, acc=b_out, input_precision=PRECISION)
    return b_out


@triton.jit
def attend_kernel(
    x,
    magnitude,
    scale_weight_0,
    scale_bias_0,
    scale_weight_1,
    scale_bias_1,
    shift_weight_0,
    shift_bias_0,
    shift_weight_1,
    shift_bias_1,
    y,
    C,
    K,
    P,
    W,
    x_batch_stride,
    x_channel_stride,
    x_row_stride,
    x_pixel_stride,
    magnitude_batch_stride,
    magnitude_row_stride,
    magnitude_pixel_stride,
    y_batch_stride,
    y_channel_stride,
    y_row_stride,
    y_pixel_stride,
    FLAT: tl.constexpr,
    SHIFT: tl.constexpr,
    PRECISION: tl.constexpr,
    BLOCK_C: tl.constexpr,
    BLOCK_K: tl.constexpr,
    BLOCK_P: tl.constexpr,
):
    i_b = tl.program_id(1).to(tl.int64)
    o_p = tl.program_id(0) * BLOCK_P + tl.arange(0, BLOCK_P)
    m_p = o_p < P
    o_row, o_pixel = (o_p // W).to(tl.int64), (o_p % W).to(tl.int64)
    if FLAT:
        o_row, o_pixel = tl.zeros((BLOCK_P,), tl.int64), o_p.to(tl.int64)
    o_x = o_row * x_row_stride + o_pixel * x_pixel_stride
    o_m = o_row * magnitude_row_stride + o_pixel * magnitude_pixel_stride
    o_y = o_row * y_row_stride + o_pixel * y_pixel_stride
    b_m = tl.load(magnitude + i_b * magnitude_batch_stride + o_m, mask=m_p, other=0.0).to(tl.float32)
    for i_c in range(0, C, BLOCK_C):
        o_c = i_c + tl.arange(0, BLOCK_C)
        m_x = (o_c < C)[:, None] & m_p[None, :]
        p_x = x + i_b * x_batch_stride + o_c.to(tl.int64)[:, None] * x_channel_stride + o_x[None, :]
        b_x = tl.load(p_x, mask=m_x, other=0.0).to(tl.float32)
        b_one = tl.full((BLOCK_C, BLOCK_P), 1.0, tl.float32)
        b_scale = branch(
            b_m, scale_weight_0, scale_bias_0, scale_weight_1, scale_bias_1, C, K, o_c, PRECISION, BLOCK_K, b_one
        )
        b_y = b_x * b_scale
        if SHIFT:
            b_y = branch(
                b_m, shift_weight_0, shift_bias_0, shift_weight_1, shift_bias_1, C, K, o_c, PRECISION, BLOCK_K, b_y
            )
        p_y = y + i_b * y_batch_stride + o_c.to(tl.int64)[:, None] * y_channel_stride + o_y[None, :]
        tl.store(p_y, b_y.to(y.dtype.element_ty), mask=m_x)


def blocks(channels: int) -> Blocks:
    return Blocks({"BLOCK_C": 16 if channels < 32 else 32, "BLOCK_K": 16, "BLOCK_P": 128}, 4)


def why_not(*_: Tensor) -> list[str]:
    return []


def launch(y: Tensor, x: Tensor, magnitude: Tensor, *parameters: Tensor | None) -> None:
    """Fills `y` of `vdeblur_fast.ops.motion_attention.outputs`, on the current stream."""
    batch, channels, height, width = x.shape
    hidden, pixels = parameters[0].shape[0], height * width
    chosen = blocks(channels)
    (x_row, x_pixel, x_flat), (y_row, y_pixel, y_flat) = pixel_strides(x), pixel_strides(y)
    m_row, m_pixel, m_flat = pixel_strides(magnitude)
    attend_kernel[(triton.cdiv(pixels, chosen.sizes["BLOCK_P"]), batch)](
        x,
        magnitude,
        *(y if tensor is None else tensor.float().contiguous() for tensor in parameters),
        y,
        channels,
        hidden,
        pixels,
        width,
        *x.stride()[:2],
        x_row,
        x_pixel,
        magnitude.stride(0),
        m_row,
        m_pixel,
        *y.stride()[:2],
        y_row,
        y_pixel,
        FLAT=x_flat and m_flat and y_flat,
        SHIFT=parameters[4] is not None,
        PRECISION=precision(x.dtype),
        **chosen.sizes,
        **chosen.options(),
    )
