"""attention_mix on the GPU: a program mixes BLOCK_C channels of BLOCK_P pixels of one image.

The logits are read for their maximum, and again, from the cache, with the estimates, which are read once: numerators
times estimates are summed and divided at the end. Per pixel J * K * C estimates and C mixtures move.
"""

import triton
import triton.language as tl
from torch import Tensor

from .launching import Blocks, pixel_strides, power_of_two


@triton.jit
def peak_of(p_logits, o_p, count, stride, m_p, BLOCK_P: tl.constexpr):
    """The largest of `count` logits of each pixel, `stride` apart."""
    b_peak = tl.full((BLOCK_P,), float("-inf"), tl.float32)
    for _ in range(count):
        b_peak = tl.maximum(b_peak, tl.load(p_logits + o_p, mask=m_p, other=0.0).to(tl.float32))
        p_logits += stride
    return b_peak


@triton.jit
def mix_kernel(
    estimates,
    logits,
    outer,
    mixed,
    J,
    K,
    C,
    P,
    W,
    estimates_batch_stride,
    estimates_group_stride,
    estimates_branch_stride,
    estimates_channel_stride,
    estimates_row_stride,
    estimates_pixel_stride,
    logits_batch_stride,
    logits_group_stride,
    logits_branch_stride,
    logits_row_stride,
    logits_pixel_stride,
    outer_batch_stride,
    outer_group_stride,
    outer_row_stride,
    outer_pixel_stride,
    FLAT: tl.constexpr,
    NESTED: tl.constexpr,
    SOFTMAX: tl.constexpr,
    BLOCK_C: tl.constexpr,
    BLOCK_P: tl.constexpr,
):
    i_b = tl.program_id(1).to(tl.int64)
    o_p = tl.program_id(0) * BLOCK_P + tl.arange(0, BLOCK_P)
    o_c = tl.program_id(2) * BLOCK_C + tl.arange(0, BLOCK_C)
    m_p = o_p < P
    m_cp = (o_c < C)[:, None] & m_p[None, :]
    o_row, o_pixel = (o_p // W).to(tl.int64), (o_p % W).to(tl.int64)
    if FLAT:
        o_row, o_pixel = tl.zeros((BLOCK_P,), tl.int64), o_p.to(tl.int64)
    o_e = o_row * estimates_row_stride + o_pixel * estimates_pixel_stride
    o_e = o_c.to(tl.int64)[:, None] * estimates_channel_stride + o_e[None, :]
    o_l = o_row * logits_row_stride + o_pixel * logits_pixel_stride
    o_o = o_row * outer_row_stride + o_pixel * outer_pixel_stride
    p_e = estimates + i_b * estimates_batch_stride
    p_l = logits + i_b * logits_batch_stride
    p_o = outer + i_b * outer_batch_stride
    b_mixed = tl.zeros((BLOCK_C, BLOCK_P), tl.float32)
    b_outer_total = tl.zeros((BLOCK_P,), tl.float32)
    if NESTED and SOFTMAX:
        b_outer_peak = peak_of(p_o, o_o, J, outer_group_stride, m_p, BLOCK_P)
    for _ in range(J):
        p_lk, p_ek = p_l, p_e
        if SOFTMAX:
            b_peak = peak_of(p_l, o_l, K, logits_branch_stride, m_p, BLOCK_P)
        b_sum = tl.zeros((BLOCK_C, BLOCK_P), tl.float32)
        b_total = tl.zeros((BLOCK_P,), tl.float32)
        for _ in range(K):
            b_share = tl.load(p_lk + o_l, mask=m_p, other=0.0).to(tl.float32)
            if SOFTMAX:
                b_share = tl.exp(b_share - b_peak)
                b_total += b_share
            b_sum += b_share[None, :] * tl.load(p_ek + o_e, mask=m_cp, other=0.0).to(tl.float32)
            p_lk += logits_branch_stride
            p_ek += estimates_branch_stride
        b_scale = tl.full((BLOCK_P,), 1.0, tl.float32)
        if NESTED:
            b_scale = tl.load(p_o + o_o, mask=m_p, other=0.0).to(tl.float32)
            if SOFTMAX:
                b_scale = tl.exp(b_scale - b_outer_peak)
                b_outer_total += b_scale
        if SOFTMAX:
            b_scale = b_scale / b_total
        b_mixed += b_scale[None, :] * b_sum
        p_l += logits_group_stride
        p_e += estimates_group_stride
        p_o += outer_group_stride
    if NESTED and SOFTMAX:
        b_mixed = b_mixed / b_outer_total[None, :]
    p_mixed = mixed + (i_b * C + o_c.to(tl.int64)[:, None]) * P + o_p[None, :]
    tl.store(p_mixed, b_mixed.to(mixed.dtype.element_ty), mask=m_cp)


def blocks(channels: int) -> Blocks:
    c = min(16, power_of_two(channels, 1))
    return Blocks({"BLOCK_C": c, "BLOCK_P": 1024 if c <= 4 else max(128, 1024 // c)}, 4)


def why_not(*_: Tensor | str | None) -> list[str]:
    return []


def launch(mixed: Tensor, estimates: Tensor, logits: Tensor, outer: Tensor | None, normalize: str) -> None:
    """Fills `mixed` of `vdeblur_fast.ops.attention_mix.outputs`, on the current stream."""
    if nested := outer is not None:
        groups, branches = estimates.shape[1:3]
    else:
        groups, branches = 1, estimates.shape[1]
        estimates, logits, outer = estimates[:, None], logits[:, None], logits
    batch, channels, height, width = mixed.shape
    chosen = blocks(channels)
    strides = [pixel_strides(tensor) for tensor in (estimates, logits, outer)]
    (e_row, e_pixel, _), (l_row, l_pixel, _), (o_row, o_pixel, _) = strides
    pixels = height * width
    mix_kernel[(triton.cdiv(pixels, chosen.sizes["BLOCK_P"]), batch, triton.cdiv(channels, chosen.sizes["BLOCK_C"]))](
        estimates,
        logits,
        outer,
        mixed,
        groups,
        branches,
        channels,
        pixels,
        width,
        *estimates.stride()[:4],
        e_row,
        e_pixel,
        *logits.stride()[:3],
        l_row,
        l_pixel,
        *outer.stride()[:2],
        o_row,
        o_pixel,
        FLAT=all(flat for *_, flat in strides),
        NESTED=nested,
        SOFTMAX=normalize == "softmax",
        **chosen.sizes,
        **chosen.options(),
    )
