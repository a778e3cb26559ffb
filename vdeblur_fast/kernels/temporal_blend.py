"""temporal_blend on the GPU: after the convolution, a program blends BLOCK_P neighbouring numbers.

The convolution is cuDNN's, without its bias, which is added here: it would be a pass of its own. Per number three are
read and one is written.
"""

import torch
import triton
import triton.language as tl
from torch import Tensor
from torch.nn.functional import conv2d

from .launching import Blocks, pixel_strides


@triton.jit
def blend_kernel(
    similarity,
    bias,
    current,
    previous,
    beta,
    blended,
    C,
    P,
    W,
    per_plane,
    similarity_batch_stride,
    similarity_channel_stride,
    similarity_row_stride,
    similarity_pixel_stride,
    current_batch_stride,
    current_channel_stride,
    current_row_stride,
    current_pixel_stride,
    previous_batch_stride,
    previous_channel_stride,
    previous_row_stride,
    previous_pixel_stride,
    blended_batch_stride,
    blended_channel_stride,
    blended_row_stride,
    blended_pixel_stride,
    FLAT: tl.constexpr,
    CHANNELS_LAST: tl.constexpr,
    BLOCK_P: tl.constexpr,
):
    i_plane = tl.program_id(0) // per_plane
    i_b, i_c = (i_plane // C).to(tl.int64), (i_plane % C).to(tl.int64)
    o_p = (tl.program_id(0) % per_plane) * BLOCK_P + tl.arange(0, BLOCK_P)
    m_p = o_p < P
    o_row, o_pixel = (o_p // W).to(tl.int64), (o_p % W).to(tl.int64)
    if FLAT:
        o_row, o_pixel = tl.zeros((BLOCK_P,), tl.int64), o_p.to(tl.int64)
    p_z = similarity + i_b * similarity_batch_stride + i_c * similarity_channel_stride
    p_x = current + i_b * current_batch_stride + i_c * current_channel_stride
    p_h = previous + i_b * previous_batch_stride + i_c * previous_channel_stride
    p_y = blended + i_b * blended_batch_stride + i_c * blended_channel_stride
    o_z = o_row * similarity_row_stride + o_pixel * similarity_pixel_stride
    o_x = o_row * current_row_stride + o_pixel * current_pixel_stride
    o_h = o_row * previous_row_stride + o_pixel * previous_pixel_stride
    o_y = o_row * blended_row_stride + o_pixel * blended_pixel_stride
    b_z = tl.load(p_z + o_z, mask=m_p, other=0.0).to(tl.float32)
    b_x = tl.load(p_x + o_x, mask=m_p, other=0.0).to(tl.float32)
    b_h = tl.load(p_h + o_h, mask=m_p, other=0.0).to(tl.float32)
    if CHANNELS_LAST:
        b_z += tl.load(bias + o_p % W, mask=m_p, other=0.0)
    else:
        b_z += tl.load(bias + i_c)
    # |tanh z| without overflow; comparisons, unlike minimum and maximum, let a NaN through.
    b_e = tl.exp(-2.0 * tl.abs(b_z))
    b_beta = tl.load(beta)
    b_beta = tl.where(b_beta < 0.0, 0.0, tl.where(b_beta > 1.0, 1.0, b_beta))
    b_w = (1.0 - b_e) / (1.0 + b_e) + b_beta
    b_w = tl.where(b_w > 1.0, 1.0, b_w)
    b_y = b_w * b_x + (1.0 - b_w) * b_h
    tl.store(p_y + o_y, b_y.to(blended.dtype.element_ty), mask=m_p)


def blocks() -> Blocks:
    return Blocks({"BLOCK_P": 2048}, 4)


def why_not(*_: Tensor) -> list[str]:
    return []


def launch(blended: Tensor, current: Tensor, previous: Tensor, weight: Tensor, bias: Tensor, beta: Tensor) -> None:
    """Fills `blended` of `vdeblur_fast.ops.temporal_blend.outputs`, on the current stream."""
    pair = torch.cat([current, previous], 1)
    similarity = conv2d(pair, weight.to(pair), padding=weight.shape[-1] // 2)
    frames = [similarity, current, previous, blended]
    last = blended.stride(1) == 1 and blended.shape[1] > 1
    if last:  # neighbours in memory become neighbours in the program: channels are its pixels
        frames = [frame.movedim(1, -1) for frame in frames]
    batch, channels, height, width = frames[0].shape
    chosen = blocks()
    per_plane = triton.cdiv(height * width, chosen.sizes["BLOCK_P"])
    strides = [pixel_strides(frame) for frame in frames]
    blend_kernel[(batch * channels * per_plane,)](
        similarity,
        bias.float().contiguous(),
        current,
        previous,
        beta.float(),
        blended,
        channels,
        height * width,
        width,
        per_plane,
        *(s for frame, (row, pixel, _) in zip(frames, strides, strict=True) for s in (*frame.stride()[:2], row, pixel)),
        FLAT=all(flat for *_, flat in strides),
        CHANNELS_LAST=last,
        **chosen.sizes,
        **chosen.options(),
    )
