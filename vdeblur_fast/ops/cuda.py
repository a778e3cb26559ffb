"""The door to the CUDA C++ kernels: which calls they take, and their launch."""

from collections.abc import Callable
from importlib import import_module
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from ..kernels.cuda import library
from . import launching

why_not = library.why_not


def _kernels(operator: str) -> ModuleType:
    return import_module(f"vdeblur_fast.kernels.cuda.{operator}")


def why_not_for(operator: str) -> Callable[..., list[str]]:
    """The `why_not` of an operator's CUDA body; `kernels/cuda/<operator>.py` has a `why_not(*arguments)` of its own."""

    def why_not_call(x: Tensor, *rest: Any) -> list[str]:
        if reason := why_not(x):
            return [reason]
        with torch.cuda.device(x.device):
            return _kernels(operator).why_not(x, *rest)

    return why_not_call


def body_of(operator: str, outputs: Callable[..., Any]) -> Callable[..., Any]:
    """An operator's CUDA body, with the results that `outputs` allocates."""
    return launching.body_of(lambda *given: _kernels(operator).launch(*given), outputs)
