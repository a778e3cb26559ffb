"""spatial_squeeze, every body of it, against the reference."""

import pytest
import torch

from vdeblur_fast.ops import spatial_squeeze
from vdeblur_fast.reference import ops as reference

from .checking import (
    LAYOUTS,
    check_compiles_once,
    check_counts,
    check_gradients,
    check_threads,
    check_values,
    frames,
    normal,
)
from .conftest import BODIES, fixture_of

body = fixture_of(*BODIES, "cpu-amx")

# B, T, C, H, W, M
SIZES = [
    (1, 1, 8, 1, 1, 1),
    (2, 3, 17, 7, 13, 3),
    (1, 2, 64, 31, 33, 16),
    (1, 1, 256, 5, 63, 32),
    (2, 1, 33, 129, 1, 8),
    (1, 5, 32, 45, 80, 17),
    (1, 1, 8, 1, 100, 24),
]


def given(b=2, t=3, c=17, h=7, w=13, m=3, gate="gate", layout="contiguous", dtype=torch.float32):
    """x and the parameters; every result asked for."""
    gates = {
        "gate": (normal(c), normal(1), None, True),
        "mask": (None, None, normal(b, t, 1, h, w).sigmoid().to(dtype), False),
        "open": (None, None, None, False),
    }
    x = frames(b, t, c, h, w, layout=layout, dtype=dtype)
    return x, normal(m, c, scale=2 * c**-0.5), normal(m), *gates[gate], True


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=["fp32", "bf16"])
@pytest.mark.parametrize("sizes", SIZES, ids=lambda s: "b{}t{}c{}h{}w{}m{}".format(*s))
def test_spatial_squeeze_matches_reference(body, fences, sizes, dtype):
    check_values(spatial_squeeze, reference.spatial_squeeze, given(*sizes, dtype=dtype))


@pytest.mark.parametrize("gate", ["mask", "open"])
def test_spatial_squeeze_gates(body, fences, gate):
    check_values(spatial_squeeze, reference.spatial_squeeze, given(gate=gate))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=["fp32", "bf16"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_spatial_squeeze_views(body, fences, layout, dtype):
    check_values(spatial_squeeze, reference.spatial_squeeze, given(c=20, h=9, w=19, layout=layout, dtype=dtype))


def test_spatial_squeeze_extreme_logits(body, fences):
    x, *rest = given(2, 2, 16, 20, 31, 5)
    for scale in (1e4, -1e4, 1e-30):
        arguments = (x * scale, *rest)
        # Large logits are rounded to float32 before the softmax sees them: the error is that of the logits.
        want = reference.spatial_squeeze(*(a.double() if isinstance(a, torch.Tensor) else a for a in arguments))
        got = spatial_squeeze(*arguments)
        for g, w in zip(got, want, strict=True):
            assert torch.isfinite(g).all()
            torch.testing.assert_close(g.double(), w, rtol=2e-2, atol=1e-4 * w.abs().max().item())


def test_spatial_squeeze_of_a_spike_is_the_spike(body, fences):
    x = torch.zeros(1, 1, 8, 30, 40)
    x[0, 0, :, 17, 23] = 1e4
    got = spatial_squeeze(x, torch.ones(2, 8), torch.zeros(2))
    torch.testing.assert_close(got.aggregate, torch.full((1, 1, 8, 2), 1e4))


def test_spatial_squeeze_of_a_constant_frame_is_the_constant(body, fences):
    x = frames(1, 2, 12, 37, 29, layout="expanded")
    got = spatial_squeeze(x, normal(4, 12), normal(4))
    torch.testing.assert_close(got.aggregate, x[:, :, :, 0, 0, None].expand(1, 2, 12, 4))
    torch.testing.assert_close(got.mean, x[:, :, :, 0, 0])


@pytest.mark.parametrize("place", [0, 700])
def test_spatial_squeeze_nan_spreads_over_its_frame_alone(body, fences, place):
    x, *rest = given(1, 2, 12, 27, 29, 4)
    x[0, 1, 3].view(-1)[place] = torch.nan
    got = spatial_squeeze(x, *rest)
    assert got.aggregate[:, 1].isnan().all()
    assert got.mean.isnan().nonzero().tolist() == [[0, 1, 3]]
    assert got.peak[:, 1].isnan().all()
    assert got.aggregate[:, 0].isfinite().all()


def test_spatial_squeeze_of_nothing_is_nothing(body):
    got = spatial_squeeze(*given(b=0))
    assert [tuple(r.shape) for r in got] == [(0, 3, 17, 3), (0, 3, 17), (0, 3, 3), (0, 3, 3), (0, 3, 1, 7, 13)]


@pytest.mark.parametrize("body", ["cpu-portable", "cpu-avx2", "cpu-avx512", "cpu-amx"], indirect=True)
def test_spatial_squeeze_is_the_same_for_any_number_of_threads(body, fences):
    arguments = given(2, 2, 16, 50, 60, 8)
    check_threads(lambda: spatial_squeeze(*arguments))


def test_spatial_squeeze_returns_what_was_asked_for():
    x, weight, bias, gate_weight, gate_bias, *_ = given()
    plain = spatial_squeeze(x, weight, bias, gate_weight, gate_bias)
    assert plain[2:] == (None, None, None)
    mask = normal(2, 3, 1, 7, 13).sigmoid()
    assert spatial_squeeze(x, weight, bias, mask=mask, return_mask=True).mask is mask


@pytest.mark.parametrize("gate", ["gate", "mask"])
def test_spatial_squeeze_gradients_are_the_references(gate):
    check_gradients(spatial_squeeze, reference.spatial_squeeze, given(1, 2, 6, 3, 5, 3, gate))


def test_spatial_squeeze_gradients_can_be_differentiated_again():
    x, *rest = given(1, 1, 4, 2, 3, 2)
    arguments = [a.double().requires_grad_() if isinstance(a, torch.Tensor) else a for a in (x, *rest)]
    assert torch.autograd.gradgradcheck(lambda x: spatial_squeeze(x, *arguments[1:])[0], arguments[0])


def test_spatial_squeeze_opcheck():
    for requires_grad in (False, True):
        arguments = [a.requires_grad_(requires_grad) if isinstance(a, torch.Tensor) else a for a in given()]
        torch.library.opcheck(torch.ops.vdeblur.spatial_squeeze.default, tuple(arguments))


def test_spatial_squeeze_compiles_once():
    check_compiles_once(spatial_squeeze, given())


def test_spatial_squeeze_counts_as_the_reference():
    check_counts(spatial_squeeze, reference.spatial_squeeze, given())


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({0: normal(3, 17, 7, 13)}, ValueError, r"x must be \(B, T, C, H, W\), got \(3, 17, 7, 13\)"),
        ({0: normal(2, 3, 17, 0, 13)}, ValueError, "at least one pixel"),
        ({1: normal(3, 16)}, ValueError, r"weight must be \(M, 17\), got \(3, 16\)"),
        ({2: normal(4)}, ValueError, r"bias must be \(3,\), got \(4,\)"),
        ({4: None}, ValueError, "come together"),
        ({5: normal(2, 3, 1, 7, 13)}, ValueError, "not both"),
        ({3: None, 4: None}, ValueError, "return_mask needs"),
        ({3: None, 4: None, 5: normal(2, 3, 7, 13)}, ValueError, r"mask must be \(2, 3, 1, 7, 13\)"),
        ({2: torch.zeros(3, dtype=torch.int64)}, TypeError, "bias must be floating point"),
        ({1: torch.empty(3, 17, device="meta")}, ValueError, "weight is on meta and x on cpu"),
    ],
    ids=lambda value: None if isinstance(value, dict | type) else value[:12],
)
def test_spatial_squeeze_rejects_bad_input(change, error, message):
    arguments = [change.get(i, a) for i, a in enumerate(given())]
    with pytest.raises(error, match=f"spatial_squeeze: .*{message}"):
        spatial_squeeze(*arguments)
