"""spatial_squeeze on the GPU: frames are cut into splits, a program squeezes one; a second kernel merges the splits.

A program holds BLOCK_C channels x BLOCK_P pixels of x, read once, with (maps x channels) sums and the statistics of an
online softmax in registers. Per pixel C numbers are read and one is written where the gate is asked for; 4 * C * M
operations.
"""

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from .launching import Blocks, dot_with_frames, pixel_strides, power_of_two, processors, splits_frames


@triton.jit
def squeeze_kernel(
    x,
    weight,
    bias,
    gate_weight,
    gate_bias,
    mask,
    gate,
    sums,
    peaks,
    totals,
    means,
    T,
    C,
    M,
    P,
    W,
    batch_stride,
    frame_stride,
    channel_stride,
    row_stride,
    pixel_stride,
    splits,
    blocks_each,
    FLAT: tl.constexpr,
    GATED: tl.constexpr,
    MASKED: tl.constexpr,
    RETURN_GATE: tl.constexpr,
    SPLIT: tl.constexpr,
    BLOCK_C: tl.constexpr,
    BLOCK_K: tl.constexpr,
    BLOCK_M: tl.constexpr,
    BLOCK_P: tl.constexpr,
):
    i_split = tl.program_id(0)
    i_frame = (i_split // splits).to(tl.int64)
    o_c, o_m = tl.arange(0, BLOCK_C), tl.arange(0, BLOCK_M)
    m_c, m_m = o_c < C, o_m < M
    m_mc = m_m[:, None] & m_c[None, :]
    if BLOCK_K == BLOCK_C:
        b_weight = tl.load(weight + o_m[:, None] * C + o_c[None, :], mask=m_mc, other=0.0)
    b_bias = tl.load(bias + o_m, mask=m_m, other=0.0)
    p_frame = x + (i_frame // T) * batch_stride + (i_frame % T) * frame_stride
    p_x = p_frame + o_c.to(tl.int64)[:, None] * channel_stride
    b_sums = tl.zeros((BLOCK_M, BLOCK_C), tl.float32)
    b_peak = tl.full((BLOCK_M,), -3.0e38, tl.float32)
    b_total = tl.zeros((BLOCK_M,), tl.float32)
    b_mean = tl.zeros((BLOCK_C,), tl.float32)
    first = (i_split % splits) * blocks_each
    for i in range(first, min(first + blocks_each, tl.cdiv(P, BLOCK_P))):
        o_p = i * BLOCK_P + tl.arange(0, BLOCK_P)
        m_p = o_p < P
        if FLAT:
            o_x = o_p.to(tl.int64) * pixel_stride
        else:
            o_x = (o_p // W).to(tl.int64) * row_stride + (o_p % W).to(tl.int64) * pixel_stride
        b_frame = tl.load(p_x + o_x[None, :], mask=m_c[:, None] & m_p[None, :], other=0.0)
        b_x = b_frame.to(tl.float32)
        b_logits = tl.zeros((BLOCK_M, BLOCK_P), tl.float32)
        if BLOCK_K == BLOCK_C:
            b_logits = dot_with_frames(b_weight, b_frame, b_logits, SPLIT)
        else:
            # All the weights would not fit into the registers: some channels at a time, from the cache.
            for i_k in range(0, C, BLOCK_K):
                o_k = i_k + tl.arange(0, BLOCK_K)
                m_k = o_k < C
                p_w, m_mk = weight + o_m[:, None] * C + o_k[None, :], m_m[:, None] & m_k[None, :]
                p_k = p_frame + o_k.to(tl.int64)[:, None] * channel_stride + o_x[None, :]
                b_k = tl.load(p_k, mask=m_k[:, None] & m_p[None, :], other=0.0)
                b_w = tl.load(p_w, mask=m_mk, other=0.0)
                b_logits = dot_with_frames(b_w, b_k, b_logits, SPLIT)
        b_logits += b_bias[:, None]
        b_logits = tl.where(m_p[None, :], b_logits, float("-inf"))
        b_new = tl.maximum(b_peak, tl.max(b_logits, 1))
        b_scale = tl.exp(b_peak - b_new)
        b_e = tl.exp(b_logits - b_new[:, None])
        b_total = b_total * b_scale + tl.sum(b_e, 1)
        b_peak = b_new
        if GATED:
            b_gate_weight = tl.load(gate_weight + o_c, mask=m_c, other=0.0)
            b_z = tl.sum(b_x * b_gate_weight[:, None], 0) + tl.load(gate_bias)
            if RETURN_GATE:
                tl.store(gate + i_frame * P + o_p, 1.0 / (1.0 + tl.exp(-b_z)), mask=m_p)
            b_e = b_e * (1.0 / (1.0 + tl.exp(b_z)))[None, :]
        if MASKED:
            b_mask = tl.load(mask + i_frame * P + o_p, mask=m_p, other=0.0)
            b_e = b_e * (1.0 - b_mask)[None, :]
        b_sums = dot_with_frames(b_e, tl.trans(b_frame), b_sums * b_scale[:, None], SPLIT)
        b_mean += tl.sum(b_x, 1)
    i_split = i_split.to(tl.int64)
    tl.store(sums + i_split * C * M + o_c[None, :] * M + o_m[:, None], b_sums, mask=m_mc)
    tl.store(peaks + i_split * M + o_m, b_peak, mask=m_m)
    tl.store(totals + i_split * M + o_m, b_total, mask=m_m)
    tl.store(means + i_split * C + o_c, b_mean, mask=m_c)


@triton.jit
def merge_kernel(
    sums,
    peaks,
    totals,
    means,
    aggregate,
    mean,
    peak,
    total,
    C,
    M,
    P,
    splits,
    RETURN_STATISTICS: tl.constexpr,
    BLOCK_C: tl.constexpr,
    BLOCK_M: tl.constexpr,
    BLOCK_S: tl.constexpr,
):
    i_frame = tl.program_id(0).to(tl.int64)
    o_c, o_m = tl.program_id(1) * BLOCK_C + tl.arange(0, BLOCK_C), tl.arange(0, BLOCK_M)
    m_c, m_m = o_c < C, o_m < M
    m_cm = m_c[:, None] & m_m[None, :]
    o_cm = o_c[:, None] * M + o_m[None, :]
    # First the peak over all splits, then sums that wait for nothing but their own numbers.
    b_peak = tl.full((BLOCK_M,), -3.0e38, tl.float32)
    for i in range(0, splits, BLOCK_S):
        o_s = i + tl.arange(0, BLOCK_S)
        m_sm = (o_s < splits)[:, None] & m_m[None, :]
        p_part = (i_frame * splits + o_s)[:, None] * M + o_m[None, :]
        b_peak = tl.maximum(b_peak, tl.max(tl.load(peaks + p_part, mask=m_sm, other=-3.0e38), 0))
    b_sums = tl.zeros((BLOCK_C, BLOCK_M), tl.float32)
    b_total = tl.zeros((BLOCK_M,), tl.float32)
    b_mean = tl.zeros((BLOCK_C,), tl.float32)
    for i in range(0, splits, BLOCK_S):
        o_s = i + tl.arange(0, BLOCK_S)
        m_s, o_split = o_s < splits, i_frame * splits + o_s
        m_sm = m_s[:, None] & m_m[None, :]
        p_part = o_split[:, None] * M + o_m[None, :]
        b_share = tl.exp(tl.load(peaks + p_part, mask=m_sm, other=-3.0e38) - b_peak[None, :])
        b_total += tl.sum(tl.load(totals + p_part, mask=m_sm, other=0.0) * b_share, 0)
        p_sums = sums + o_split[:, None, None] * C * M + o_cm[None, :, :]
        b_parts = tl.load(p_sums, mask=m_s[:, None, None] & m_cm[None, :, :], other=0.0)
        b_sums += tl.sum(b_parts * b_share[:, None, :], 0)
        p_mean = means + o_split[:, None] * C + o_c[None, :]
        b_mean += tl.sum(tl.load(p_mean, mask=m_s[:, None] & m_c[None, :], other=0.0), 0)
    tl.store(aggregate + i_frame * C * M + o_cm, b_sums / b_total[None, :], mask=m_cm)
    tl.store(mean + i_frame * C + o_c, b_mean / P, mask=m_c)
    if RETURN_STATISTICS:  # noqa: SIM102  (one is known to the compiler, the other to the program)
        if tl.program_id(1) == 0:
            # A NaN total means a NaN logit, which the maximum does not show.
            tl.store(peak + i_frame * M + o_m, tl.where(b_total == b_total, b_peak, b_total), mask=m_m)
            tl.store(total + i_frame * M + o_m, b_total, mask=m_m)


def blocks(channels: int, maps: int, dtype: torch.dtype) -> Blocks:
    """The wider the frame, the fewer pixels at once: x, the weights and the sums share the registers."""
    c = power_of_two(channels)
    together, pixels, warps = (c, 64, 4) if c <= 64 else (c, 32, 4) if c <= 128 else (64, 32, 8)
    if dtype == torch.float32 and c > 128:
        together, pixels = 32, 16
    return Blocks({"BLOCK_C": c, "BLOCK_K": together, "BLOCK_M": power_of_two(maps), "BLOCK_P": pixels}, warps)


def merge_blocks(maps: int) -> Blocks:
    """One program has few channels, so that there are many programs."""
    return Blocks({"BLOCK_C": 8, "BLOCK_M": power_of_two(maps), "BLOCK_S": 16}, 4)


def why_not(x: Tensor, weight: Tensor, *_: Any) -> list[str]:
    reasons = []
    if x.shape[2] > 256:
        reasons.append(f"takes up to 256 channels, got {x.shape[2]}")
    if weight.shape[0] > 32:
        reasons.append(f"takes up to 32 maps, got {weight.shape[0]}")
    return reasons


def launch(
    results: tuple[Tensor, ...],
    x: Tensor,
    weight: Tensor,
    bias: Tensor,
    gate_weight: Tensor | None,
    gate_bias: Tensor | None,
    mask: Tensor | None,
    return_mask: bool,
    return_statistics: bool,
) -> None:
    """Fills `results` of `vdeblur_fast.ops.spatial_squeeze.outputs`, on the current stream."""
    aggregate, mean, peak, total, gate = results
    batch, frames, channels, height, width = x.shape
    maps, pixels = weight.shape[0], height * width
    chosen = blocks(channels, maps, x.dtype)
    count = triton.cdiv(pixels, chosen.sizes["BLOCK_P"])
    wanted = min(count, max(2, triton.cdiv(4 * processors(x.device), batch * frames)))
    each = triton.cdiv(count, wanted)
    splits = triton.cdiv(count, each)
    parts = batch * frames * splits
    scratch = [x.new_empty(parts * size, dtype=torch.float32) for size in (channels * maps, maps, maps, channels)]
    row, pixel, flat = pixel_strides(x)
    given = [None if t is None else t.float().contiguous() for t in (weight, bias, gate_weight, gate_bias, mask)]
    squeeze_kernel[(parts,)](
        x,
        *(aggregate if t is None else t for t in given),
        gate,
        *scratch,
        frames,
        channels,
        maps,
        pixels,
        width,
        *x.stride()[:3],
        row,
        pixel,
        splits,
        each,
        FLAT=flat,
        GATED=gate_weight is not None,
        MASKED=mask is not None,
        RETURN_GATE=return_mask,
        SPLIT=splits_frames(x),
        **chosen.sizes,
        **chosen.options(),
    )
    chosen = merge_blocks(maps)
    merge_kernel[(batch * frames, triton.cdiv(channels, chosen.sizes["BLOCK_C"]))](
        *scratch,
        aggregate,
        mean,
        peak,
        total,
        channels,
        maps,
        pixels,
        splits,
        RETURN_STATISTICS=return_statistics,
        **chosen.sizes,
        **chosen.options(),
    )
