"""Packed weights: made once, and made anew when they must be."""

import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
import torch

from vdeblur_fast.ops import native
from vdeblur_fast.ops.packing import PackedWeights

from .checking import normal

pytestmark = pytest.mark.skipif(bool(native.why_not(torch.empty(0))), reason="the native module is not installed")


@pytest.fixture
def packing(monkeypatch):
    """Weights that are packed one after the other -> what packs them, and how often it has; few may be kept of those
    that nobody holds."""
    monkeypatch.setattr("vdeblur_fast.ops.packing.MOST_IDLE_BYTES", 100)
    calls = []
    return PackedWeights(lambda sizes, tensors: calls.append(sizes) or torch.cat(tensors)), calls


def test_weights_are_packed_once(packing):
    packed, calls = packing
    one, two = [normal(3), normal(4)], [normal(3, seed=1), normal(4)]
    for _ in range(3):
        assert torch.equal(packed((3, 4), one), torch.cat(one))
        assert torch.equal(packed((3, 4), two), torch.cat(two))
    assert len(calls) == 2
    packed((3, 4), [t.clone() for t in one])
    assert len(calls) == 2, "a copy shares what was packed"
    one[0].data.zero_()
    assert torch.equal(packed((3, 4), one), torch.cat(one))
    assert len(calls) == 3


def test_weights_of_every_layout_and_type_are_packed_in_float32(packing):
    packed, calls = packing
    square = normal(4, 4)
    for weights in (square, square.t(), square.bfloat16(), square.bfloat16(), square.double()):
        assert torch.equal(packed((4, 4), [weights]), weights.float())
    assert len(calls) == 4


def test_what_was_packed_of_weights_that_nobody_holds_is_bounded(packing):
    packed, calls = packing
    for seed in range(6):
        packed((10,), [normal(10, seed=seed)])
    assert sum(kept.nbytes() for kept in packed._kept.values()) <= 100 + 80, "and the newest"
    assert len(calls) == 6


def test_weights_that_are_held_are_packed_once_however_many_there_are(packing):
    packed, calls = packing
    held = [normal(10, seed=seed).bfloat16() for seed in range(5)]
    for _ in range(3):
        for weights in held:
            assert torch.equal(packed((10,), [weights]), weights.float())
    assert len(calls) == 5
    held.clear()
    packed((10,), [normal(10, seed=5)])
    assert len(packed._kept) < 5, "what nobody holds may be forgotten"


def test_what_was_packed_of_memory_that_weights_have_left_is_bounded(packing):
    packed, _ = packing
    weights, values = torch.nn.Parameter(normal(10)), [normal(10, seed=seed) for seed in range(6)]
    for value in values:
        weights.data = value
        assert torch.equal(packed((10,), [weights]), value)
    assert sum(kept.nbytes() for kept in packed._kept.values()) <= 100 + 80, "and the newest"


def test_threads_share_what_is_packed(packing, request):
    packed, calls = packing
    request.addfinalizer(partial(sys.setswitchinterval, sys.getswitchinterval()))
    sys.setswitchinterval(1e-6)
    held = [normal(4, seed=seed) for seed in range(300)]

    def work(seed: int) -> bool:
        passing = packed((4,), [normal(4, seed=1000 + seed)])
        return all(torch.equal(packed((4,), [weights]), weights) for weights in held) and passing.numel() == 4

    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(work, range(200)))
    assert len(calls) == 300 + 200
