"""convolution, every body of it, against the reference."""

from collections.abc import Callable
from types import SimpleNamespace

import pytest
import torch

from vdeblur_fast.ops import convolution, explain, native
from vdeblur_fast.ops.convolution import packed_weights
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
from .conftest import on_body

on_the_cpu = pytest.mark.parametrize("body", ["cpu-portable", "cpu-avx2", "cpu-avx512"], indirect=True)
on_tiles = pytest.mark.parametrize("body", ["cpu-amx"], indirect=True)

# B, channels of each input, O, H, W, k, upscale
SIZES = [
    (1, (1,), 1, 1, 1, 3, 1),
    (2, (17,), 5, 7, 13, 3, 1),
    (1, (64,), 64, 13, 22, 3, 1),
    (1, (9,), 64, 11, 10, 5, 1),
    (1, (5, 33), 40, 9, 30, 3, 1),
    (2, (3, 1, 16), 19, 6, 17, 5, 1),
    (1, (24,), 3, 31, 33, 3, 1),
    (3, (16,), 20, 5, 6, 3, 2),
    (1, (40,), 7, 8, 9, 5, 2),
    (1, (20,), 2, 4, 5, 3, 3),
    (1, (130,), 100, 4, 70, 3, 1),
    (1, (16,), 16, 65, 1, 3, 1),
    (2, (1, 3), 2, 5, 7, 1, 1),
    (1, (40, 40, 8), 40, 9, 31, 1, 1),
    (2, (16, 90), 70, 8, 13, 1, 1),
    (1, (6, 20, 2, 4), 130, 3, 50, 1, 1),
]


def given(b=2, channels=(5, 12), o=19, h=7, w=13, k=3, up=1, layout="channels_last", dtype=torch.float32, adds=False):
    """weight, bias, other, inputs: tensors that can be empty first."""
    inputs = [frames(b, c, h, w, layout=layout, dtype=dtype) for c in channels]
    weight = normal(o * up**2, sum(channels), k, k, scale=(sum(channels) * k * k) ** -0.5)
    other = frames(b, o, h * up, w * up, layout=layout, dtype=dtype) if adds else None
    return weight, normal(o * up**2), other, *inputs


def flat(function: Callable, upscale: int = 1, activation: str = "none") -> Callable:
    """The operator as a function of tensors."""

    def call(weight, bias, other, *inputs):
        return function(list(inputs), weight, bias, other, upscale, activation)

    return call


fused, plain = flat(convolution), flat(reference.convolution)


@pytest.mark.parametrize("sizes", SIZES, ids=lambda s: "b{}c{}o{}h{}w{}k{}u{}".format(*s).replace(" ", ""))
def test_convolution_matches_reference(body, fences, sizes):
    up = sizes[-1]
    check_values(flat(convolution, up), flat(reference.convolution, up), given(*sizes))


@pytest.mark.parametrize("activation", ["none", "relu"])
@pytest.mark.parametrize("sizes", SIZES[1:9:2], ids=lambda s: f"o{s[2]}u{s[-1]}")
def test_convolution_adds_and_rectifies(body, fences, sizes, activation):
    up = sizes[-1]
    functions = (flat(function, up, activation) for function in (convolution, reference.convolution))
    check_values(*functions, given(*sizes, adds=True))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_convolution_views(body, fences, layout):
    check_values(fused, plain, given(layout=layout, adds=True))


@pytest.mark.parametrize("body", ["triton"], indirect=True)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=["bf16", "fp16"])
@pytest.mark.parametrize("up", [1, 2])
def test_convolution_of_narrow_pictures_in_triton(body, fences, dtype, up):
    functions = (flat(function, up, "relu") for function in (convolution, reference.convolution))
    check_values(*functions, given(up=up, dtype=dtype, adds=True))


# of Triton's kernels: to few channels and from few, and by tiles, which 16 bits have; those add as well
FEW = [
    (1, (3,), 3, 5, 37, 9, 1),
    (2, (18,), 3, 3, 34, 5, 1),
    (1, (70,), 1, 5, 4, 3, 1),
    (1, (16,), 4, 1, 9, 7, 1),
    (1, (3,), 18, 5, 37, 5, 1),
    (2, (9,), 40, 3, 33, 5, 1),
    (1, (21,), 16, 9, 8, 3, 1),
]
TILES = [
    (2, (16,), 16, 19, 35, 3, 1),
    (1, (40,), 90, 9, 17, 3, 1),
    (1, (90,), 36, 9, 33, 3, 1),
    (1, (24,), 24, 1, 1, 3, 1),
]


@pytest.mark.parametrize("body", ["triton"], indirect=True)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16], ids=["fp32", "bf16", "fp16"])
@pytest.mark.parametrize("layout", ["channels_last", "cropped"])
@pytest.mark.parametrize(
    ("sizes", "adds"),
    [(sizes, False) for sizes in FEW + TILES] + [(sizes, True) for sizes in TILES],
    ids=lambda s: "b{}c{}o{}h{}w{}k{}".format(*s).replace(" ", "") if isinstance(s, tuple) else "adds" * s,
)
def test_convolution_on_every_kernel_of_triton(body, fences, sizes, adds, layout, dtype):
    functions = (flat(function, 1, "none" if adds else "relu") for function in (convolution, reference.convolution))
    check_values(*functions, given(*sizes, layout=layout, dtype=dtype, adds=adds))


@pytest.mark.parametrize("body", ["triton"], indirect=True)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=["fp32", "bf16"])
@pytest.mark.parametrize("sizes", [FEW[3], FEW[4], TILES[0], SIZES[8]], ids=["to few", "from few", "tiles", "finish"])
def test_a_bias_may_lie_as_it_likes_in_triton(body, fences, sizes, dtype):
    weight, bias, _, *inputs = given(*sizes, dtype=dtype)
    functions = [flat(function, sizes[-1]) for function in (convolution, reference.convolution)]
    for lies in (torch.stack([bias, bias + 1], 1)[:, 0], bias[:1].expand(len(bias))):
        check_values(*functions, (weight, lies, None, *inputs))


@pytest.mark.parametrize("body", ["triton"], indirect=True)
@pytest.mark.parametrize("layout", ["channels_last", "strided"])
@pytest.mark.parametrize("sizes", [SIZES[7], SIZES[10]], ids=lambda s: f"u{s[-1]}")
def test_numbers_are_counted_in_64_bits_where_32_are_few(body, fences, monkeypatch, sizes, layout):
    from vdeblur_fast.kernels import convolution as kernels

    monkeypatch.setattr(kernels, "MOST_NARROW", 0)
    functions = (flat(function, sizes[-1]) for function in (convolution, reference.convolution))
    check_values(*functions, given(*sizes, layout=layout, adds=True))


@on_the_cpu
@pytest.mark.parametrize("adds", [False, True], ids=["plain", "adds"])
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("sizes", SIZES[::2], ids=lambda s: f"o{s[2]}k{s[-2]}u{s[-1]}")
def test_convolution_of_narrow_pictures(body, fences, sizes, layout, adds):
    up = sizes[-1]
    functions = (flat(function, up, "relu") for function in (convolution, reference.convolution))
    check_values(*functions, given(*sizes, layout=layout, dtype=torch.bfloat16, adds=adds))


@pytest.mark.parametrize("body", ["cpu-avx512", "cpu-avx512_bf16"], indirect=True)
@pytest.mark.parametrize("outputs", [1, 8, 9, 24, 40, 41, 56, 64, 72, 130])
def test_narrow_pictures_of_whole_pairs(body, fences, outputs):
    sizes = given(2, (6, 40, 2), outputs, 7, 29, 1, dtype=torch.bfloat16, adds=True)
    check_values(flat(convolution, 1, "relu"), flat(reference.convolution, 1, "relu"), sizes)
    check_values(fused, plain, given(1, (10,), outputs, 1, 50, 1, layout="cropped", dtype=torch.bfloat16))


# B, channels of each input, O, H, W: tiles whole and not, with and without channels beyond whole ones, one pixel
JOINED = [
    (1, (40, 40, 40), 40, 9, 31),
    (2, (32, 64), 16, 3, 16),
    (1, (64, 8, 40, 104), 90, 7, 13),
    (1, (6, 6), 17, 1, 1),
    (3, (90,) * 5, 90, 4, 5),
    (1, (2, 32, 34), 128, 5, 49),
]


@on_tiles
@pytest.mark.parametrize("adds", [False, True], ids=["plain", "adds"])
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("sizes", JOINED, ids=lambda s: "b{}c{}o{}h{}w{}".format(*s).replace(" ", ""))
def test_narrow_pictures_join_in_tiles(body, fences, sizes, layout, adds):
    functions = (flat(function, 1, "relu") for function in (convolution, reference.convolution))
    check_values(*functions, given(*sizes, 1, layout=layout, dtype=torch.bfloat16, adds=adds))


# By AMX's tiles: rows of which the middle is read where it lies, and others; rows of taps that are whole tiles deep,
# not quite, and less than one; whole tiles of outputs, and not.
IN_TILES = [sizes for sizes in SIZES if sizes[5] > 1] + [
    (1, (64,), 64, 5, 160, 3, 1),
    (2, (32,), 40, 4, 129, 3, 1),
    (1, (40,), 90, 3, 135, 5, 1),
    (1, (8,), 8, 7, 150, 5, 1),
    (1, (2,), 3, 2, 128, 3, 1),
    (1, (32, 32), 64, 6, 145, 5, 1),
    (1, (33,), 16, 3, 131, 3, 1),
    (1, (16,), 24, 3, 140, 3, 2),
    (1, (90,), 2, 40, 18, 3, 1),
    (5, (16,), 16, 2, 9, 3, 1),
]


@on_tiles
@pytest.mark.parametrize("adds", [False, True], ids=["plain", "adds"])
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("sizes", IN_TILES, ids=lambda s: "b{}c{}o{}h{}w{}k{}u{}".format(*s).replace(" ", ""))
def test_narrow_pictures_in_tiles(body, fences, sizes, layout, adds):
    up = sizes[-1]
    functions = (flat(function, up, "relu") for function in (convolution, reference.convolution))
    check_values(*functions, given(*sizes, layout=layout, dtype=torch.bfloat16, adds=adds))


@on_tiles
@pytest.mark.parametrize("poison", [torch.nan, torch.inf])
@pytest.mark.parametrize(("channels", "width"), [((40,), 150), ((12, 5), 150), ((6,), 20)], ids=str)
@pytest.mark.parametrize("kernel", [3, 5])
def test_in_tiles_what_is_not_finite_stays_where_it_is_seen(body, fences, poison, channels, width, kernel):
    weight, bias, _, *inputs = given(1, channels, 20, 9, width, kernel, dtype=torch.bfloat16)
    inputs[-1][0, -1, 4, width // 2] = poison
    expected = torch.zeros(9, width, dtype=torch.bool)
    reach = kernel // 2
    expected[4 - reach : 5 + reach, width // 2 - reach : width // 2 + reach + 1] = True
    assert torch.equal(~fused(weight, bias, None, *inputs).isfinite().all(1)[0], expected)


@on_tiles
def test_tiles_give_the_same_for_any_number_of_threads_and_see_changed_weights(body, fences):
    weight, bias, _, x = given(2, (16,), 40, 50, 140, dtype=torch.bfloat16)
    check_threads(lambda: fused(weight, bias, None, x))
    for parameter in (weight, bias):
        parameter.view(-1)[-1] += 1
        check_values(fused, plain, (weight, bias, None, x))


@pytest.mark.parametrize("isa", ["avx512_bf16", "amx"])
def test_what_was_packed_for_other_instructions_is_not_used(isa):
    arguments = given(1, (16,), 40, 9, 20, dtype=torch.bfloat16)
    for name in (isa, "avx512", isa):
        with on_body(f"cpu-{name}"):
            check_values(fused, plain, arguments)


@on_tiles
@pytest.mark.parametrize("poison", [torch.nan, torch.inf])
def test_what_is_not_finite_stays_in_its_pixel(body, fences, poison):
    weight, bias, _, *inputs = given(1, (40, 40), 40, 5, 37, 1, dtype=torch.bfloat16)
    for x, channel in zip(inputs, (39, 0), strict=True):
        x[0, channel, 2, 20] = poison
    expected = torch.zeros(5, 37, dtype=torch.bool)
    expected[2, 20] = True
    assert torch.equal(~fused(weight, bias, None, *inputs).isfinite().all(1)[0], expected)


@pytest.mark.parametrize("channels", [(40, 24), (5, 7), (33,), (40,)], ids=str)
def test_where_there_is_amx_other_pictures_are_pytorchs(monkeypatch, channels):
    monkeypatch.setattr(native, "module", lambda: SimpleNamespace(isa=lambda: "amx"))
    arguments = given(channels=channels, k=1, dtype=torch.bfloat16, adds=True)
    assert torch.equal(fused(*arguments), plain(*arguments))
    weight, bias, other, *inputs = arguments
    assert "in bfloat16 is as fast with AMX" in explain(convolution, inputs, weight, bias, other)


def test_convolution_of_a_large_kernel_is_pytorchs():
    arguments = given(k=7)
    assert torch.equal(fused(*arguments), plain(*arguments))


def test_the_result_is_channels_last(body):
    for layout in ("contiguous", "channels_last"):
        assert fused(*given(layout=layout)).is_contiguous(memory_format=torch.channels_last)


def test_what_is_not_finite_stays_near(body, fences):
    weight, bias, _, x = given(1, (17,), 5, 40, 41)
    x[0, 3, 20, 19] = torch.nan
    got = fused(weight, bias, None, x).isnan().any(1)[0]
    assert got[19:22, 18:21].all(), "the pixels that see it"
    got[16:25, 15:24] = False
    assert not got.any()


@pytest.mark.parametrize("which", [0, 1])
def test_nan_parameters_are_not_hidden(body, which):
    arguments = given(1, (17,), 5, 9, 9)
    arguments[which].view(-1)[0] = torch.nan
    assert fused(*arguments)[:, 0].isnan().all()


def test_relu_keeps_nan(body):
    weight, bias, _, x = given(1, (17,), 5, 9, 9)
    bias[2] = torch.nan
    assert flat(convolution, 1, "relu")(weight, bias, None, x)[:, 2].isnan().all()


@pytest.mark.parametrize("scale", [1e-30, 1e30])
def test_convolution_of_extreme_pictures(body, fences, scale):
    weight, bias, _, *inputs = given()
    check_values(fused, plain, (weight, bias * scale, None, *(x * scale for x in inputs)))


def test_convolution_of_nothing_is_nothing(body):
    assert fused(*given(b=0)).shape == (0, 19, 7, 13)
    weight, bias, _, x = given(1, (6,))
    nothing = x[:, :0]
    assert torch.equal(fused(weight, bias, None, nothing, x, nothing), fused(weight, bias, None, x))


@on_the_cpu
def test_convolution_is_the_same_for_any_number_of_threads(body, fences):
    arguments = given(2, (16,), 40, 50, 60)
    check_threads(lambda: fused(*arguments))


@on_the_cpu
def test_changed_weights_are_seen(body):
    weight, bias, _, x = given(1, (17,))
    fused(weight, bias, None, x)
    for parameter in (weight, bias):
        parameter.view(-1)[-1] += 1
        check_values(fused, plain, (weight, bias, None, x))
    kept = len(packed_weights._kept)
    fused(weight.clone(), bias.clone(), None, x)
    assert len(packed_weights._kept) == kept, "a copy shares what was packed"


def test_convolution_gradients_are_the_references():
    check_gradients(fused, plain, given(1, (2, 3), 4, 5, 6, adds=True))
    functions = (flat(function, 2, "relu") for function in (convolution, reference.convolution))
    check_gradients(*functions, given(1, (3,), 2, 4, 5, up=2))


@pytest.mark.parametrize("requires_grad", [False, True])
@pytest.mark.parametrize("layout", ["contiguous", "channels_last", "cropped"])
def test_convolution_opcheck(layout, requires_grad):
    weight, bias, other, *inputs = given(layout=layout, adds=True)
    for tensor in (weight, bias, other, *inputs):
        tensor.requires_grad_(requires_grad)
    torch.library.opcheck(torch.ops.vdeblur.convolution.default, (inputs, weight, bias, other, 1, "relu"))
    torch.library.opcheck(torch.ops.vdeblur.convolution.default, (inputs, weight, bias, None, 1, "none"))


def test_convolution_compiles_once():
    check_compiles_once(fused, given())
    check_compiles_once(flat(convolution, 2, "relu"), given(up=2, layout="contiguous", adds=True))


def test_convolution_counts_as_the_reference():
    check_counts(flat(convolution, 2), flat(reference.convolution, 2), given(up=2))


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"inputs": []}, ValueError, "inputs must be one picture or more, got none"),
        ({"inputs": [normal(17, 7, 13)]}, ValueError, r"inputs\[0\] must be \(B, C, H, W\), got \(17, 7, 13\)"),
        ({"inputs": [normal(2, 17, 7, 0)]}, ValueError, "at least one pixel"),
        (
            {"inputs": [normal(2, 9, 7, 13), normal(2, 8, 7, 12)]},
            ValueError,
            r"inputs\[1\] must be \(2, C, 7, 13\), got \(2, 8, 7, 12\)",
        ),
        (
            {"inputs": [normal(2, 9, 7, 13), normal(2, 8, 7, 13).double()]},
            TypeError,
            r"inputs\[1\] must be torch.float32 as inputs\[0\] is, got torch.float64",
        ),
        ({"weight": normal(19, 16, 3, 3)}, ValueError, r"weight must be \(O, 17, k, k'\), got \(19, 16, 3, 3\)"),
        ({"weight": normal(19, 17, 3, 5)}, ValueError, "square and odd, so that a pixel is in the middle, got 3x5"),
        ({"weight": normal(19, 17, 4, 4)}, ValueError, "square and odd"),
        ({"bias": normal(18)}, ValueError, r"bias must be \(19,\), got \(18,\)"),
        ({"other": normal(2, 18, 7, 13)}, ValueError, r"other must be \(2, 19, 7, 13\), got \(2, 18, 7, 13\)"),
        ({"other": normal(2, 19, 7, 13).double()}, TypeError, "other must be torch.float32 as inputs"),
        ({"upscale": 0}, ValueError, "upscale must be at least 1, got 0"),
        ({"upscale": 2}, ValueError, "weight must have a multiple of 4 outputs, got 19"),
        ({"activation": "gelu"}, ValueError, "activation must be one of relu, none, got 'gelu'"),
        ({"bias": torch.zeros(19, dtype=torch.int64)}, TypeError, "bias must be floating point"),
    ],
)
def test_convolution_rejects_bad_input(change, error, message):
    weight, bias, _, *inputs = given(2, (17,))
    with pytest.raises(error, match=f"convolution: .*{message}"):
        convolution(**({"inputs": inputs, "weight": weight, "bias": bias} | change))
