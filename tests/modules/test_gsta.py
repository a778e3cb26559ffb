"""GSTA as the paper has it: the identities that hold for any weights, for the reference and for the fused module."""

import pytest
import torch

from vdeblur_fast.modules import GSTA
from vdeblur_fast.reference.modules.frame_summary import FrameSummary
from vdeblur_fast.reference.modules.gsta import GSTA as ReferenceGSTA

MODULES = [pytest.param(ReferenceGSTA, id="reference"), pytest.param(GSTA, id="fused")]
SHAPES = {
    "spatial.weight": (6, 5, 1, 1),
    "spatial.bias": (6,),
    "gate.weight": (1, 5, 1, 1),
    "gate.bias": (1,),
    "temporal.weight": (3, 5, 1),
    "temporal.bias": (3,),
    "pixel.weight": (18, 5, 1, 1),
    "pixel.bias": (18,),
}


def clip(*shape: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(sum(shape))).to(dtype)


@pytest.fixture(params=MODULES)
def build(request):
    def build(*sizes: int, **options) -> ReferenceGSTA:
        torch.manual_seed(0)
        return request.param(*sizes, **options).requires_grad_(False)

    return build


def test_the_parameters_are_those_of_the_specification(build):
    assert {name: tuple(p.shape) for name, p in build(5, 6, 3).state_dict().items()} == SHAPES
    assert not any(name.startswith("gate") for name in build(5, 6, 3, gated=False).state_dict())


@pytest.mark.parametrize("center", [None, 0, 3, -1])
def test_it_is_the_composition_the_paper_writes(build, center):
    module, x = build(5, 6, 3), clip(2, 4, 5, 7, 9)
    y, mask = module(x, center, return_mask=True)
    for b in range(2):
        pixels = x[b].flatten(2)
        maps = (module.spatial(x[b]).flatten(2)).softmax(-1)
        gate = torch.sigmoid(module.gate(x[b]))
        spatial = torch.einsum("tmp,tp,tcp->tcm", maps, 1 - gate.flatten(1), pixels)
        times = module.temporal(pixels.mean(-1).T[None])[0].softmax(1)
        mixed = torch.einsum("tcm,nt->cmn", spatial, times).flatten(1)
        current = x[b, 4 // 2 if center is None else center]
        chosen = module.pixel(current[None])[0].softmax(0)
        torch.testing.assert_close(y[b], torch.einsum("ck,khw->chw", mixed, chosen))
        torch.testing.assert_close(mask[b], gate)


@pytest.mark.parametrize("frames", [1, 2, 5])
def test_streaming_equals_the_clip_at_once(build, frames):
    module, x = build(8, 4, 2), clip(2, frames, 8, 11, 6)
    summaries = [module.squeeze(x[:, t]) for t in range(frames)]
    for center in range(frames):
        torch.testing.assert_close(module.distribute(x[:, center], summaries), module(x, center))


def test_tiles_of_any_size_merge_into_the_frame(build):
    module, frame = build(8, 4, 2), 4 * clip(2, 8, 23, 31)
    top, bottom = frame[:, :, :5], frame[:, :, 5:]
    parts = [top[..., :30], top[..., 30:], bottom[..., :2], bottom[..., 2:]]
    merged = FrameSummary.merge([module.squeeze(part) for part in parts])
    whole = module.squeeze(frame)
    assert merged.pixels == whole.pixels == 23 * 31
    for name in ("aggregate", "mean", "peak", "total"):
        torch.testing.assert_close(getattr(merged, name), getattr(whole, name), msg=lambda m, n=name: f"{n}: {m}")
    again = FrameSummary.merge([FrameSummary.merge([module.squeeze(p) for p in parts[:2]]), module.squeeze(bottom)])
    torch.testing.assert_close(again.aggregate, whole.aggregate)


def test_without_the_gate_the_weights_over_all_positions_sum_to_one(build):
    module, x = build(5, 4, 2, gated=False), clip(1, 3, 5, 4, 6)
    y = module(x, 1)
    maps = module.spatial(x[0]).flatten(2).softmax(-1)  # (T, M, P)
    times = module.temporal(x[0].flatten(2).mean(-1).T[None])[0].softmax(1)  # (N, T)
    chosen = module.pixel(x[:, 1])[0].softmax(0).unflatten(0, (4, 2)).flatten(2)  # (M, N, P)
    dense = torch.einsum("mnp,tmq,nt->ptq", chosen, maps, times)
    assert dense.min() >= 0
    torch.testing.assert_close(dense.sum((1, 2)), torch.ones(24))
    torch.testing.assert_close(torch.einsum("ptq,tcq->cp", dense, x[0].flatten(2)), y[0].flatten(1))


def test_a_constant_clip_stays_as_it_is_without_the_gate(build):
    value = clip(5)
    y = build(5, 4, 2, gated=False)(value.view(1, 1, 5, 1, 1).expand(1, 3, 5, 8, 7))
    torch.testing.assert_close(y, value.view(1, 5, 1, 1).expand(1, 5, 8, 7))


def test_an_empty_batch_is_an_empty_result(build):
    y, mask = build(5, 4, 2)(clip(0, 3, 5, 4, 6), return_mask=True)
    assert y.shape == (0, 5, 4, 6)
    assert mask.shape == (0, 3, 1, 4, 6)


def test_mistakes_are_named(build):
    module = build(5, 4, 2)
    with pytest.raises(ValueError, match=r"must be \(B, T, C, H, W\).*got \(2, 5, 4, 4\)"):
        module(clip(2, 5, 4, 4))
    with pytest.raises(ValueError, match="one of 3 frames, got 3"):
        module(clip(1, 3, 5, 4, 4), center=3)
    with pytest.raises(ValueError, match="needs the gate"):
        build(5, gated=False)(clip(1, 3, 5, 4, 4), return_mask=True)
    with pytest.raises(ValueError, match="at least one frame"):
        module.distribute(clip(1, 5, 4, 4), [])
    with pytest.raises(ValueError, match="at least one tile"):
        FrameSummary.merge([])
    with pytest.raises(ValueError, match="peak, total and pixels"):
        FrameSummary.merge([FrameSummary(clip(1, 5, 4), clip(1, 5))])
    with pytest.raises(ValueError, match="channels must be at least 1, got 0"):
        build(0)
