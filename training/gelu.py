"""GELU with a faster gradient: that of PyTorch for bfloat16 takes a third of a step of MMP-RNN on a CPU."""

import math
from functools import cache

import torch
from torch import nn

from vdeblur_fast.reference.modules import RDB


@torch.compile(dynamic=True)
def _gradient(outer: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    wide = x.float()
    below = 0.5 + 0.5 * torch.erf(wide * math.sqrt(0.5))
    density = torch.exp(-0.5 * wide * wide) * math.sqrt(0.5 / math.pi)
    return (outer.float() * (below + wide * density)).to(x.dtype)


class CompiledGradientGELU(torch.autograd.Function):
    """Exact GELU of any shape and dtype.

    Equivalent to:
        torch.nn.functional.gelu(x)
    """

    @staticmethod
    def forward(ctx, x: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(x)
        return nn.functional.gelu(x)

    @staticmethod
    def backward(ctx, outer: torch.Tensor) -> torch.Tensor:
        return _gradient(outer, *ctx.saved_tensors)


@cache
def _compiles() -> bool:
    """Not without a C++ compiler."""
    try:
        _gradient(torch.ones(2), torch.ones(2))
    except RuntimeError:
        return False
    return True


def compile_gradient(network: nn.Module, device: torch.device, dtype: torch.dtype) -> None:
    """Gives the residual dense blocks of a network that GELU in place of PyTorch's, where that is what takes long and
    it can be compiled here."""
    if device.type != "cpu" or dtype != torch.bfloat16 or not _compiles():
        return
    for module in network.modules():
        if isinstance(module, RDB) and module.activation == "gelu":
            module.activate = CompiledGradientGELU.apply
