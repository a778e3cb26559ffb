"""residual_dense_block, every body of it, against the reference."""

from collections.abc import Callable

import pytest
import torch

from vdeblur_fast.ops import explain, residual_dense_block
from vdeblur_fast.ops.residual_dense_block import packed_weights
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

body = fixture_of(*BODIES, "cpu-avx512_bf16", "cpu-amx")


# B, C, H, W, G, layers
SIZES = [
    (1, 8, 1, 1, 8, 3),
    (2, 17, 7, 13, 5, 3),
    (1, 3, 33, 1, 2, 3),
    (2, 1, 1, 31, 1, 1),
    (1, 16, 9, 35, 12, 2),
    (1, 40, 5, 12, 16, 2),
    (2, 18, 4, 8, 27, 1),
    (1, 4, 9, 9, 3, 5),
]
CPU = pytest.mark.parametrize(
    "body", ["cpu-portable", "cpu-avx2", "cpu-avx512", "cpu-avx512_bf16", "cpu-amx"], indirect=True
)
TYPES = pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=["fp32", "bf16"])


def given(b=2, c=17, h=7, w=13, g=5, layers=3, layout="contiguous", dtype=torch.float32):
    """x, then weight and bias of every layer and of the fusion."""
    parameters = []
    for inputs in range(c, c + layers * g, g):
        parameters += [normal(g, inputs, 3, 3, scale=(2 / (9 * inputs)) ** 0.5), normal(g, scale=0.3)]
    fused = c + layers * g
    parameters += [normal(c, fused, 1, 1, scale=fused**-0.5), normal(c)]
    return frames(b, c, h, w, layout=layout, dtype=dtype), *parameters


def flat(function: Callable, activation: str = "gelu") -> Callable:
    """The function, called with `given` as it stands."""

    def call(x: torch.Tensor, *parameters: torch.Tensor) -> torch.Tensor:
        return function(x, parameters[:-2:2], parameters[1:-2:2], *parameters[-2:], activation)

    return call


fused, plain = flat(residual_dense_block), flat(reference.residual_dense_block)


@TYPES
@pytest.mark.parametrize("sizes", SIZES, ids=lambda s: "b{}c{}h{}w{}g{}l{}".format(*s))
def test_residual_dense_block_matches_reference(body, fences, sizes, dtype):
    check_values(fused, plain, given(*sizes, dtype=dtype))


@CPU
@TYPES
@pytest.mark.parametrize("layout", ["contiguous", "channels_last"])
@pytest.mark.parametrize("sizes", [(1, 90, 11, 131, 36, 3), (2, 80, 22, 67, 32, 3), (1, 64, 6, 300, 7, 3)], ids=str)
def test_residual_dense_block_is_nearly_as_exact_as_pytorch(body, fences, sizes, layout, dtype):
    x, *parameters = given(*sizes, layout=layout, dtype=dtype)
    arguments = x, *(p.to(dtype) for p in parameters)
    want = plain(*(a.double() for a in arguments))
    ours, theirs = ((function(*arguments) - want).square().mean().sqrt() for function in (fused, plain))
    assert ours <= 2 * theirs, f"{ours:.3g} beside {theirs:.3g}"


@TYPES
@pytest.mark.parametrize("layout", LAYOUTS)
def test_residual_dense_block_views(body, fences, layout, dtype):
    check_values(fused, plain, given(c=20, h=7, w=9, g=4, layers=2, layout=layout, dtype=dtype))


def test_residual_dense_block_keeps_the_memory_order(body):
    for order in (torch.contiguous_format, torch.channels_last):
        x, *rest = given(c=4, layers=1)
        assert fused(x.contiguous(memory_format=order), *rest).is_contiguous(memory_format=order)


def test_residual_dense_block_relu(body, fences):
    check_values(flat(residual_dense_block, "relu"), flat(reference.residual_dense_block, "relu"), given())


@CPU
def test_residual_dense_block_parameters_in_any_order_and_type(body, fences):
    x, *parameters = given(c=16, g=8)
    want = fused(x, *parameters)
    last = [p.contiguous(memory_format=torch.channels_last) if p.dim() == 4 else p for p in parameters]
    assert torch.equal(fused(x, *last), want)
    wide = [torch.stack([p, p])[1] if p.dim() == 4 else p.repeat_interleave(2)[::2] for p in parameters]
    assert torch.equal(fused(x, *wide), want)
    narrow = [p.bfloat16() for p in parameters]
    assert torch.equal(fused(x, *narrow), fused(x, *(p.float() for p in narrow)))


@pytest.mark.parametrize("body", ["triton"], indirect=True)
def test_residual_dense_block_biases_in_any_order_in_triton(body, fences):
    x, *parameters = given()
    wide = [p if p.dim() == 4 else p.repeat_interleave(2)[::2] for p in parameters]
    check_values(fused, plain, (x, *wide))


def test_gelu_is_exact_from_tail_to_tail(body, fences):
    n = 64
    z = torch.cat([torch.linspace(-8, 8, n - 6), torch.tensor([-1e4, -30.0, -0.0, 1e-8, 30.0, 1e4])])
    fuse = torch.cat([torch.zeros(n, n), torch.eye(n)], 1)[..., None, None]
    got = residual_dense_block(torch.zeros(1, n, 2, 3), [torch.zeros(n, n, 3, 3)], [z], fuse, torch.zeros(n))
    want = torch.nn.functional.gelu(z.double())
    assert ((got - want[:, None, None]).abs() <= 2e-7 * z.abs().clamp(min=1e-9)[:, None, None].double()).all()


@pytest.mark.parametrize("scale", [1e6, 1e-6])
def test_residual_dense_block_of_large_and_small_frames(body, fences, scale):
    x, *parameters = given()
    check_values(fused, plain, (x * scale, *parameters))


@CPU
def test_residual_dense_block_nan_stays_near_its_pixel(body, fences):
    x, *parameters = given(2, 6, 50, 70, 4)
    x[1, 3, 25, 40] = torch.nan
    got, want = fused(x, *parameters).isnan(), plain(x, *parameters).isnan()
    assert (got | ~want).all()
    batch, _, rows, columns = got.nonzero().T
    assert (batch == 1).all()
    assert (rows - 25).abs().max() <= 12
    assert (columns - 40).abs().max() <= 12


def test_residual_dense_block_of_nothing_is_nothing(body):
    assert fused(*given(b=0)).shape == (0, 17, 7, 13)


@CPU
def test_residual_dense_block_is_the_same_for_any_number_of_threads(body, fences):
    arguments = given(3, 16, 50, 300, 12)
    check_threads(lambda: fused(*arguments), (1, 2, 3, 8))


@CPU
@pytest.mark.parametrize(
    "change",
    [lambda p: p.mul_(1.1), lambda p: p.data.add_(0.01), lambda p: p.numpy().fill(0.1)],
    ids=["in place", "past the version counter", "through numpy"],
)
def test_new_weights_are_seen_however_they_came(body, change):
    arguments = given()
    check_values(fused, plain, arguments)
    for p in arguments[1:]:
        change(p)
    check_values(fused, plain, arguments)


@CPU
def test_a_second_call_packs_nothing(body, monkeypatch):
    arguments = given(c=9, g=7)
    first = fused(*arguments)
    monkeypatch.setattr(packed_weights, "_pack", None)
    assert torch.equal(fused(*arguments), first)


def test_without_layers_the_reference_runs():
    x, fuse_weight, fuse_bias = normal(1, 3, 4, 5), normal(3, 3, 1, 1), normal(3)
    text = explain(residual_dense_block, x, [], [], fuse_weight, fuse_bias)
    assert "cpu        no: takes at least one layer" in text
    torch.testing.assert_close(
        residual_dense_block(x, [], [], fuse_weight, fuse_bias),
        torch.nn.functional.conv2d(x, fuse_weight, fuse_bias) + x,
    )


def test_explain_shows_sizes_not_numbers():
    x, *p = given()
    text = explain(residual_dense_block, x, p[:-2:2], p[1:-2:2], *p[-2:])
    assert "[(5, 17, 3, 3) float32 cpu, (5, 22, 3, 3) float32 cpu" in text


def test_residual_dense_block_gradients_are_the_references():
    check_gradients(fused, plain, given(1, 6, 3, 5, 4, 2))


@pytest.mark.parametrize("requires_grad", [False, True])
@pytest.mark.parametrize("layout", ["contiguous", "channels_last"])
def test_residual_dense_block_opcheck(layout, requires_grad):
    x, *p = (a.requires_grad_(requires_grad) for a in given(c=4, g=2, layers=2, layout=layout))
    arguments = x, p[:-2:2], p[1:-2:2], *p[-2:], "gelu"
    torch.library.opcheck(torch.ops.vdeblur.residual_dense_block.default, arguments)


def test_residual_dense_block_compiles_once():
    check_compiles_once(fused, given())
    check_compiles_once(fused, given(layout="channels_last"))


def test_residual_dense_block_counts_as_the_reference():
    check_counts(fused, plain, given())


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({0: normal(17, 7, 13)}, ValueError, r"x must be \(B, C, H, W\), got \(17, 7, 13\)"),
        ({0: normal(2, 17, 0, 13)}, ValueError, "at least one pixel"),
        ({1: [normal(5, 17, 3, 3)] * 2}, ValueError, r"weights\[1\] must be \(5, 22, 3, 3\), got \(5, 17, 3, 3\)"),
        ({1: [normal(5, 17, 5, 5)], 2: [normal(5)]}, ValueError, r"weights\[0\] must be \(5, 17, 3, 3\)"),
        ({2: [normal(5)]}, ValueError, "every layer has a weight and a bias, got 2 and 1 of them"),
        ({2: [normal(5), normal(6)]}, ValueError, r"biases\[1\] must be \(5,\), got \(6,\)"),
        ({3: normal(17, 22, 1, 1)}, ValueError, r"fuse_weight must be \(17, 27, 1, 1\), got \(17, 22, 1, 1\)"),
        ({4: normal(16)}, ValueError, r"fuse_bias must be \(17,\)"),
        ({5: "tanh"}, ValueError, "activation must be one of gelu, relu, got 'tanh'"),
        ({0: torch.zeros(2, 17, 7, 13, dtype=torch.int32)}, TypeError, "x must be floating point, got torch.int32"),
        ({4: torch.zeros(17, device="meta")}, ValueError, "fuse_bias is on meta and x on cpu; move one of them"),
    ],
)
def test_residual_dense_block_rejects_bad_input(change, error, message):
    x, *p = given(layers=2)
    arguments = [x, p[:-2:2], p[1:-2:2], *p[-2:], "gelu"]
    for place, value in change.items():
        arguments[place] = value
    with pytest.raises(error, match=message):
        residual_dense_block(*arguments)
