"""GSTA whole beside PyTorch, and a stream's cost for each new frame, whatever its window."""

import copy

import pytest
import torch

from bench.harness import DEVICE, Case, milliseconds
from bench.shapes import Shape, every_shape
from vdeblur_fast.modules import GSTA
from vdeblur_fast.reference.modules.gsta import GSTA as ReferenceGSTA


@every_shape
def test_gsta(compare, shape: Shape):
    fast = GSTA(shape.channels, shape.spatial_maps, shape.temporal_maps).to(DEVICE).requires_grad_(False)
    reference = ReferenceGSTA(shape.channels, shape.spatial_maps, shape.temporal_maps)
    reference.load_state_dict(fast.state_dict())
    reference = reference.to(DEVICE).requires_grad_(False)
    x = shape.clip()
    c, m, t = shape.channels, shape.spatial_maps, shape.frames
    operations = shape.pixels * c * (t * (4 * m + 2) + 4 * shape.maps)
    moved = x.nbytes + 2 * x[:, 0].nbytes
    exact = copy.deepcopy(reference).double()
    compare(Case(f"GSTA {shape}", fast, reference, (x,), moved, operations, exact))


@torch.no_grad()
def test_a_streamed_frame_costs_the_same_for_any_window(benchmark):
    fast = GSTA(64, 16, 4).to(DEVICE)
    x = torch.randn(1, 64, 180, 320, device=DEVICE)
    windows = {t: [fast.squeeze(x) for _ in range(t)] for t in (1, 5, 25)}

    def frame(window: list) -> torch.Tensor:
        return fast.distribute(x, [*window[1:], fast.squeeze(x)])

    times = milliseconds({str(t): lambda w=window: frame(w) for t, window in windows.items()})
    benchmark.extra_info["milliseconds_by_window"] = times
    benchmark.pedantic(frame, (windows[25],), rounds=5, warmup_rounds=1)
    assert max(times.values()) == pytest.approx(min(times.values()), rel=0.25), times
