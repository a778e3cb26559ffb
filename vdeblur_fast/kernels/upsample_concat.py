"""upsample_concat on the GPU: BLOCK_P neighbouring numbers of one row of the result by a program.

Four numbers of the small picture make one of the large one, all of them near one another; a number of the other picture
is copied. Per number one is written, and on average less than one comes from memory. The channels are known to the
compiler, so that what number belongs to which pixel takes no division.
"""

import triton
import triton.language as tl
from torch import Tensor

from .launching import Blocks


@triton.jit
def between_which(o_y, size, ALIGN_CORNERS: tl.constexpr):
    """For places in the large picture: two of the small one, and how far they lie from the one to the other."""
    if ALIGN_CORNERS:
        whole = 2 * size - 1
        o_at = o_y * (size - 1)
    else:
        whole = 4
        o_at = tl.maximum(2 * o_y - 1, 0)
    o_first = o_at // whole
    b_share = (o_at % whole).to(tl.float32) / whole
    return o_first, tl.minimum(o_first + 1, size - 1), b_share


@triton.jit
def upsample_kernel(
    x,
    other,
    y,
    H,
    W,
    x_batch_stride,
    x_channel_stride,
    x_row_stride,
    x_pixel_stride,
    other_batch_stride,
    other_channel_stride,
    other_row_stride,
    other_pixel_stride,
    C: tl.constexpr,
    D: tl.constexpr,
    ALIGN_CORNERS: tl.constexpr,
    SKIP_FIRST: tl.constexpr,
    BLOCK_P: tl.constexpr,
):
    across = tl.cdiv(2 * W * (C + D), BLOCK_P)
    i_row, i_b = tl.program_id(0) // across, tl.program_id(1).to(tl.int64)
    o_p = tl.program_id(0) % across * BLOCK_P + tl.arange(0, BLOCK_P)
    o_channel, o_column = o_p % (C + D), o_p // (C + D)
    o_own, o_others = o_channel, o_channel - C
    if SKIP_FIRST:
        o_own, o_others = o_channel - D, o_channel
    m_own = (o_own >= 0) & (o_own < C)
    m_p = o_column < 2 * W
    m_x, m_other = m_p & m_own, m_p & (o_others >= 0) & (o_others < D)
    i_upper, i_lower, down = between_which(i_row, H, ALIGN_CORNERS)
    o_left, o_right, b_across = between_which(o_column, W, ALIGN_CORNERS)
    p_x = x + i_b * x_batch_stride + o_own.to(tl.int64) * x_channel_stride
    p_upper, p_lower = p_x + i_upper.to(tl.int64) * x_row_stride, p_x + i_lower.to(tl.int64) * x_row_stride
    o_left, o_right = o_left.to(tl.int64) * x_pixel_stride, o_right.to(tl.int64) * x_pixel_stride
    b_left = (1.0 - down) * tl.load(p_upper + o_left, mask=m_x, other=0.0).to(tl.float32)
    b_left += down * tl.load(p_lower + o_left, mask=m_x, other=0.0).to(tl.float32)
    b_right = (1.0 - down) * tl.load(p_upper + o_right, mask=m_x, other=0.0).to(tl.float32)
    b_right += down * tl.load(p_lower + o_right, mask=m_x, other=0.0).to(tl.float32)
    p_other = other + i_b * other_batch_stride + i_row.to(tl.int64) * other_row_stride
    p_other += o_others.to(tl.int64) * other_channel_stride + o_column.to(tl.int64) * other_pixel_stride
    b_other = tl.load(p_other, mask=m_other, other=0.0).to(tl.float32)
    b_y = tl.where(m_own, (1.0 - b_across) * b_left + b_across * b_right, b_other)
    p_y = y + (i_b * 2 * H + i_row) * 2 * W * (C + D)
    tl.store(p_y + o_p, b_y.to(y.dtype.element_ty), mask=m_p)


def blocks() -> Blocks:
    return Blocks({"BLOCK_P": 1024}, 4)


def why_not(*_: Tensor | bool) -> list[str]:
    return []


def launch(y: Tensor, x: Tensor, skip: Tensor, align_corners: bool, skip_first: bool) -> None:
    """Fills `y` of `vdeblur_fast.ops.upsample_concat.outputs`, on the current stream."""
    batch, channels, height, width = x.shape
    own, others, chosen = channels, skip.shape[1], blocks()
    across = triton.cdiv(2 * width * (own + others), chosen.sizes["BLOCK_P"])
    upsample_kernel[across * 2 * height, batch](
        x,
        skip,
        y,
        height,
        width,
        *x.stride(),
        *skip.stride(),
        C=own,
        D=others,
        ALIGN_CORNERS=align_corners,
        SKIP_FIRST=skip_first,
        **chosen.sizes,
        **chosen.options(),
    )
