"""spatial_squeeze's CUDA kernels on the CPU, against the reference."""

import pytest
import torch

from tests.ops.checking import LAYOUTS, assert_as_good_as_torch, doubled, frames, normal
from vdeblur_fast.kernels.cuda import spatial_squeeze as body
from vdeblur_fast.ops.spatial_squeeze import outputs
from vdeblur_fast.reference.ops import spatial_squeeze as reference

from .conftest import poisoned, pretend

TYPES = pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=["bf16", "fp16"])
ORDERS = pytest.mark.parametrize("order", ["contiguous", "channels_last"])
# B, T, C, H, W, M: every width of kernel, even and odd
SIZES = [(1, 1, 8, 1, 1, 1), (2, 3, 17, 7, 13, 3), (1, 2, 64, 16, 20, 16), (1, 1, 100, 9, 9, 17), (1, 1, 200, 5, 6, 32)]


def given(b, t, c, h, w, m, gate="gate", layout="contiguous", dtype=torch.bfloat16):
    """x and the parameters; every result asked for."""
    gates = {
        "gate": (normal(c), normal(1), None, True),
        "mask": (None, None, normal(b, t, 1, h, w).sigmoid(), False),
        "open": (None, None, None, False),
    }
    x = frames(b, t, c, h, w, layout=layout, dtype=dtype)
    return x, normal(m, c, scale=2 * c**-0.5), normal(m), *gates[gate], True


def run(guard, *arguments):
    results = tuple(guard(poisoned(result)) for result in outputs(*arguments))
    body.launch(results, *(guard(a) if isinstance(a, torch.Tensor) else a for a in arguments))
    return results


def check(guard, arguments):
    got, want, same = run(guard, *arguments), reference(*doubled(arguments)), reference(*arguments)
    for name, g, w, s in zip(want._fields, got, want, same, strict=True):
        if w is not None:
            assert_as_good_as_torch(name, g, w, s)


@TYPES
@ORDERS
@pytest.mark.parametrize("sizes", SIZES, ids=lambda s: "b{}t{}c{}h{}w{}m{}".format(*s))
def test_matches_the_reference(guard, sizes, order, dtype):
    check(guard, given(*sizes, layout=order, dtype=dtype))


@pytest.mark.parametrize("gate", ["mask", "open"])
def test_gates(guard, gate):
    check(guard, given(2, 2, 24, 9, 11, 5, gate))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_memory_orders(guard, layout):
    check(guard, given(2, 2, 20, 9, 10, 5, layout=layout))


@ORDERS
@pytest.mark.parametrize("width", [48, 36, 34, 33], ids=["16 bytes", "8 bytes", "4 bytes", "2 bytes"])
def test_copies_of_every_width(guard, width, order):
    channels = width if order == "channels_last" else 24
    check(guard, given(1, 1, channels, 3, width, 4, layout=order))


def test_many_splits(guard, host_library):
    pretend(host_library, processors=9)
    check(guard, given(1, 2, 16, 40, 52, 4))


@TYPES
def test_a_peak_and_many_small_ones(guard, dtype):
    """Three quarters of the weight lie on the peak, the rest on pixels a millionth as heavy."""
    x = torch.zeros(1, 1, 16, 32, 64)
    x[0, 0, 0] = -1.0
    x[0, 0, 0, 7, 9] = 1.0
    x[0, 0, 1:] = normal(15, 32, 64)
    weight = torch.zeros(1, 16)
    weight[0, 0] = 4.5
    check(guard, (x.to(dtype), weight, torch.zeros(1), None, None, None, False, True))


@TYPES
@pytest.mark.parametrize("scale", [1e4, -1e4, 1e-3])
def test_extreme_logits(guard, scale, dtype):
    x, *rest = given(1, 1, 16, 10, 13, 5, dtype=torch.float32)
    arguments = ((x * scale).to(dtype), *rest)
    got, want = run(guard, *arguments), reference(*doubled(arguments))
    for g, w in zip(got, want, strict=True):
        assert torch.isfinite(g).all()
        torch.testing.assert_close(g.double(), w.double(), rtol=2e-2, atol=1e-4 * w.abs().max().item())


def test_nan_reaches_what_it_is_part_of(guard):
    x, *rest = given(1, 2, 16, 5, 7, 3)
    x[0, 1, 3, 2, 2] = torch.nan
    aggregate, mean, peak, total, gate = run(guard, x, *rest)
    assert not aggregate[0, 0].isnan().any()
    assert aggregate[0, 1].isnan().all()
    assert mean.isnan().nonzero().tolist() == [[0, 1, 3]]
    assert peak[0, 1].isnan().all()
    assert total[0, 1].isnan().all()
    assert gate.isnan().nonzero().tolist() == [[0, 1, 0, 2, 2]]


def test_no_thread_waits_for_the_luck_of_another(guard, host_library):
    arguments = given(1, 2, 24, 12, 17, 5)
    forwards = run(guard, *arguments)
    pretend(host_library, backwards=True)
    for one, other in zip(forwards, run(guard, *arguments), strict=True):
        assert torch.equal(one, other)


def test_what_is_too_wide_is_said(guard, host_library):
    def said(channels: int) -> list[str]:
        return body.why_not(torch.empty(1, 1, channels, 2, 2), torch.empty(16, channels))

    assert said(257) == ["takes up to 256 channels, got 257"]
    assert said(256) == []
    pretend(host_library, shared=99 << 10)  # what a block may have on sm_86, 89 and 120
    assert said(128) == []
    assert said(129) == ["129 channels do not fit into this GPU's shared memory"]
