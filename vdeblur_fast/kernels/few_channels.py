"""Convolutions from few channels or to few of them on the GPU, of which cuDNN's tensor cores are mostly idle.

From few: a program multiplies, for each row of the kernel, BLOCK_P pixels by all their neighbours in that row and their
channels at once. To few, at most four: without tensor cores, each output with sums of its own for BLOCK_I channels,
which are added up at the end.
"""

import triton
import triton.language as tl
from torch import Tensor

from .launching import Blocks, pixel_strides, power_of_two, precision

MOST_OUTPUTS = 4
MOST_IN_A_ROW = 64  # inputs, over all columns of the kernel


@triton.jit
def from_few_kernel(
    x,
    weight,
    bias,
    y,
    I,  # noqa: E741
    O,  # noqa: E741
    H,
    W,
    x_batch_stride,
    x_channel_stride,
    x_row_stride,
    x_pixel_stride,
    weight_output_stride,
    weight_input_stride,
    weight_row_stride,
    weight_column_stride,
    SIDE: tl.constexpr,
    ACTIVATION: tl.constexpr,
    PRECISION: tl.constexpr,
    WIDEN: tl.constexpr,
    BLOCK_K: tl.constexpr,
    BLOCK_O: tl.constexpr,
    BLOCK_P: tl.constexpr,
    BLOCK_W: tl.constexpr,
):
    i_b, across = tl.program_id(1).to(tl.int64), tl.cdiv(W, BLOCK_W)
    o_p, o_k, o_o = tl.arange(0, BLOCK_P), tl.arange(0, BLOCK_K), tl.arange(0, BLOCK_O)
    o_row = tl.program_id(0) // across * (BLOCK_P // BLOCK_W) + o_p // BLOCK_W
    o_column = tl.program_id(0) % across * BLOCK_W + o_p % BLOCK_W
    o_channel, o_tap = o_k % I, o_k // I
    o_c = o_column[:, None] + (o_tap - SIDE // 2)[None, :]
    m_k, m_o = o_tap < SIDE, o_o < O
    m_c = m_k[None, :] & (o_c >= 0) & (o_c < W)
    p_x = x + i_b * x_batch_stride + o_row.to(tl.int64)[:, None] * x_row_stride
    p_x += o_c.to(tl.int64) * x_pixel_stride + (o_channel.to(tl.int64) * x_channel_stride)[None, :]
    p_w = weight + (o_channel * weight_input_stride + o_tap * weight_column_stride)[:, None]
    p_w += o_o[None, :] * weight_output_stride
    b_y = tl.zeros((BLOCK_P, BLOCK_O), tl.float32)
    for tap in range(SIDE):
        down = tap - SIDE // 2
        m_r = (o_row + down >= 0) & (o_row + down < H)
        b_x = tl.load(p_x + down * x_row_stride, mask=m_c & m_r[:, None], other=0.0)
        b_w = tl.load(p_w + tap * weight_row_stride, mask=m_k[:, None] & m_o[None, :], other=0.0)
        if WIDEN:
            b_x, b_w = b_x.to(tl.float32), b_w.to(tl.float32)
        else:
            b_w = b_w.to(b_x.dtype)
        b_y = tl.dot(b_x, b_w, acc=b_y, input_precision=PRECISION)
    b_y += tl.load(bias + o_o, mask=m_o, other=0.0).to(tl.float32)[None, :]
    if ACTIVATION == "relu":
        b_y = tl.where(b_y < 0.0, 0.0, b_y)  # a comparison, unlike a maximum, lets a NaN through
    p_y = y + (i_b * H * W + o_row * W + o_column)[:, None] * O + o_o[None, :]
    tl.store(p_y, b_y.to(y.dtype.element_ty), mask=((o_row < H) & (o_column < W))[:, None] & m_o[None, :])


@triton.jit
def add_products(b_sum, b_x, p_weight, o_i, m_i, weight_input_stride):
    """b_sum plus pixels (BLOCK_P, BLOCK_I) times the weights of one output and tap."""
    b_w = tl.load(p_weight + o_i * weight_input_stride, mask=m_i, other=0.0).to(tl.float32)
    return b_sum + b_x * b_w[None, :]


@triton.jit
def store_output(b_sum, bias, p_y, m_p, ACTIVATION: tl.constexpr):
    b_y = tl.sum(b_sum, 1) + tl.load(bias).to(tl.float32)
    if ACTIVATION == "relu":
        b_y = tl.where(b_y < 0.0, 0.0, b_y)
    tl.store(p_y, b_y.to(p_y.dtype.element_ty), mask=m_p)


@triton.jit
def to_few_kernel(
    x,
    weight,
    bias,
    y,
    I,  # noqa: E741
    H,
    W,
    x_batch_stride,
    x_channel_stride,
    x_row_stride,
    x_pixel_stride,
    weight_output_stride,
    weight_input_stride,
    weight_row_stride,
    weight_column_stride,
    O: tl.constexpr,  # noqa: E741
    SIDE: tl.constexpr,
    ACTIVATION: tl.constexpr,
    BLOCK_I: tl.constexpr,
    BLOCK_P: tl.constexpr,
    BLOCK_W: tl.constexpr,
):
    i_b, across = tl.program_id(1).to(tl.int64), tl.cdiv(W, BLOCK_W)
    o_p = tl.arange(0, BLOCK_P)
    o_row = tl.program_id(0) // across * (BLOCK_P // BLOCK_W) + o_p // BLOCK_W
    o_column = tl.program_id(0) % across * BLOCK_W + o_p % BLOCK_W
    p_x = x + i_b * x_batch_stride + o_row.to(tl.int64) * x_row_stride + o_column.to(tl.int64) * x_pixel_stride
    b_0 = tl.zeros((BLOCK_P, BLOCK_I), tl.float32)
    b_1, b_2, b_3 = b_0, b_0, b_0
    for i in range(0, I, BLOCK_I):
        o_i = i + tl.arange(0, BLOCK_I)
        m_i = o_i < I
        p_i = p_x[:, None] + (o_i.to(tl.int64) * x_channel_stride)[None, :]
        for tap in range(SIDE * SIDE):
            down, right = tap // SIDE - SIDE // 2, tap % SIDE - SIDE // 2
            o_r, o_c = o_row + down, o_column + right
            m_p = (o_r >= 0) & (o_r < H) & (o_c >= 0) & (o_c < W)
            p_tap = p_i + (down * x_row_stride + right * x_pixel_stride)
            b_x = tl.load(p_tap, mask=m_p[:, None] & m_i[None, :], other=0.0).to(tl.float32)
            p_w = weight + tap // SIDE * weight_row_stride + tap % SIDE * weight_column_stride
            b_0 = add_products(b_0, b_x, p_w, o_i, m_i, weight_input_stride)
            if O > 1:
                b_1 = add_products(b_1, b_x, p_w + weight_output_stride, o_i, m_i, weight_input_stride)
            if O > 2:
                b_2 = add_products(b_2, b_x, p_w + 2 * weight_output_stride, o_i, m_i, weight_input_stride)
            if O > 3:
                b_3 = add_products(b_3, b_x, p_w + 3 * weight_output_stride, o_i, m_i, weight_input_stride)
    m_p = (o_row < H) & (o_column < W)
    p_y = y + (i_b * H * W + o_row * W + o_column) * O
    store_output(b_0, bias, p_y, m_p, ACTIVATION)
    if O > 1:
        store_output(b_1, bias + 1, p_y + 1, m_p, ACTIVATION)
    if O > 2:
        store_output(b_2, bias + 2, p_y + 2, m_p, ACTIVATION)
    if O > 3:
        store_output(b_3, bias + 3, p_y + 3, m_p, ACTIVATION)


def blocks_from_few(inputs: int, outputs: int, side: int) -> Blocks:
    """As measured on an H200, as those below."""
    sizes = {"BLOCK_K": power_of_two(inputs * side), "BLOCK_O": power_of_two(outputs), "BLOCK_P": 128, "BLOCK_W": 32}
    return Blocks(sizes, 8 if outputs > 32 else 4)


def blocks_to_few(inputs: int) -> Blocks:
    if inputs <= 4:
        return Blocks({"BLOCK_I": power_of_two(inputs, 1), "BLOCK_P": 256, "BLOCK_W": 128}, 4)
    i = 8 if inputs % 16 else min(32, power_of_two(inputs, 1))
    return Blocks({"BLOCK_I": i, "BLOCK_P": 128, "BLOCK_W": 32}, 4)


def from_few(weight: Tensor) -> bool:
    """Whether a convolution with this weight (O, I, k, k) comes from few channels."""
    outputs, inputs, _, side = weight.shape
    return inputs * side <= MOST_IN_A_ROW and inputs % 8 != 0 and side > 1 and outputs <= 64


def to_few(weight: Tensor) -> bool:
    return weight.shape[0] <= MOST_OUTPUTS and weight.shape[3] > 1


def convolve_few(x: Tensor, weight: Tensor, bias: Tensor, y: Tensor, activation: str) -> None:
    """y = activation(weight * x + bias), on the current stream: x (B, I, H, W) in any memory order, weight (O, I, k, k)
    of which `from_few` or `to_few`, y (B, O, H, W) channels last."""
    batch, inputs, height, width = x.shape
    outputs, side = weight.shape[0], weight.shape[3]
    few, bias = to_few(weight), bias.contiguous()
    chosen = blocks_to_few(inputs) if few else blocks_from_few(inputs, outputs, side)
    sizes = chosen.sizes
    tiles = triton.cdiv(height, sizes["BLOCK_P"] // sizes["BLOCK_W"]) * triton.cdiv(width, sizes["BLOCK_W"])
    strides = *x.stride()[:2], *pixel_strides(x)[:2], *weight.stride()
    options = {"SIDE": side, "ACTIVATION": activation, **sizes, **chosen.options()}
    if few:
        to_few_kernel[tiles, batch](x, weight, bias, y, inputs, height, width, *strides, O=outputs, **options)
    else:
        options |= {"PRECISION": precision(x.dtype), "WIDEN": not x.is_cuda}  # the interpreter multiplies no bfloat16
        from_few_kernel[tiles, batch](x, weight, bias, y, inputs, outputs, height, width, *strides, **options)
