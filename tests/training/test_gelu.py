"""GELU whose gradient is compiled."""

import pytest
import torch
from torch.nn.functional import gelu

from vdeblur_fast.reference.modules import RDB
from vdeblur_fast.training import gelu as module
from vdeblur_fast.training.gelu import CompiledGradientGELU, compile_gradient

ON_CPU = torch.device("cpu"), torch.bfloat16


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_values_and_gradients_are_those_of_gelu(dtype):
    torch.manual_seed(0)
    values = torch.linspace(-8, 8, 2 * 6 * 5 * 7).to(dtype).reshape(2, 6, 5, 7).to(memory_format=torch.channels_last)
    outer = torch.randn(2, 9, 5, 7).to(dtype).to(memory_format=torch.channels_last)[:, 3:]  # as concatenations give it
    found, expected, exact = (
        x.detach().to(kind).requires_grad_() for x, kind in ((values, dtype), (values, dtype), (values, torch.float64))
    )
    CompiledGradientGELU.apply(found).backward(outer)
    gelu(expected).backward(outer)
    gelu(exact).backward(outer.double())
    assert found.grad.dtype == dtype
    ours, theirs = ((x.grad - exact.grad).square().mean().sqrt() for x in (found, expected))
    assert ours <= 2 * theirs


def test_blocks_get_it_and_stay_what_they_are():
    block, relu = RDB(4, 2), RDB(4, 2, activation="relu")
    x = torch.randn(1, 4, 6, 6)
    before = block(x), relu(x)
    compile_gradient(torch.nn.Sequential(block, relu), *ON_CPU)
    assert block.activate == CompiledGradientGELU.apply
    assert relu.activate is torch.nn.functional.relu
    for was, block_ in zip(before, (block, relu), strict=True):
        torch.testing.assert_close(block_(x), was, rtol=0, atol=0)


def test_only_where_it_takes_long():
    compile_gradient(block := RDB(4, 2), torch.device("cpu"), torch.float32)
    compile_gradient(block, torch.device("cuda"), torch.bfloat16)
    assert block.activate is gelu


def test_without_a_compiler_blocks_keep_pytorchs(monkeypatch):
    def fails(*_):
        raise RuntimeError("No working C++ compiler found")

    monkeypatch.setattr(module, "_gradient", fails)
    module._compiles.cache_clear()
    try:
        compile_gradient(block := RDB(4, 2), *ON_CPU)
    finally:
        module._compiles.cache_clear()
    assert block.activate is gelu
