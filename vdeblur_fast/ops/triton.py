"""The door to the Triton kernels: which calls they take, and their launch."""

import os
from collections.abc import Callable, Sequence
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from ..kernels.capability import why_not_on
from . import launching

TYPES = (torch.float32, torch.bfloat16, torch.float16)


@cache
def _kernels(operator: str) -> tuple[ModuleType | None, str]:
    try:
        return import_module(f"vdeblur_fast.kernels.{operator}"), ""
    except ImportError as error:
        return None, f"triton cannot be used here ({error})"


@cache
def interpreting() -> bool:
    """Whether Triton runs its kernels in Python, on CPU tensors too: decided before triton is first imported."""
    return os.environ.get("TRITON_INTERPRET") == "1"


def why_not(x: Tensor) -> str:
    """Why no Triton kernel can work on this tensor; "" where they can."""
    kind = x.device.type
    if kind != "cuda" and not (kind == "cpu" and interpreting()):
        return "works on CUDA tensors, got " + kind
    if kind == "cuda" and (too_old := why_not_on(x.device)):
        return too_old
    if find_spec("triton") is None:
        return "triton is not installed"
    if x.dtype not in TYPES:
        return f"takes float32, bfloat16 and float16, got {str(x.dtype).removeprefix('torch.')}"
    return ""


def why_not_for(operator: str) -> Callable[..., list[str]]:
    """The `why_not` of an operator's Triton body; `kernels/<operator>.py` has a `why_not(*shapes)` of its own."""

    def why_not_call(x: Tensor | Sequence[Tensor], *rest: Any) -> list[str]:
        reason = why_not(launching.first_of(x))
        if not reason:
            kernels, reason = _kernels(operator)
        return [reason] if reason else kernels.why_not(x, *rest)

    return why_not_call


def body_of(operator: str, outputs: Callable[..., Any]) -> Callable[..., Any]:
    """An operator's Triton body, with the results that `outputs` allocates."""
    return launching.body_of(lambda *given: _kernels(operator)[0].launch(*given), outputs)


def laid_out(weight: Tensor) -> Tensor:
    """A convolution's weight in the order in which the kernels read it: itself, where it lies so, else a copy."""
    return import_module("vdeblur_fast.kernels.convolving").laid_out(weight)
