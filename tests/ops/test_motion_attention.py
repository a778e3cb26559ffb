"""motion_attention, every body of it, against the reference."""

import pytest
import torch

from vdeblur_fast.ops import motion_attention
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

# B, C, H, W, K
SIZES = [
    (1, 1, 1, 1, 1),
    (2, 17, 7, 13, 8),
    (1, 16, 31, 33, 8),
    (1, 64, 5, 63, 32),
    (2, 6, 65, 1, 3),
    (1, 18, 45, 80, 9),
    (1, 200, 3, 5, 100),
]


def magnitudes(b: int, h: int, w: int, seed: int = 5) -> torch.Tensor:
    """A map in 0..1 that reaches both ends."""
    return torch.rand(b, 1, h, w, generator=torch.Generator().manual_seed(seed)).mul(1.2).sub(0.1).clamp(0, 1)


def parameters(c: int, k: int, seed: int = 0) -> tuple[torch.Tensor, ...]:
    """Of one branch, whose units bend between 0 and 1, some of them."""
    return normal(k, seed=seed), normal(k, seed=seed + 1, scale=0.5), normal(c, k, seed=seed, scale=k**-0.5), normal(c)


def given(b=2, c=17, h=7, w=13, k=8, layout="contiguous", dtype=torch.float32, shift=True):
    x = frames(b, c, h, w, layout=layout, dtype=dtype)
    return x, magnitudes(b, h, w).to(dtype), *parameters(c, k), *(parameters(c, k, seed=7) if shift else ())


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=["fp32", "bf16"])
@pytest.mark.parametrize("sizes", SIZES, ids=lambda s: "b{}c{}h{}w{}k{}".format(*s))
def test_motion_attention_matches_reference(body, fences, sizes, dtype):
    check_values(motion_attention, reference.motion_attention, given(*sizes, dtype=dtype))


def test_motion_attention_without_the_shift(body, fences):
    check_values(motion_attention, reference.motion_attention, given(shift=False))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=["fp32", "bf16"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_motion_attention_views(body, fences, layout, dtype):
    check_values(motion_attention, reference.motion_attention, given(c=20, h=9, w=19, layout=layout, dtype=dtype))


@pytest.mark.parametrize("layout", ["cropped", "strided", "expanded"])
def test_motion_attention_of_a_view_of_the_magnitudes(body, fences, layout):
    x, _, *rest = given(b=3, h=9, w=19)
    magnitude = frames(3, 1, 9, 19, layout=layout).sigmoid()
    check_values(motion_attention, reference.motion_attention, (x, magnitude, *rest))


def test_motion_attention_takes_float32_magnitudes_for_narrow_frames(body, fences):
    x, _, *rest = given(dtype=torch.bfloat16)
    magnitude = magnitudes(2, 7, 13)
    want = reference.motion_attention(x.double(), magnitude.double(), *(p.double() for p in rest))
    got = motion_attention(x, magnitude, *rest)
    assert got.dtype == torch.bfloat16
    assert (got.double() - want).abs().max() <= torch.finfo(torch.bfloat16).eps * want.abs().max()


def test_motion_attention_keeps_the_memory_order(body):
    for order in (torch.contiguous_format, torch.channels_last):
        x, *rest = given()
        assert motion_attention(x.contiguous(memory_format=order), *rest).is_contiguous(memory_format=order)


def test_motion_attention_where_units_bend(body, fences):
    """Magnitudes on the bends, units that never bend, units that all bend at once, a dead unit."""
    x, magnitude, *rest = given(1, 4, 3, 8, 8)
    weight, bias = rest[0], rest[1]
    weight[2:4], bias[4:6], weight[6], bias[6] = 0.0, -0.5 * weight[4:6], 0.0, 0.0
    magnitude.flatten()[:8] = -bias / weight.where(weight != 0, torch.ones(()))
    rest[4], rest[5] = weight.clone(), bias.clone()
    check_values(motion_attention, reference.motion_attention, (x, magnitude, *rest))


@pytest.mark.parametrize("scale", [0.0, 1e-30, 1e6])
def test_motion_attention_extreme_magnitudes(body, fences, scale):
    x, magnitude, *rest = given()
    check_values(motion_attention, reference.motion_attention, (x, (magnitude - 0.3) * scale, *rest))


def test_motion_attention_nan_stays_in_its_pixel(body, fences):
    x, magnitude, *rest = given()
    magnitude[1, 0, 5, 11] = torch.nan
    x[0, 3, 2, 4] = torch.nan
    got = motion_attention(x, magnitude, *rest)
    assert got.isnan().nonzero().tolist() == [[0, 3, 2, 4], *([1, c, 5, 11] for c in range(17))]


def test_motion_attention_nan_parameters_are_not_hidden(body):
    x, magnitude, *rest = given()
    rest[0][3] = torch.nan
    assert motion_attention(x, magnitude, *rest).isnan().all()


def test_motion_attention_of_nothing_is_nothing(body):
    assert motion_attention(*given(b=0)).shape == (0, 17, 7, 13)


@pytest.mark.parametrize("body", ["cpu-portable", "cpu-avx2"], indirect=True)
def test_motion_attention_is_the_same_for_any_number_of_threads(body, fences):
    arguments = given(2, 16, 50, 60)
    check_threads(lambda: motion_attention(*arguments))


@pytest.mark.parametrize("shift", [True, False])
def test_motion_attention_gradients_are_the_references(shift):
    check_gradients(motion_attention, reference.motion_attention, given(1, 6, 3, 5, 3, shift=shift))


@pytest.mark.parametrize("requires_grad", [False, True])
@pytest.mark.parametrize("layout", ["contiguous", "channels_last", "cropped"])
def test_motion_attention_opcheck(layout, requires_grad):
    arguments = tuple(a.requires_grad_(requires_grad) for a in given(c=6, k=3, layout=layout))
    torch.library.opcheck(torch.ops.vdeblur.motion_attention.default, arguments)
    torch.library.opcheck(torch.ops.vdeblur.motion_attention.default, (*arguments[:6], None, None, None, None))


def test_motion_attention_compiles_once():
    check_compiles_once(motion_attention, given())
    check_compiles_once(motion_attention, given(layout="channels_last", shift=False))


@pytest.mark.parametrize("shift", [True, False])
def test_motion_attention_counts_as_the_reference(shift):
    check_counts(motion_attention, reference.motion_attention, given(shift=shift))


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({0: normal(3, 17, 7)}, ValueError, r"x must be \(B, C, H, W\), got \(3, 17, 7\)"),
        ({0: normal(2, 17, 7, 0)}, ValueError, "at least one pixel"),
        ({1: normal(2, 1, 7, 12)}, ValueError, r"magnitude must be \(2, 1, 7, 13\), got \(2, 1, 7, 12\)"),
        ({1: normal(2, 2, 7, 13)}, ValueError, r"magnitude must be \(2, 1, 7, 13\), got \(2, 2, 7, 13\)"),
        ({2: normal(8, 1)}, ValueError, r"scale_weight_0 must be \(K,\), got \(8, 1\)"),
        ({4: normal(17, 7)}, ValueError, r"scale_weight_1 must be \(17, 8\), got \(17, 7\)"),
        ({6: normal(9)}, ValueError, r"shift_weight_0 must be \(8,\), got \(9,\)"),
        ({9: normal(16)}, ValueError, r"shift_bias_1 must be \(17,\), got \(16,\)"),
        ({7: None}, ValueError, "the four parameters of the shift come together; shift_bias_0 is missing"),
        ({1: torch.zeros(2, 1, 7, 13, dtype=torch.uint8)}, TypeError, "magnitude must be floating point"),
    ],
    ids=["rank", "no-pixels", "size", "maps", "scale-0", "scale-1", "shift-0", "shift-bias", "part", "integers"],
)
def test_motion_attention_rejects_bad_input(change, error, message):
    with pytest.raises(error, match=f"motion_attention: .*{message}"):
        motion_attention(*(change.get(i, a) for i, a in enumerate(given())))
