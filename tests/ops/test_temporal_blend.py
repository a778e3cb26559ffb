"""temporal_blend, every body of it, against the reference."""

import pytest
import torch

from vdeblur_fast.ops import temporal_blend
from vdeblur_fast.ops.temporal_blend import blend
from vdeblur_fast.reference import ops as reference
from vdeblur_fast.reference.ops.temporal_blend import blend as reference_blend

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

# B, C, H, W, k
SIZES = [(1, 1, 1, 1, 5), (2, 17, 7, 13, 5), (1, 64, 9, 11, 5), (1, 3, 65, 129, 3), (3, 4, 31, 1, 5), (1, 2, 1, 100, 1)]


def given(b=2, c=5, h=7, w=13, k=5, layout="contiguous", dtype=torch.float32, beta=0.1):
    current, previous = frames(b, c, h, w, layout=layout, dtype=dtype), frames(b, c, h, w, layout=layout, dtype=dtype)
    previous = previous.flip(0, 2) if layout == "contiguous" else -previous
    return current, previous, normal(c, 2 * c, k, k, scale=1 / (k * c**0.5)), normal(c), torch.tensor(beta)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=["fp32", "bf16"])
@pytest.mark.parametrize("sizes", SIZES, ids=lambda s: "b{}c{}h{}w{}k{}".format(*s))
def test_temporal_blend_matches_reference(body, fences, sizes, dtype):
    check_values(temporal_blend, reference.temporal_blend, given(*sizes, dtype=dtype))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=["fp32", "bf16"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_temporal_blend_views(body, fences, layout, dtype):
    check_values(temporal_blend, reference.temporal_blend, given(c=20, h=9, w=19, k=3, layout=layout, dtype=dtype))


@pytest.mark.parametrize("layouts", [("contiguous", "channels_last"), ("channels_last", "cropped")])
def test_temporal_blend_of_frames_in_two_layouts(body, fences, layouts):
    current, _, *rest = given(layout=layouts[0])
    check_values(temporal_blend, reference.temporal_blend, (current, frames(2, 5, 7, 13, layout=layouts[1]) + 1, *rest))


def test_temporal_blend_keeps_the_memory_order_and_its_arguments(body):
    for order in (torch.contiguous_format, torch.channels_last):
        arguments = [a.contiguous(memory_format=order) if a.dim() == 4 else a for a in given()]
        before = [a.clone() for a in arguments]
        assert temporal_blend(*arguments).is_contiguous(memory_format=order)
        assert all(torch.equal(a, b) for a, b in zip(arguments, before, strict=True))


@pytest.mark.parametrize("scale", [0.0, 1e-6, 1e4, -1e30])
def test_temporal_blend_of_very_alike_and_very_unlike_frames(body, fences, scale):
    current, previous, weight, bias, beta = given()
    check_values(temporal_blend, reference.temporal_blend, (current, previous, weight * scale, bias * scale, beta))


def test_temporal_blend_borders_blend_as_the_middle_does(body):
    weight, bias = torch.zeros(3, 6, 5, 5), torch.full((3,), 0.3)
    current, previous = torch.full((1, 3, 9, 11), 2.0), torch.full((1, 3, 9, 11), -1.0)
    share = torch.tensor(0.3).tanh() + 0.25
    want = torch.full((1, 3, 9, 11), 1.0) * (2 * share - (1 - share))
    torch.testing.assert_close(temporal_blend(current, previous, weight, bias, torch.tensor(0.25)), want)


@pytest.mark.parametrize(("beta", "taken_as"), [(-3.0, 0.0), (0.0, 0.0), (1.0, 1.0), (7.0, 1.0)])
def test_temporal_blend_keeps_beta_between_0_and_1(body, beta, taken_as):
    current, previous, weight, bias, _ = given()
    got = temporal_blend(current, previous, weight, bias, torch.tensor([beta]))
    torch.testing.assert_close(got, reference.temporal_blend(current, previous, weight, bias, torch.tensor(taken_as)))
    if taken_as == 1:
        assert torch.equal(got, current)


def test_temporal_blend_nan_reaches_as_far_as_the_convolution(body, fences):
    current, *rest = given(k=3)
    current[1, 3, 4, 11] = torch.nan
    got = temporal_blend(current, *rest)
    assert got[1, :, 3:6, 10:13].isnan().all()
    assert got.isnan().sum() == 5 * 9


def test_temporal_blend_of_nothing_is_nothing(body):
    assert temporal_blend(*given(b=0)).shape == (0, 5, 7, 13)


@pytest.mark.parametrize("body", ["cpu-portable", "cpu-avx2"], indirect=True)
def test_what_follows_the_convolution_is_the_same_for_any_number_of_threads(body):
    inputs = [normal(2, 4, 150, 160, seed=i) for i in range(3)]

    def blended() -> torch.Tensor:
        blend(*inputs, torch.tensor(0.1), result := torch.full_like(inputs[0], torch.nan))
        return result

    torch.testing.assert_close(blended(), reference_blend(*inputs, torch.tensor(0.1)))
    check_threads(blended)


@pytest.mark.parametrize("body", ["cpu-portable", "cpu-avx2", "cpu-avx512"], indirect=True)
@pytest.mark.parametrize("beta", [0.0, 0.1])
def test_every_bfloat16_blends_as_the_exact_result_rounds(body, beta):
    similarity = torch.arange(1 << 16).to(torch.int16).view(torch.bfloat16).view(1, 1, 256, 256)
    current, previous, blended = torch.ones_like(similarity), torch.zeros_like(similarity), similarity.clone()
    blend(similarity, current, previous, torch.tensor(beta), blended)  # the share of the current frame itself
    exact = (similarity.double().tanh().abs() + torch.tensor(beta).double()).clamp(max=1)
    torch.testing.assert_close(blended.double(), exact, rtol=2**-8, atol=1e-37, equal_nan=True)  # a neighbour at most
    assert (blended == exact.bfloat16()).sum() > 0.999 * similarity.isfinite().sum()
    assert (blended[similarity.abs() > 5.5] == 1).all()  # nothing of the frame before, as large as it may be


@pytest.mark.parametrize("beta", [0.1, -0.2, 1.5])
def test_temporal_blend_gradients_are_the_references(beta):
    check_gradients(temporal_blend, reference.temporal_blend, given(1, 3, 4, 5, 3, beta=beta))


def test_a_beta_that_left_its_interval_is_led_back_and_no_further_out():
    current, previous, weight, bias, _ = given(1, 2, 3, 4)
    for beta, sign in ((-0.01, -1), (-0.01, 1), (1.01, -1), (1.01, 1)):
        parameter = torch.tensor(beta, requires_grad=True)
        share = temporal_blend(current.fill_(1), previous.fill_(0), weight * 0, bias * 0, parameter)
        (sign * share.sum()).backward()
        assert (parameter.grad != 0) == ((beta < 0 and sign < 0) or (beta > 1 and sign > 0))


@pytest.mark.parametrize("requires_grad", [False, True])
@pytest.mark.parametrize("layout", ["contiguous", "channels_last", "cropped"])
def test_temporal_blend_opcheck(layout, requires_grad):
    arguments = tuple(a.requires_grad_(requires_grad) for a in given(layout=layout))
    torch.library.opcheck(torch.ops.vdeblur.temporal_blend.default, arguments)


def test_temporal_blend_compiles_once():
    check_compiles_once(temporal_blend, given())
    check_compiles_once(temporal_blend, given(layout="channels_last"))


def test_temporal_blend_counts_as_the_reference():
    check_counts(temporal_blend, reference.temporal_blend, given())


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({0: normal(3, 17, 7)}, ValueError, r"current must be \(B, C, H, W\), got \(3, 17, 7\)"),
        ({0: normal(2, 5, 0, 7)}, ValueError, "current must have at least one pixel"),
        ({1: normal(2, 5, 7, 12)}, ValueError, r"previous must be \(2, 5, 7, 13\), got \(2, 5, 7, 12\)"),
        ({2: normal(5, 5, 5, 5)}, ValueError, r"weight must be \(5, 10, k, k'\), got \(5, 5, 5, 5\)"),
        ({2: normal(5, 10, 4, 4)}, ValueError, "weight must be square and odd.*got 4x4"),
        ({2: normal(5, 10, 3, 5)}, ValueError, "weight must be square and odd.*got 3x5"),
        ({3: normal(3)}, ValueError, r"bias must be \(5,\), got \(3,\)"),
        ({4: normal(2)}, ValueError, r"beta must be one number, got \(2,\)"),
        ({1: normal(2, 5, 7, 13).double()}, TypeError, "previous must be torch.float32 as current is"),
        ({4: torch.tensor(1)}, TypeError, "beta must be floating point"),
    ],
    ids=["rank", "no-pixels", "previous", "weight", "even", "oblong", "bias", "beta", "dtype", "integers"],
)
def test_temporal_blend_rejects_bad_input(change, error, message):
    with pytest.raises(error, match=f"temporal_blend: .*{message}"):
        temporal_blend(*(change.get(i, a) for i, a in enumerate(given())))
