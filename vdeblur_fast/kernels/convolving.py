"""A convolution on the GPU as one implicit matrix product, with all that follows it: what the operators' kernels share.

A program gives BLOCK_H x BLOCK_W pixels BLOCK_O of their channels: for each tap BLOCK_I input channels at a time are
multiplied on the tensor cores, with zeros beyond the frame; bias, sum and activation are added in registers. Every
pixel's channels lie together. From sm_90 on the chip's copy engine brings the tiles (TMA), which wants every pixel and
every tap of a weight to begin at a multiple of 16 bytes; elsewhere, and in float32, the threads load them.
"""

import torch
import triton
import triton.language as tl
from torch import Tensor
from triton.tools.tensor_descriptor import TensorDescriptor

from .launching import Blocks, pixel_strides, power_of_two, precision

ALIGNMENT = 16  # bytes
_LEAST_CAPABILITY = (9, 0)


@triton.jit
def convolve_kernel(
    x,
    weight,
    bias,
    other,
    y,
    I,  # noqa: E741
    O,  # noqa: E741
    H,
    W,
    x_batch_stride,
    x_row_stride,
    x_pixel_stride,
    weight_output_stride,
    weight_tap_stride,
    other_batch_stride,
    other_channel_stride,
    other_row_stride,
    other_pixel_stride,
    y_batch_stride,
    y_channel_stride,
    y_row_stride,
    y_pixel_stride,
    SIDE: tl.constexpr,
    ACTIVATION: tl.constexpr,
    ADDS: tl.constexpr,
    TMA: tl.constexpr,
    PRECISION: tl.constexpr,
    WIDEN: tl.constexpr,
    BLOCK_I: tl.constexpr,
    BLOCK_O: tl.constexpr,
    BLOCK_H: tl.constexpr,
    BLOCK_W: tl.constexpr,
):
    i_b, i_o = tl.program_id(2), tl.program_id(1) * BLOCK_O
    across = tl.cdiv(W, BLOCK_W)
    i_row, i_column = tl.program_id(0) // across * BLOCK_H, tl.program_id(0) % across * BLOCK_W
    o_p = tl.arange(0, BLOCK_H * BLOCK_W)
    o_row, o_column = i_row + o_p // BLOCK_W, i_column + o_p % BLOCK_W
    o_i, o_o = tl.arange(0, BLOCK_I), i_o + tl.arange(0, BLOCK_O)
    m_o = o_o < O
    if not TMA:
        p_x = x + i_b.to(tl.int64) * x_batch_stride
        p_weight = weight + o_o.to(tl.int64)[None, :] * weight_output_stride
    b_y = tl.zeros((BLOCK_H * BLOCK_W, BLOCK_O), tl.float32)
    for step in range(SIDE * SIDE * tl.cdiv(I, BLOCK_I)):
        tap, i = step % (SIDE * SIDE), step // (SIDE * SIDE) * BLOCK_I
        down, right = tap // SIDE - SIDE // 2, tap % SIDE - SIDE // 2
        if TMA:
            b_x = x.load([i_b, i_row + down, i_column + right, i]).reshape(BLOCK_H * BLOCK_W, BLOCK_I)
            b_w = weight.load([i_o, tap, i]).reshape(BLOCK_O, BLOCK_I).T
        else:
            o_r, o_c = o_row + down, o_column + right
            m_i, m_p = i + o_i < I, (o_r >= 0) & (o_r < H) & (o_c >= 0) & (o_c < W)
            o_x = o_r.to(tl.int64) * x_row_stride + o_c.to(tl.int64) * x_pixel_stride
            b_x = tl.load(p_x + o_x[:, None] + (i + o_i)[None, :], mask=m_p[:, None] & m_i[None, :], other=0.0)
            p_w = p_weight + tap * weight_tap_stride + (i + o_i)[:, None]
            b_w = tl.load(p_w, mask=m_i[:, None] & m_o[None, :], other=0.0)
        if WIDEN:
            b_x, b_w = b_x.to(tl.float32), b_w.to(tl.float32)
        b_y = tl.dot(b_x, b_w, acc=b_y, input_precision=PRECISION)
    b_y += tl.load(bias + o_o, mask=m_o, other=0.0).to(tl.float32)[None, :]
    m_y = ((o_row < H) & (o_column < W))[:, None] & m_o[None, :]
    o_row, o_column, o_channel = o_row.to(tl.int64)[:, None], o_column.to(tl.int64)[:, None], o_o.to(tl.int64)[None, :]
    if ADDS:
        p_other = other + i_b.to(tl.int64) * other_batch_stride + o_channel * other_channel_stride
        p_other += o_row * other_row_stride + o_column * other_pixel_stride
        b_y += tl.load(p_other, mask=m_y, other=0.0).to(tl.float32)
    if ACTIVATION == "gelu":
        b_y = 0.5 * b_y * (1.0 + tl.erf(b_y * 0.7071067811865476))
    if ACTIVATION == "relu":
        b_y = tl.where(b_y < 0.0, 0.0, b_y)  # a comparison, unlike a maximum, lets a NaN through
    p_y = y + i_b.to(tl.int64) * y_batch_stride + o_channel * y_channel_stride
    p_y += o_row * y_row_stride + o_column * y_pixel_stride
    tl.store(p_y, b_y.to(y.dtype.element_ty), mask=m_y)


def blocks(inputs: int, outputs: int, dtype: torch.dtype, tma: bool) -> Blocks:
    """As measured on an H200; products of float32 are three, and need the registers."""
    o = min(64, power_of_two(outputs))
    if dtype == torch.float32:
        return Blocks({"BLOCK_I": 16, "BLOCK_O": o, "BLOCK_H": 4, "BLOCK_W": 16}, 4, 3)
    i = min(64 if tma else 32, power_of_two(inputs))
    height, width, warps = (8, 16, 4)
    if tma and o == 64 and outputs % 64:  # a residual dense block's of 90 channels
        height, width, warps = 8, 32, 8
    elif tma and i == 16:
        height, width, warps = 16, 16, 8
    return Blocks({"BLOCK_I": i, "BLOCK_O": o, "BLOCK_H": height, "BLOCK_W": width}, warps, 3)


def convolve(
    x: Tensor, weight: Tensor, bias: Tensor, y: Tensor, other: Tensor | None = None, activation: str = "none"
) -> None:
    """y = activation(weight * x + bias + other), on the current stream.

    x (B, I, H, W), its channels together; weight (O, I, k, k) of any type and order, k odd; other and y (B, O, H, W) in
    any memory order, y possibly further channels of the memory that x is of; activation "gelu", "relu" or "none".
    """
    batch, inputs, height, width = x.shape
    outputs, side = weight.shape[0], weight.shape[2]
    weight = laid_out(weight.to(x.dtype))
    tma = takes_tma(x)
    chosen = blocks(inputs, outputs, x.dtype, tma)
    sizes = chosen.sizes
    row, pixel, _ = pixel_strides(x)
    x_strides = x.stride(0) if batch > 1 else row * height, row, pixel
    # of a dimension of one row or tap any stride is right; 16 bytes' alignment is wanted of it too
    output_stride, tap_stride = weight.stride(0), weight.stride(3) if side > 1 else weight.stride(0)
    source, factors = x, weight
    if tma:
        tile, part = [1, sizes["BLOCK_H"], sizes["BLOCK_W"], sizes["BLOCK_I"]], [sizes["BLOCK_O"], 1, sizes["BLOCK_I"]]
        source = TensorDescriptor(x, [batch, height, width, inputs], [*x_strides, 1], tile)
        factors = TensorDescriptor(weight, [outputs, side * side, inputs], [output_stride, tap_stride, 1], part)
    strides = [(*frames.stride()[:2], *pixel_strides(frames)[:2]) for frames in (y if other is None else other, y)]
    tiles = triton.cdiv(height, sizes["BLOCK_H"]) * triton.cdiv(width, sizes["BLOCK_W"])
    convolve_kernel[tiles, triton.cdiv(outputs, sizes["BLOCK_O"]), batch](
        source,
        factors,
        bias.contiguous(),
        y if other is None else other,
        y,
        inputs,
        outputs,
        height,
        width,
        *x_strides,
        output_stride,
        tap_stride,
        *strides[0],
        *strides[1],
        SIDE=side,
        ACTIVATION=activation,
        ADDS=other is not None,
        TMA=tma,
        PRECISION=precision(x.dtype),
        WIDEN=not x.is_cuda,  # the interpreter multiplies no bfloat16
        **sizes,
        **chosen.options(),
    )


def takes_tma(x: Tensor) -> bool:
    """Whether tiles of x come by the copy engine."""
    steps = [step * x.element_size() for step in (x.stride(0) * (len(x) > 1), *pixel_strides(x)[:2])]
    return _has_engine(x) and not any(address % ALIGNMENT for address in (x.data_ptr(), *steps))


def where_tiles_can_be_had(x: Tensor) -> Tensor:
    """x, its channels together, or a copy that is aligned, if that is all that a copy engine wants."""
    if takes_tma(x) or not _has_engine(x):
        return x
    batch, channels, height, width = x.shape
    return x.new_empty((batch, height, width, rounded_up(channels, x.dtype))).movedim(-1, 1)[:, :channels].copy_(x)


def _has_engine(x: Tensor) -> bool:
    """For frames of 16 bits; the interpreter has one too."""
    return x.element_size() == 2 and (not x.is_cuda or torch.cuda.get_device_capability(x.device) >= _LEAST_CAPABILITY)


def rounded_up(channels: int, dtype: torch.dtype) -> int:
    """So many channels that the next pixel is aligned."""
    step = ALIGNMENT // dtype.itemsize
    return triton.cdiv(channels, step) * step


def laid_out(weight: Tensor) -> Tensor:
    """A convolution's weight (O, I, k, k) with the inputs of a tap together and taps that are aligned: itself, where it
    lies so, else a copy that does. What came out keeps its order in `torch.nn.Parameter` and in place."""
    outputs, inputs, rows, columns = weight.shape
    step = ALIGNMENT // weight.element_size()
    after = weight.stride(3) if columns > 1 else weight.stride(0)
    wanted = columns * after, after
    ordered = weight.stride(1) == 1 or inputs == 1
    ordered &= columns == 1 or (weight.stride()[2:] == wanted and after >= inputs)
    ordered &= weight.stride(0) >= rows * columns * inputs or outputs == 1
    if ordered and not (after % step or weight.stride(0) % step or weight.data_ptr() % ALIGNMENT):
        return weight
    room = weight.new_empty(outputs, rows, columns, rounded_up(inputs, weight.dtype))
    return room[..., :inputs].copy_(weight.movedim(1, -1)).movedim(-1, 1)
