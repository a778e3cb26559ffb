"""How operators are made known to PyTorch: a schema, a body, results to be foreseen, gradients."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch.autograd import forward_ad

from .dispatch import use_backend
from .recompute import register_recompute

# Not custom_op: what that puts around a body takes longer than a small body itself.
LIBRARY = torch.library.Library("vdeblur", "FRAGMENT")
_BODIES: dict[Any, Callable[..., Any]] = {}


def define(body: Callable[..., Any], outputs: Callable[..., Any]) -> Any:
    """Makes the body `_name`, whose annotations are the schema, the operator torch.ops.vdeblur.name, without gradients.

    `outputs(*arguments)`, the results not yet computed, stands in for the body where shapes are enough.
    """
    name = body.__name__.removeprefix("_")
    schema = torch.library.infer_schema(body, mutates_args=())
    LIBRARY.define(name + schema, tags=(torch.Tag.pt2_compliant_tag,))
    LIBRARY.impl(name, body, "CompositeExplicitAutograd")
    torch.library.register_fake(f"vdeblur::{name}", outputs, lib=LIBRARY)
    made = getattr(torch.ops.vdeblur, name).default
    _BODIES[made] = body
    return made


def operator(outputs: Callable[..., Any], reference: Callable[..., Any]) -> Callable[[Callable[..., Any]], Any]:
    """Decorates the body `_name`: -> what calls the operator that `define` makes of it, with gradients.

    They are those of `reference(*arguments)`, of arguments that are tensors (or None) first and settings last.
    """

    def register(body: Callable[..., Any]) -> Any:
        made = define(body, outputs)
        register_recompute(made.name(), reference, LIBRARY)
        return partial(call, made)

    return register


def call(operator: Any, *arguments: Any) -> Any:
    """The operator's results.

    In forward-mode differentiation (`torch.func.jvp`) by the reference, in plain PyTorch: of an operator made in Python
    PyTorch takes the tangents to be 0, without a word.

    Under `no_grad` without a word to PyTorch's autograd, which for operators made in Python is Python too and takes as
    long to find that there is nothing to do as a small body takes.
    """
    if forward_ad._current_level >= 0:
        with use_backend("reference"):
            return _BODIES[operator](*arguments)
    if torch.compiler.is_compiling() or torch.is_grad_enabled() or torch.is_inference_mode_enabled():
        return operator(*arguments)
    with torch._C._AutoDispatchBelowAutograd():  # as torch.library itself does there
        return operator(*arguments)
