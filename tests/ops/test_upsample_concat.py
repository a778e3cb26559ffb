"""upsample_concat, every body of it, against the reference."""

import pytest
import torch

from vdeblur_fast.ops import upsample_concat
from vdeblur_fast.reference import ops as reference

from .checking import (
    LAYOUTS,
    check_compiles_once,
    check_counts_nothing,
    check_gradients,
    check_threads,
    check_values,
    frames,
    normal,
)

# B, C, D, H, W
SIZES = [
    (1, 1, 1, 1, 1),
    (2, 17, 9, 7, 13),
    (1, 8, 16, 1, 5),
    (1, 32, 16, 6, 1),
    (3, 3, 5, 4, 9),
    (1, 128, 64, 3, 5),
]


def given(b=2, c=17, d=9, h=7, w=13, layout="contiguous", dtype=torch.float32):
    return frames(b, c, h, w, layout=layout, dtype=dtype), frames(b, d, 2 * h, 2 * w, layout=layout, dtype=dtype)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=["fp32", "bf16"])
@pytest.mark.parametrize("sizes", SIZES, ids=lambda s: "b{}c{}d{}h{}w{}".format(*s))
def test_upsample_concat_matches_reference(body, fences, sizes, dtype):
    check_values(upsample_concat, reference.upsample_concat, given(*sizes, dtype=dtype))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=["fp32", "bf16"])
@pytest.mark.parametrize("sizes", SIZES, ids=lambda s: "b{}c{}d{}h{}w{}".format(*s))
@pytest.mark.parametrize(("align_corners", "skip_first"), [(True, False), (False, True), (True, True)])
def test_upsample_concat_otherwise(body, fences, align_corners, skip_first, sizes, dtype):
    settings = align_corners, skip_first
    check_values(upsample_concat, reference.upsample_concat, (*given(*sizes, dtype=dtype), *settings))


def test_upsample_concat_of_a_large_picture(body, fences):
    """Places are found in whole numbers: 500 pixels on they are as exact as at the start."""
    for settings in ((False, False), (True, True)):
        check_values(upsample_concat, reference.upsample_concat, (*given(1, 1, 1, 3, 500), *settings))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=["fp32", "bf16"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_upsample_concat_views(body, fences, layout, dtype):
    check_values(upsample_concat, reference.upsample_concat, given(c=20, h=9, w=19, layout=layout, dtype=dtype))


@pytest.mark.parametrize(("x", "skip"), [("channels_last", "contiguous"), ("cropped", "channels_last")])
def test_upsample_concat_of_pictures_that_lie_differently(body, fences, x, skip):
    arguments = given(layout=x)[0], given(layout=skip)[1]
    check_values(upsample_concat, reference.upsample_concat, arguments)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=["fp32", "bf16"])
def test_upsample_concat_copies_the_other_picture(body, dtype):
    x, skip = given(dtype=dtype)
    skip[0, 3, 2, 4], skip[1, 8, -1, -1] = torch.inf, -0.0
    got = upsample_concat(x, skip)[:, 17:]
    assert torch.equal(got, skip)
    assert got[1, 8, -1, -1].signbit()


def test_upsample_concat_beside_nothing(body, fences):
    check_values(upsample_concat, reference.upsample_concat, given(d=0))


def test_upsample_concat_gives_channels_last(body):
    for order in (torch.contiguous_format, torch.channels_last):
        arguments = (picture.contiguous(memory_format=order) for picture in given())
        assert upsample_concat(*arguments).is_contiguous(memory_format=torch.channels_last)


def test_upsample_concat_nan_stays_near_its_pixel(body, fences):
    x, skip = given(1, 9, 2, 5, 6)
    x[0, 8, 2, 3] = torch.nan
    got = upsample_concat(x, skip).isnan().nonzero()
    assert got.tolist() == [[0, 8, i, j] for i in range(3, 7) for j in range(5, 9)]


def test_upsample_concat_of_nothing_is_nothing(body):
    assert upsample_concat(*given(b=0)).shape == (0, 26, 14, 26)


@pytest.mark.parametrize("body", ["cpu-portable", "cpu-avx2"], indirect=True)
def test_upsample_concat_is_the_same_for_any_number_of_threads(body, fences):
    arguments = given(2, 16, 16, 25, 30)
    check_threads(lambda: upsample_concat(*arguments))


def test_upsample_concat_gradients_are_the_references():
    check_gradients(upsample_concat, reference.upsample_concat, given(1, 6, 2, 3, 5))
    check_gradients(upsample_concat, reference.upsample_concat, (*given(1, 6, 2, 3, 5), True, True))


@pytest.mark.parametrize("requires_grad", [False, True])
@pytest.mark.parametrize("layout", ["contiguous", "channels_last", "cropped"])
def test_upsample_concat_opcheck(layout, requires_grad):
    arguments = tuple(a.requires_grad_(requires_grad) for a in given(c=6, d=3, layout=layout))
    for settings in ((False, False), (True, True)):
        torch.library.opcheck(torch.ops.vdeblur.upsample_concat.default, (*arguments, *settings))


def test_upsample_concat_compiles_once():
    check_compiles_once(upsample_concat, given())
    check_compiles_once(upsample_concat, given(layout="channels_last"))


def test_upsample_concat_counts_as_the_reference():
    check_counts_nothing(upsample_concat, reference.upsample_concat, given())


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({0: normal(17, 7, 13)}, ValueError, r"x must be \(B, C, H, W\), got \(17, 7, 13\)"),
        ({0: normal(2, 17, 0, 13)}, ValueError, "at least one pixel"),
        ({0: normal(2, 0, 7, 13)}, ValueError, "at least one channel"),
        ({1: normal(2, 9, 14, 27)}, ValueError, r"skip must be \(2, D, 14, 26\), got \(2, 9, 14, 27\)"),
        ({1: normal(1, 9, 14, 26)}, ValueError, r"skip must be \(2, D, 14, 26\), got \(1, 9, 14, 26\)"),
        ({1: normal(2, 9, 14, 26).double()}, TypeError, "skip must be torch.float32 as x is, got torch.float64"),
        ({0: torch.zeros(2, 17, 7, 13, dtype=torch.uint8)}, TypeError, "x must be floating point"),
        ({1: torch.zeros(2, 9, 14, 26, device="meta")}, ValueError, "skip is on meta and x on cpu"),
    ],
    ids=["rank", "no-pixels", "no-channels", "size", "batch", "mixed", "integers", "device"],
)
def test_upsample_concat_rejects_bad_input(change, error, message):
    with pytest.raises(error, match=f"upsample_concat: .*{message}"):
        upsample_concat(*(change.get(i, a) for i, a in enumerate(given())))
