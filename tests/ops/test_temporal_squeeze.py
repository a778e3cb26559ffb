"""temporal_squeeze, every body of it, against the reference."""

import pytest
import torch

from vdeblur_fast.ops import temporal_squeeze
from vdeblur_fast.reference import ops as reference

from .checking import check_compiles_once, check_counts, check_gradients, check_values, normal

# B, T, C, M, N
SIZES = [(1, 1, 8, 1, 1), (2, 3, 17, 3, 2), (1, 5, 64, 16, 4), (2, 25, 33, 8, 3), (1, 2, 256, 32, 4), (3, 7, 8, 16, 8)]


def given(b=2, t=3, c=17, m=3, n=2):
    return normal(b, t, c, m), normal(b, t, c), normal(n, c, scale=2 * c**-0.5), normal(n)


@pytest.mark.parametrize("sizes", SIZES, ids=lambda s: "b{}t{}c{}m{}n{}".format(*s))
def test_temporal_squeeze_matches_reference(body, fences, sizes):
    check_values(temporal_squeeze, reference.temporal_squeeze, given(*sizes))


@pytest.mark.parametrize("body", ["cpu-portable", "cpu-avx2"], indirect=True)
@pytest.mark.parametrize("sizes", [(2, 3, 8, 2, 12), (1, 5, 17, 3, 9), (1, 2, 15, 1, 23)], ids=str)
def test_temporal_squeeze_of_more_maps_than_a_register_holds(body, fences, sizes):
    check_values(temporal_squeeze, reference.temporal_squeeze, given(*sizes))


def test_temporal_squeeze_views(body, fences):
    aggregate, mean, weight, bias = given()
    check_values(
        temporal_squeeze,
        reference.temporal_squeeze,
        (aggregate.mT.contiguous().mT, mean.mT.contiguous().mT, weight.T.contiguous().T, bias.expand(2, 2)[0]),
    )


def test_temporal_squeeze_extreme_logits(body, fences):
    aggregate, mean, weight, bias = given()
    got = temporal_squeeze(aggregate, mean * 1e5, weight, bias)
    want = reference.temporal_squeeze(aggregate.double(), mean.double() * 1e5, weight.double(), bias.double())
    torch.testing.assert_close(got.double(), want, rtol=1e-3, atol=1e-4)


def test_temporal_squeeze_nan_spreads_over_its_clip_alone(body, fences):
    aggregate, mean, weight, bias = given()
    mean[0, 1, 4] = torch.nan
    got = temporal_squeeze(aggregate, mean, weight, bias)
    assert got[0].isnan().all()
    assert got[1].isfinite().all()


def test_temporal_squeeze_of_nothing_is_nothing(body):
    assert temporal_squeeze(*given(b=0)).shape == (0, 17, 6)


def test_temporal_squeeze_gradients_are_the_references():
    check_gradients(temporal_squeeze, reference.temporal_squeeze, given())


@pytest.mark.parametrize("requires_grad", [False, True])
def test_temporal_squeeze_opcheck(requires_grad):
    arguments = tuple(a.requires_grad_(requires_grad) for a in given())
    torch.library.opcheck(torch.ops.vdeblur.temporal_squeeze.default, arguments)


def test_temporal_squeeze_compiles_once():
    check_compiles_once(temporal_squeeze, given())


def test_temporal_squeeze_counts_as_the_reference():
    check_counts(temporal_squeeze, reference.temporal_squeeze, given())


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({0: normal(3, 17, 7)}, ValueError, r"aggregate must be \(B, T, C, M\), got \(3, 17, 7\)"),
        ({0: normal(2, 0, 17, 3)}, ValueError, "at least one frame"),
        ({1: normal(2, 4, 17)}, ValueError, r"mean must be \(2, 3, 17\), got \(2, 4, 17\)"),
        ({2: normal(2, 16)}, ValueError, r"weight must be \(N, 17\), got \(2, 16\)"),
        ({3: normal(3)}, ValueError, r"bias must be \(2,\), got \(3,\)"),
        ({1: normal(2, 3, 17).double()}, TypeError, "mean must be torch.float32"),
    ],
    ids=["rank", "no-frames", "mean", "weight", "bias", "dtype"],
)
def test_temporal_squeeze_rejects_bad_input(change, error, message):
    with pytest.raises(error, match=f"temporal_squeeze: .*{message}"):
        temporal_squeeze(*(change.get(i, a) for i, a in enumerate(given())))
