"""The fused RDB in the place of the reference: same weights, same values and gradients, in a network too."""

import copy

import pytest
import torch
from torch import nn

import vdeblur_fast
from vdeblur_fast.modules import FUSED, RDB
from vdeblur_fast.ops import use_backend
from vdeblur_fast.reference import ops as reference_ops
from vdeblur_fast.reference.modules import RDB as ReferenceRDB
from vdeblur_fast.reference.modules import ResidualDenseNetwork


def image(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(sum(shape)))


def pair(*sizes: int, **options) -> tuple[RDB, ReferenceRDB]:
    torch.manual_seed(0)
    fused, reference = RDB(*sizes, **options), ReferenceRDB(*sizes, **options)
    reference.load_state_dict(fused.state_dict(), strict=True)
    return fused, reference


def test_it_is_the_package_s_rdb_and_takes_the_reference_s_place():
    assert vdeblur_fast.RDB is RDB
    assert FUSED[ReferenceRDB] is RDB
    assert list(RDB(4, 2, 2).state_dict()) == [
        *(f"dense.{i}.{kind}" for i in range(2) for kind in ("weight", "bias")),
        "fuse.weight",
        "fuse.bias",
    ]


@pytest.mark.parametrize("sizes", [(90, 36), (16, 12), (8, 8), (5, 3, 1), (6, 4, 4)], ids=str)
@pytest.mark.parametrize("activation", ["gelu", "relu"])
@torch.no_grad()
def test_float32_is_within_1e_6_of_float64(sizes, activation):
    fused, reference = pair(*sizes, activation=activation)
    x = image(2, sizes[0], 23, 31)
    want = reference.double()(x.double())
    assert (fused(x) - want).abs().max() <= 1e-6 * want.abs().max()


@torch.no_grad()
def test_bfloat16_is_as_good_as_pytorchs():
    fused, reference = pair(12, 8)
    x = image(1, 12, 20, 28).bfloat16()
    want = reference.bfloat16().double()(x.double())
    same = reference.bfloat16()(x)
    got = fused.bfloat16()(x)
    assert got.dtype == torch.bfloat16
    assert (got.double() - want).abs().max() <= 2 * (same.double() - want).abs().max()


@torch.no_grad()
def test_the_reference_module_and_the_reference_op_are_one():
    _, reference = pair(7, 5)
    x = image(2, 7, 9, 11)
    weights, biases = [conv.weight for conv in reference.dense], [conv.bias for conv in reference.dense]
    again = reference_ops.residual_dense_block(x, weights, biases, reference.fuse.weight, reference.fuse.bias)
    assert torch.equal(reference(x), again)


def test_gradients_are_the_references():
    fused, reference = pair(6, 4)
    x = image(2, 6, 9, 11)
    gradients = []
    for module in (fused, reference):
        leaf = x.clone().requires_grad_()
        y = module(leaf)
        (y * image(*y.shape)).sum().backward()
        gradients.append({"x": leaf.grad} | {name: p.grad for name, p in module.named_parameters()})
    for name, want in gradients[1].items():
        torch.testing.assert_close(gradients[0][name], want, rtol=1e-4, atol=1e-5, msg=lambda m, n=name: f"{n}: {m}")


def test_training_steps_are_seen_at_once():
    fused, reference = pair(6, 4)
    x = image(1, 6, 9, 11)
    for module in (fused, reference):
        optimiser = torch.optim.Adam(module.parameters(), 1e-2)
        for _ in range(3):
            optimiser.zero_grad()
            module(x).square().mean().backward()
            optimiser.step()
    with torch.no_grad():
        torch.testing.assert_close(fused(x), reference(x), rtol=1e-3, atol=1e-4)


def test_it_compiles_to_one_graph_without_recompiling():
    fused, _ = pair(8, 4)
    torch.compiler.reset()
    compiled = torch.compile(fused, fullgraph=True, backend="aot_eager")
    with torch._dynamo.config.patch(error_on_recompile=True), torch.no_grad():
        for _ in range(2):
            x = image(1, 8, 8, 9)
            assert torch.equal(compiled(x), fused(x))
            for backend in ("reference", "cpu"):
                with use_backend(backend):
                    torch.testing.assert_close(compiled(x), fused(x))


@torch.no_grad()
def test_it_exports():
    fused, reference = pair(8, 4)
    x = image(1, 8, 8, 9)
    exported = torch.export.export(fused.eval(), (x,))
    torch.testing.assert_close(exported.module()(x), reference(x))


@torch.no_grad()
def test_a_chain_of_fused_blocks_is_the_references_chain():
    torch.manual_seed(0)
    reference = ResidualDenseNetwork(20, 8, 4)
    fused = copy.deepcopy(reference)
    fused.blocks = nn.ModuleList(RDB(20, 8) for _ in reference.blocks)
    fused.load_state_dict(reference.state_dict(), strict=True)
    x = image(1, 20, 18, 33)
    want = reference.double()(x.double())
    assert (fused(x) - want).abs().max() <= 2e-6 * want.abs().max()


def test_it_runs_in_inference_mode():
    fused, reference = pair(8, 4)
    with torch.inference_mode():
        torch.testing.assert_close(fused(image(1, 8, 8, 9)), reference(image(1, 8, 8, 9)))
