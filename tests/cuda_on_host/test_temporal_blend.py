"""temporal_blend's CUDA kernel on the CPU, against the reference."""

import pytest
import torch

from tests.ops.checking import assert_as_good_as_torch, frames, normal
from vdeblur_fast.kernels.cuda import temporal_blend as body
from vdeblur_fast.reference.ops import temporal_blend as reference

from .conftest import poisoned, pretend

TYPES = pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=["bf16", "fp16"])
# B, C, k, H, W
SIZES = [(1, 16, 5, 5, 7), (2, 20, 5, 3, 9), (1, 64, 5, 2, 3), (1, 7, 3, 8, 5), (1, 130, 1, 2, 5), (2, 1, 7, 1, 1)]


def given(b, c, k, h, w, layout="channels_last", dtype=torch.bfloat16, beta=0.2):
    """current, previous, weight, bias, beta"""
    current, previous = (frames(b, c, h, w, layout=layout, dtype=dtype) for _ in range(2))
    weight = normal(c, 2 * c, k, k, scale=(2 * c * k * k) ** -0.5).to(dtype)
    return current, previous.roll(1, -1), weight, normal(c).to(dtype), torch.tensor(beta)


def run(guard, current, *rest):
    y = guard(poisoned(torch.empty_like(current)))
    body.launch(y, *map(guard, (current, *rest)))
    return y


def check(guard, arguments):
    want, same = reference(*(a.double() for a in arguments)), reference(*arguments)
    assert_as_good_as_torch("y", run(guard, *arguments), want, same)


@TYPES
@pytest.mark.parametrize("sizes", SIZES, ids=lambda s: "b{}c{}k{}h{}w{}".format(*s))
def test_matches_the_reference(guard, sizes, dtype):
    check(guard, given(*sizes, dtype=dtype))


def test_matches_in_many_tiles(guard, small_chip):
    check(guard, given(2, 8, 5, 19, 37))


@pytest.mark.parametrize("beta", [-0.5, 0.0, 1.0, 1.5])
def test_beta_is_kept_between_nothing_and_one(guard, beta):
    check(guard, given(1, 8, 3, 4, 5, beta=beta))


@pytest.mark.parametrize("layout", ["contiguous", "cropped", "expanded"])
def test_other_memory_orders(guard, layout):
    check(guard, given(1, 8, 3, 5, 6, layout=layout))


def test_no_thread_waits_for_the_luck_of_another(guard, host_library):
    arguments = given(1, 24, 5, 7, 9)
    forwards = run(guard, *arguments)
    pretend(host_library, backwards=True)
    assert torch.equal(forwards, run(guard, *arguments))


def test_what_does_not_fit_is_said(guard):
    frame, weight = torch.empty(1, 1024, 4, 4), torch.empty(1024, 2048, 5, 5)
    assert body.why_not(frame, frame, weight) == [
        "1024 channels under a 5x5 kernel do not fit into this GPU's shared memory"
    ]
