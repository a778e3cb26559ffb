"""The fused GSTA in the place of the reference: same weights, same values and gradients, less memory, streams."""

import pytest
import torch

from bench.memory_use import peak_bytes
from vdeblur_fast.modules import GSTA
from vdeblur_fast.ops import use_backend
from vdeblur_fast.reference.modules.gsta import GSTA as ReferenceGSTA


def clip(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(sum(shape)))


def pair(*sizes: int, **options) -> tuple[GSTA, ReferenceGSTA]:
    torch.manual_seed(0)
    fused, reference = GSTA(*sizes, **options), ReferenceGSTA(*sizes, **options)
    reference.load_state_dict(fused.state_dict(), strict=True)
    return fused, reference


@pytest.mark.parametrize("sizes", [(64, 16, 4), (8, 1, 1), (33, 8, 8), (256, 32, 4)])
@torch.no_grad()
def test_float32_is_within_1e_5_of_float64(sizes):
    fused, reference = pair(*sizes)
    x = clip(2, 3, sizes[0], 23, 31)
    y, mask = fused(x, return_mask=True)
    want, want_mask = reference.double()(x.double(), return_mask=True)
    assert (y - want).abs().max() <= 1e-5 * want.abs().max()
    torch.testing.assert_close(mask.double(), want_mask, rtol=1e-5, atol=0)


@torch.no_grad()
def test_bfloat16_is_as_good_as_pytorchs():
    fused, reference = pair(32, 8, 4)
    x = clip(1, 5, 32, 40, 56).bfloat16()
    want = reference.double()(x.double())
    same = reference.bfloat16()(x)
    got = fused.bfloat16()(x)
    assert got.dtype == torch.bfloat16
    assert (got.double() - want).abs().max() <= 2 * (same.double() - want).abs().max()


def test_gradients_are_the_references():
    fused, reference = pair(12, 4, 3)
    x = clip(2, 3, 12, 9, 11)
    gradients = []
    for module in (fused, reference):
        leaf = x.clone().requires_grad_()
        y, mask = module(leaf, return_mask=True)
        ((y * clip(*y.shape)).sum() + mask.square().sum()).backward()
        gradients.append({"x": leaf.grad} | {name: p.grad for name, p in module.named_parameters()})
    for name, want in gradients[1].items():
        torch.testing.assert_close(gradients[0][name], want, rtol=1e-4, atol=1e-5, msg=lambda m, n=name: f"{n}: {m}")


def test_it_compiles_to_one_graph_without_recompiling():
    fused, _ = pair(16, 4, 2)
    torch.compiler.reset()
    compiled = torch.compile(fused, fullgraph=True, backend="aot_eager")
    with torch._dynamo.config.patch(error_on_recompile=True):
        for _ in range(2):
            x = clip(1, 3, 16, 8, 9)
            with torch.no_grad():
                assert torch.equal(compiled(x), fused(x))
            for backend in ("reference", "cpu"):
                with use_backend(backend), torch.no_grad():
                    torch.testing.assert_close(compiled(x), fused(x))


def test_channels_last_frames_are_read_as_they_lie():
    fused, _ = pair(16, 4, 2)
    x = clip(2, 3, 16, 10, 12)
    last = x.movedim(2, -1).contiguous().movedim(-1, 2)
    with torch.no_grad():
        y = fused(last)
        torch.testing.assert_close(y, fused(x))
    assert y.is_contiguous(memory_format=torch.channels_last)


@torch.no_grad()
def test_extra_memory_is_under_a_fiftieth_of_the_references():
    fused, reference = pair(64, 16, 4)
    x = clip(1, 5, 64, 96, 128)
    result = x[:, 0].nbytes
    ours, theirs = (peak_bytes(lambda m=module: m(x)) - result for module in (fused, reference))
    assert ours < theirs / 50, f"{ours} bytes beside {theirs}"


@torch.no_grad()
def test_an_output_frame_costs_one_squeeze_and_one_distribution_whatever_the_window(monkeypatch):
    fused, _ = pair(8, 4, 2)
    calls = []
    for name in ("spatial_squeeze", "temporal_squeeze", "pixel_distribute"):
        whole = getattr(GSTA.ops, name)
        monkeypatch.setattr(GSTA.ops, name, lambda *a, n=name, f=whole, **k: calls.append(n) or f(*a, **k))
    frames, summaries = clip(25, 8, 7, 9), []
    for frame in frames:
        calls.clear()
        summaries.append(fused.squeeze(frame[None]))
        y = fused.distribute(frame[None], summaries)
        assert calls == ["spatial_squeeze", "temporal_squeeze", "pixel_distribute"]
    torch.testing.assert_close(y, fused(frames[None], center=24))
