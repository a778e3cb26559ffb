"""Every operator is itself whatever PyTorch is set to around it, and however it is differentiated."""

from collections.abc import Callable, Iterator

import pytest
import torch
from torch.utils.checkpoint import checkpoint

from vdeblur_fast import ops
from vdeblur_fast.ops import native
from vdeblur_fast.reference import ops as reference

from .checking import normal

B, T, C, H, W, M = 1, 2, 8, 6, 7, 3


def convolution(module) -> Callable:
    return lambda x, y, weight, bias: module.convolution([x, y], weight, bias)


def residual_dense_block(module) -> Callable:
    return lambda x, weight, bias, *fuse: module.residual_dense_block(x, [weight], [bias], *fuse)


def temporal_blend(module) -> Callable:
    return lambda *given: module.temporal_blend(*given[:4], given[4].flatten()[:1] * 0.1 + 0.5)


def by_name(name: str) -> Callable:
    return lambda module: getattr(module, name)


X = (B, C, H, W)
CASES = {
    "attention_mix": (by_name("attention_mix"), [(B, 2, C, H, W), (B, 2, H, W)]),
    "convolution": (convolution, [X, X, (C, 2 * C, 3, 3), (C,)]),
    "motion_attention": (by_name("motion_attention"), [X, (B, 1, H, W), (2,), (2,), (C, 2), (C,)]),
    "pixel_distribute": (by_name("pixel_distribute"), [X, (B, C, M), (M, C), (M,)]),
    "residual_dense_block": (residual_dense_block, [X, (4, C, 3, 3), (4,), (C, C + 4, 1, 1), (C,)]),
    "spatial_squeeze": (by_name("spatial_squeeze"), [(B, T, C, H, W), (M, C), (M,), (C,), (1,)]),
    "temporal_blend": (temporal_blend, [X, X, (C, 2 * C, 3, 3), (C,), (1,)]),
    "temporal_blend-few": (temporal_blend, [(B, 3, H, W), (B, 3, H, W), (3, 6, 3, 3), (3,), (1,)]),
    "temporal_squeeze": (by_name("temporal_squeeze"), [(B, T, C, M), (B, T, C), (2, C), (2,)]),
    "upsample_concat": (by_name("upsample_concat"), [X, (B, C, 2 * H, 2 * W)]),
}
every_operator = pytest.mark.parametrize("name", CASES)


def made(name: str) -> tuple[Callable, Callable, list[torch.Tensor]]:
    """The operator and its reference as functions of tensors to one tensor or more, and such tensors."""
    made_of, shapes = CASES[name]

    def results(module) -> Callable:
        def function(*given: torch.Tensor) -> tuple[torch.Tensor, ...]:
            out = made_of(module)(*given)
            return tuple(r for r in out if r is not None) if isinstance(out, tuple) else (out,)

        return function

    return results(ops), results(reference), [normal(*s, seed=i, scale=0.5) for i, s in enumerate(shapes)]


def close(got, want) -> None:
    assert len(got) == len(want)
    for g, w in zip(got, want, strict=True):
        assert (g is None) == (w is None)
        if w is not None:
            torch.testing.assert_close(g, w, rtol=1e-4, atol=1e-5)


@pytest.fixture
def default_dtype(request) -> Iterator[torch.dtype]:
    torch.set_default_dtype(request.param)
    yield request.param
    torch.set_default_dtype(torch.float32)


@every_operator
@pytest.mark.parametrize("default_dtype", [torch.float64, torch.bfloat16, torch.float16], indirect=True, ids=str)
def test_another_default_dtype_changes_nothing(name, default_dtype):
    operator, plain, given = made(name)
    given = [tensor.float() for tensor in given]
    close(operator(*given), plain(*given))


@every_operator
def test_another_default_device_changes_nothing(name):
    operator, plain, given = made(name)
    with torch.device("meta"):
        got = operator(*given)
    close(got, plain(*given))


@pytest.mark.skipif(bool(native.why_not(torch.empty(0))), reason="the native module is not installed")
def test_memory_for_the_kernels_is_theirs_whatever_the_defaults(request):
    request.addfinalizer(lambda: torch.set_default_dtype(torch.float32))
    torch.set_default_dtype(torch.bfloat16)
    with torch.device("meta"):
        memory = native.floats(3)
        apart = native.channels_apart(torch.ones(1, 2, 3, 4, device="cpu"))
    assert (memory.dtype, memory.device.type, memory.shape) == (torch.float32, "cpu", (3,))
    assert apart.device.type == "cpu"


@every_operator
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
def test_autocast_is_for_others(name, dtype):
    operator, plain, given = made(name)
    with torch.autocast("cpu", dtype=dtype):
        got = operator(*given)
        with ops.use_backend("reference"):
            same = operator(*given)
    close(got, plain(*given))
    close(same, plain(*given))


@every_operator
def test_tangents_are_the_references(name):
    operator, plain, given = made(name)
    tangents = tuple(normal(*tensor.shape, seed=9) for tensor in given)
    got, want = (torch.func.jvp(function, tuple(given), tangents) for function in (operator, plain))
    close(got[0], want[0])
    close(got[1], want[1])
    assert any(tangent.any() for tangent in got[1])
    with torch.autograd.forward_ad.dual_level(), torch.no_grad():
        dual = torch.autograd.forward_ad.make_dual(given[0], tangents[0])
        for result in operator(dual, *given[1:]):
            assert result.dtype == torch.float32


@every_operator
def test_any_one_argument_may_be_the_one_that_is_trained(name):
    """One that a result does not depend on gets no gradient from it."""
    operator, plain, given = made(name)
    for trained in range(len(given)):
        found = []
        for function in (operator, plain):
            leaves = [tensor.clone().requires_grad_(i == trained) for i, tensor in enumerate(given)]
            sum((normal(*r.shape, seed=3) * r).sum() for r in function(*leaves)).backward()
            found.append([leaf.grad for leaf in leaves])
        close(*found)


@every_operator
def test_activations_may_be_recomputed(name):
    operator, plain, given = made(name)
    found = []
    for function in (lambda *leaves: checkpoint(operator, *leaves, use_reentrant=False), plain):
        leaves = [tensor.clone().requires_grad_() for tensor in given]
        sum((normal(*r.shape, seed=3) * r).sum() for r in function(*leaves)).backward()
        found.append([leaf.grad for leaf in leaves])
    close(*found)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda z: ops.spatial_squeeze(z(1, 2, 3, 4, 5), z(0, 3), z(0)), "weight must have at least one map"),
        (lambda z: ops.spatial_squeeze(z(1, 2, 0, 4, 5), z(2, 0), z(2)), "x must have at least one channel"),
        (lambda z: ops.pixel_distribute(z(1, 3, 4, 5), z(1, 3, 0), z(0, 3), z(0)), "weight must have at least one map"),
        (lambda z: ops.convolution([z(1, 0, 4, 5)], z(4, 0, 3, 3), z(4)), "weight must have at least one input"),
        (lambda z: ops.convolution([z(1, 3, 4, 5)], z(0, 3, 3, 3), z(0)), "weight must have at least one output"),
        (
            lambda z: ops.temporal_blend(z(1, 0, 4, 5), z(1, 0, 4, 5), z(0, 0, 3, 3), z(0), z(1)),
            "current must have at least one channel",
        ),
        (
            lambda z: ops.motion_attention(z(1, 0, 4, 5), z(1, 1, 4, 5), z(2), z(2), z(0, 2), z(0)),
            "x must have at least one channel",
        ),
        (
            lambda z: ops.motion_attention(z(1, 3, 4, 5), z(1, 1, 4, 5), z(0), z(0), z(3, 0), z(3)),
            "scale_weight_0 must have at least one number",
        ),
        (
            lambda z: ops.residual_dense_block(z(1, 0, 4, 5), [], [], z(0, 0, 1, 1), z(0)),
            "x must have at least one channel",
        ),
    ],
)
def test_nothing_to_compute_with_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call(torch.zeros)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_a_mask_comes_back_in_the_dtype_of_the_frames(dtype):
    x, mask = normal(B, T, C, H, W).to(dtype), torch.rand(B, T, 1, H, W, dtype=torch.float64)
    given = x, normal(M, C), normal(M), None, None, mask
    got, want = (module.spatial_squeeze(*given, return_mask=True) for module in (ops, reference))
    assert got.mask.dtype == want.mask.dtype == dtype
    assert torch.equal(got.mask, want.mask)
    assert ops.spatial_squeeze(*given).mask is None
