"""pixel_distribute, every body of it, against the reference."""

import pytest
import torch

from vdeblur_fast.ops import pixel_distribute
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

# B, C, H, W, K
SIZES = [
    (1, 8, 1, 1, 1),
    (2, 17, 7, 13, 6),
    (1, 64, 31, 33, 64),
    (1, 256, 5, 63, 128),
    (2, 33, 129, 1, 32),
    (1, 32, 45, 80, 17),
    (1, 8, 1, 100, 96),
]


def given(b=2, c=17, h=7, w=13, k=6, layout="contiguous", dtype=torch.float32):
    x = frames(b, c, h, w, layout=layout, dtype=dtype)
    return x, normal(b, c, k), normal(k, c, scale=2 * c**-0.5), normal(k)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=["fp32", "bf16"])
@pytest.mark.parametrize("sizes", SIZES, ids=lambda s: "b{}c{}h{}w{}k{}".format(*s))
def test_pixel_distribute_matches_reference(body, fences, sizes, dtype):
    check_values(pixel_distribute, reference.pixel_distribute, given(*sizes, dtype=dtype))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=["fp32", "bf16"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_pixel_distribute_views(body, fences, layout, dtype):
    check_values(pixel_distribute, reference.pixel_distribute, given(c=20, h=9, w=19, layout=layout, dtype=dtype))


def test_pixel_distribute_keeps_the_memory_order(body):
    for order in (torch.contiguous_format, torch.channels_last):
        x, *rest = given()
        assert pixel_distribute(x.contiguous(memory_format=order), *rest).is_contiguous(memory_format=order)


@pytest.mark.parametrize("scale", [1e4, -1e4, 1e-30])
def test_pixel_distribute_extreme_logits(body, fences, scale):
    x, aggregate, weight, bias = given(c=16, h=20, w=31)
    got = pixel_distribute(x * scale, aggregate, weight, bias)
    want = reference.pixel_distribute(x.double() * scale, aggregate.double(), weight.double(), bias.double())
    assert torch.isfinite(got).all()
    # Large logits are rounded to float32 before the softmax sees them; ties between them go either way.
    assert ((got.double() - want).abs() > 1e-2).double().mean() < 1e-3


def test_pixel_distribute_nan_stays_in_its_pixel(body, fences):
    x, *rest = given()
    x[1, 3, 5, 11] = torch.nan
    got = pixel_distribute(x, *rest)
    assert got.isnan().nonzero().tolist() == [[1, c, 5, 11] for c in range(17)]


def test_pixel_distribute_of_nothing_is_nothing(body):
    assert pixel_distribute(*given(b=0)).shape == (0, 17, 7, 13)


@pytest.mark.parametrize("body", ["cpu-portable", "cpu-avx2", "cpu-avx512", "cpu-amx"], indirect=True)
def test_pixel_distribute_is_the_same_for_any_number_of_threads(body, fences):
    arguments = given(2, 16, 50, 60, 32)
    check_threads(lambda: pixel_distribute(*arguments))


def test_pixel_distribute_gradients_are_the_references():
    check_gradients(pixel_distribute, reference.pixel_distribute, given(1, 6, 3, 5, 4))


@pytest.mark.parametrize("requires_grad", [False, True])
@pytest.mark.parametrize("layout", ["contiguous", "channels_last"])
def test_pixel_distribute_opcheck(layout, requires_grad):
    arguments = tuple(a.requires_grad_(requires_grad) for a in given(layout=layout))
    torch.library.opcheck(torch.ops.vdeblur.pixel_distribute.default, arguments)


def test_pixel_distribute_compiles_once():
    check_compiles_once(pixel_distribute, given())
    check_compiles_once(pixel_distribute, given(layout="channels_last"))


def test_pixel_distribute_counts_as_the_reference():
    check_counts(pixel_distribute, reference.pixel_distribute, given())


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({0: normal(3, 17, 7)}, ValueError, r"x must be \(B, C, H, W\), got \(3, 17, 7\)"),
        ({0: normal(2, 17, 7, 0)}, ValueError, "at least one pixel"),
        ({1: normal(2, 17, 5)}, ValueError, r"aggregate must be \(2, 17, 6\), got \(2, 17, 5\)"),
        ({2: normal(6, 16)}, ValueError, r"weight must be \(K, 17\), got \(6, 16\)"),
        ({3: normal(3)}, ValueError, r"bias must be \(6,\), got \(3,\)"),
        ({0: torch.zeros(2, 17, 7, 13, dtype=torch.uint8)}, TypeError, "x must be floating point"),
    ],
    ids=["rank", "no-pixels", "aggregate", "weight", "bias", "integers"],
)
def test_pixel_distribute_rejects_bad_input(change, error, message):
    with pytest.raises(error, match=f"pixel_distribute: .*{message}"):
        pixel_distribute(*(change.get(i, a) for i, a in enumerate(given())))
