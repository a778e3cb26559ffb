"""residual_dense_block's CUDA kernel on the CPU, against the reference."""

import pytest
import torch

from tests.ops.checking import assert_as_good_as_torch, frames, normal
from vdeblur_fast.kernels.cuda import residual_dense_block as body
from vdeblur_fast.reference.ops.residual_dense_block import residual_dense_block as reference

from .conftest import poisoned, pretend

TYPES = pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=["bf16", "fp16"])
# B, C, growth, layers, H, W: the widths of the packages' networks, and what is odd
SIZES = [
    (1, 16, 8, 3, 5, 7),
    (2, 18, 18, 3, 9, 4),
    (1, 32, 24, 3, 3, 6),
    (1, 40, 16, 3, 1, 13),
    (1, 36, 27, 3, 4, 3),
    (1, 80, 32, 3, 2, 5),
    (1, 90, 36, 3, 3, 2),
    (1, 7, 5, 2, 6, 6),
    (2, 3, 1, 1, 1, 1),
    (1, 9, 49, 4, 2, 3),
]


def given(c, growth, layers, dtype):
    """weights, biases, fuse_weight, fuse_bias"""
    inputs = [c + i * growth for i in range(layers + 1)]
    weights = [normal(growth, n, 3, 3, scale=(9 * n) ** -0.5).to(dtype) for n in inputs[:-1]]
    biases = [normal(growth, seed=i).to(dtype) for i in range(layers)]
    return weights, biases, normal(c, inputs[-1], 1, 1, scale=inputs[-1] ** -0.5).to(dtype), normal(c).to(dtype)


def run(guard, x, weights, biases, fuse_weight, fuse_bias, activation="gelu", y=None):
    y = guard(poisoned(x if y is None else y))
    weights, biases = map(guard, weights), map(guard, biases)
    body.launch(y, guard(x), list(weights), list(biases), guard(fuse_weight), guard(fuse_bias), activation)
    return y


def check(guard, x, parameters, activation="gelu", y=None):
    doubled = [[p.double() for p in part] if isinstance(part, list) else part.double() for part in parameters]
    want, same = reference(x.double(), *doubled, activation), reference(x, *parameters, activation)
    assert_as_good_as_torch("y", run(guard, x, *parameters, activation, y), want, same)


@TYPES
@pytest.mark.parametrize("sizes", SIZES, ids=lambda s: "b{}c{}g{}l{}h{}w{}".format(*s))
def test_matches_the_reference(guard, sizes, dtype):
    b, c, growth, layers, h, w = sizes
    check(guard, frames(b, c, h, w, layout="channels_last", dtype=dtype), given(c, growth, layers, dtype))


@pytest.mark.parametrize("c", [16, 18, 20, 15], ids=["16 bytes", "4 bytes", "8 bytes", "2 bytes"])
def test_matches_in_many_tiles(guard, small_chip, c):
    x = frames(2, c, 11, 21, layout="channels_last", dtype=torch.bfloat16)
    check(guard, x, given(c, 16, 3, torch.bfloat16))


def test_relu(guard):
    check(guard, frames(1, 16, 5, 6, dtype=torch.float16), given(16, 8, 3, torch.float16), "relu")


@pytest.mark.parametrize("layout", ["contiguous", "cropped", "strided", "expanded"])
def test_other_memory_orders(guard, layout):
    x = frames(1, 8, 5, 6, layout=layout, dtype=torch.bfloat16)
    check(guard, x, given(8, 8, 2, torch.bfloat16), y=torch.empty_like(x))


def test_no_thread_waits_for_the_luck_of_another(guard, host_library):
    x, parameters = frames(1, 24, 7, 9, dtype=torch.bfloat16), given(24, 8, 3, torch.bfloat16)
    forwards = run(guard, x, *parameters)
    pretend(host_library, backwards=True)
    assert torch.equal(forwards, run(guard, x, *parameters))


def test_nan_goes_as_far_as_the_layers_reach(guard):
    x = frames(1, 12, 9, 12, dtype=torch.bfloat16)
    x[0, 3, 4, 5] = torch.nan
    got = run(guard, x, *given(12, 8, 3, torch.bfloat16)).isnan()
    want = torch.zeros_like(got)
    want[0, :, 1:8, 2:9] = True
    assert torch.equal(got, want)


def test_infinity_stays_no_number(guard):
    x = frames(1, 8, 3, 3, dtype=torch.bfloat16)
    x[0, 5, 1, 1] = torch.inf
    assert not run(guard, x, *given(8, 8, 3, torch.bfloat16)).isfinite().any()


def test_what_does_not_fit_is_said(guard):
    x = torch.empty(1, 2048, 4, 4, dtype=torch.bfloat16)
    assert body.why_not(x, given(2048, 64, 3, torch.bfloat16)[0]) == [
        "2048 channels and a growth of 64 do not fit into this GPU's shared memory"
    ]
    assert body.why_not(x[:, :8], given(8, 8, 5, torch.bfloat16)[0]) == ["takes 1 to 4 layers, got 5"]
    assert body.why_not(x[:, :90], given(90, 36, 3, torch.bfloat16)[0]) == []
