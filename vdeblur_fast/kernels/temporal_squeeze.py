"""temporal_squeeze on the GPU: a program mixes some vectors of one clip for one temporal map.

Each program computes the softmax over the frames for itself (T * C multiply-adds); everything fits into registers.
"""

import triton
import triton.language as tl
from torch import Tensor

from .launching import Blocks, power_of_two

MOST_FRAMES = 128


@triton.jit
def mix_kernel(
    aggregate,
    mean,
    weight,
    bias,
    mixed,
    T,
    C,
    V,
    N,
    BLOCK_T: tl.constexpr,
    BLOCK_C: tl.constexpr,
    BLOCK_V: tl.constexpr,
):
    i_b, i_n = tl.program_id(0).to(tl.int64), tl.program_id(1)
    o_t, o_c = tl.arange(0, BLOCK_T), tl.arange(0, BLOCK_C)
    m_t = o_t < T
    b_logits = tl.zeros((BLOCK_T,), tl.float32)
    for i_c in range(0, C, BLOCK_C):
        m_c = i_c + o_c < C
        p_mean = mean + i_b * T * C + o_t[:, None] * C + i_c + o_c[None, :]
        b_mean = tl.load(p_mean, mask=m_t[:, None] & m_c[None, :], other=0.0)
        b_weight = tl.load(weight + i_n * C + i_c + o_c, mask=m_c, other=0.0)
        b_logits += tl.sum(b_mean * b_weight[None, :], 1)
    b_logits = tl.where(m_t, b_logits + tl.load(bias + i_n), float("-inf"))
    b_e = tl.exp(b_logits - tl.max(b_logits, 0))
    b_attention = b_e / tl.sum(b_e, 0)
    o_v = tl.program_id(2) * BLOCK_V + tl.arange(0, BLOCK_V)
    m_v = o_v < V
    p_aggregate = aggregate + i_b * T * V + o_t.to(tl.int64)[:, None] * V + o_v[None, :]
    b_aggregate = tl.load(p_aggregate, mask=m_t[:, None] & m_v[None, :], other=0.0)
    b_mixed = tl.sum(b_aggregate * b_attention[:, None], 0)
    tl.store(mixed + i_b * V * N + o_v * N + i_n, b_mixed, mask=m_v)


def blocks(frames: int) -> Blocks:
    t = power_of_two(frames, 1)
    return Blocks({"BLOCK_T": t, "BLOCK_C": 32, "BLOCK_V": max(32, min(256, 4096 // t))}, 4)


def why_not(aggregate: Tensor, *_: Tensor) -> list[str]:
    frames = aggregate.shape[1]
    return [f"takes up to {MOST_FRAMES} frames, got {frames}"] if frames > MOST_FRAMES else []


def launch(mixed: Tensor, aggregate: Tensor, mean: Tensor, weight: Tensor, bias: Tensor) -> None:
    """Fills `mixed` of `vdeblur_fast.ops.temporal_squeeze.outputs`, on the current stream."""
    batch, frames, channels, maps = aggregate.shape
    vectors, times = channels * maps, weight.shape[0]
    chosen = blocks(frames)
    given = (t.float().contiguous() for t in (aggregate, mean, weight, bias))
    mix_kernel[(batch, times, triton.cdiv(vectors, chosen.sizes["BLOCK_V"]))](
        *given, mixed, frames, channels, vectors, times, **chosen.sizes, **chosen.options()
    )
