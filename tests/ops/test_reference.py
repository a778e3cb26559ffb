"""The reference operators against the paper's equations, written out pixel by pixel, and their gradients."""

import torch
from torch.autograd import gradcheck

from vdeblur_fast.reference import ops

B, T, C, H, W, M, N = 2, 3, 4, 3, 5, 3, 2


def double(*shape: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed + sum(shape))
    return torch.randn(shape, generator=generator, dtype=torch.float64).requires_grad_()


def squeeze_inputs():
    return double(B, T, C, H, W), double(M, C), double(M), double(C), double(1)


def test_spatial_squeeze_is_the_papers_equations():
    x, weight, bias, gate_weight, gate_bias = squeeze_inputs()
    got = ops.spatial_squeeze(x, weight, bias, gate_weight, gate_bias, return_mask=True, return_statistics=True)
    for b in range(B):
        for t in range(T):
            pixels = [x[b, t, :, i, j] for i in range(H) for j in range(W)]
            for m in range(M):
                logits = [weight[m] @ p + bias[m] for p in pixels]
                powers = [logit.exp() for logit in logits]
                open_gate = [1 - torch.sigmoid(gate_weight @ p + gate_bias) for p in pixels]
                want = sum(e / sum(powers) * g * p for e, g, p in zip(powers, open_gate, pixels, strict=True))
                torch.testing.assert_close(got.aggregate[b, t, :, m], want)
                torch.testing.assert_close(got.peak[b, t, m], max(logits))
                torch.testing.assert_close(got.total[b, t, m] * got.peak[b, t, m].exp(), sum(powers))
            torch.testing.assert_close(got.mean[b, t], sum(pixels) / len(pixels))
    torch.testing.assert_close(1 - got.mask[-1, -1, 0, -1, -1], open_gate[-1][0])


def test_a_given_mask_replaces_the_gate():
    x, weight, bias, gate_weight, gate_bias = squeeze_inputs()
    gated = ops.spatial_squeeze(x, weight, bias, gate_weight, gate_bias, return_mask=True)
    masked = ops.spatial_squeeze(x, weight, bias, mask=gated.mask)
    torch.testing.assert_close(masked.aggregate, gated.aggregate)


def test_temporal_squeeze_numbers_its_maps_m_times_n_plus_n():
    aggregate, mean, weight, bias = double(B, T, C, M), double(B, T, C), double(N, C), double(N)
    got = ops.temporal_squeeze(aggregate, mean, weight, bias)
    for n in range(N):
        attention = torch.stack([mean[:, t] @ weight[n] + bias[n] for t in range(T)]).softmax(0)
        for m in range(M):
            want = sum(attention[t][:, None] * aggregate[:, t, :, m] for t in range(T))
            torch.testing.assert_close(got[:, :, m * N + n], want)


def test_pixel_distribute_is_the_papers_equations():
    x, aggregate, weight, bias = double(B, C, H, W), double(B, C, M * N), double(M * N, C), double(M * N)
    got = ops.pixel_distribute(x, aggregate, weight, bias)
    for b in range(B):
        for i in range(H):
            for j in range(W):
                want = aggregate[b] @ (weight @ x[b, :, i, j] + bias).softmax(0)
                torch.testing.assert_close(got[b, :, i, j], want)


def test_spatial_squeeze_gradients():
    def everything(*inputs):
        return ops.spatial_squeeze(*inputs, return_mask=True, return_statistics=True)

    x, *rest = squeeze_inputs()
    assert gradcheck(everything, (x[:1, :2].detach().requires_grad_(), *rest))
    masked = lambda x, weight, bias, mask: ops.spatial_squeeze(x, weight, bias, mask=mask)[:2]  # noqa: E731
    assert gradcheck(masked, (x[:1, :1].detach().requires_grad_(), *rest[:2], double(1, 1, 1, H, W)))


def test_temporal_squeeze_gradients():
    assert gradcheck(ops.temporal_squeeze, (double(B, T, C, M), double(B, T, C), double(N, C), double(N)))


def test_pixel_distribute_gradients():
    inputs = double(1, C, H, W), double(1, C, M * N), double(M * N, C), double(M * N)
    assert gradcheck(ops.pixel_distribute, inputs)


def test_half_types_are_computed_in_float32():
    x, weight, bias, gate_weight, gate_bias = (t.detach().bfloat16() for t in squeeze_inputs())
    half = ops.spatial_squeeze(x, weight, bias, gate_weight, gate_bias, return_mask=True)
    full = ops.spatial_squeeze(x.float(), weight, bias, gate_weight, gate_bias)
    assert half.aggregate.dtype == half.mean.dtype == torch.float32
    assert half.mask.dtype == torch.bfloat16
    assert torch.equal(half.aggregate, full.aggregate)
    assert ops.pixel_distribute(x[:, 0], half.aggregate[:, 0], weight, bias).dtype == torch.bfloat16
