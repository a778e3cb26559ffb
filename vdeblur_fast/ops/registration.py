"""How operators are made known to PyTorch: a schema, a body, results to be foreseen, gradients."""

from collections.abc import Callable
from typing import Any

import torch

from .recompute import register_recompute

# Not custom_op: what that puts around a body takes longer than a small body itself.
LIBRARY = torch.library.Library("vdeblur", "FRAGMENT")


def define(body: Callable[..., Any], outputs: Callable[..., Any]) -> Any:
    """Makes the body `_name`, whose annotations are the schema, the operator torch.ops.vdeblur.name, without gradients.

    `outputs(*arguments)`, the results not yet computed, stands in for the body where shapes are enough.
    """
    name = body.__name__.removeprefix("_")
    schema = torch.library.infer_schema(body, mutates_args=())
    LIBRARY.define(name + schema, tags=(torch.Tag.pt2_compliant_tag,))
    LIBRARY.impl(name, body, "CompositeExplicitAutograd")
    torch.library.register_fake(f"vdeblur::{name}", outputs, lib=LIBRARY)
    return getattr(torch.ops.vdeblur, name).default


def operator(outputs: Callable[..., Any], reference: Callable[..., Any]) -> Callable[[Callable[..., Any]], Any]:
    """Decorates the body `_name`: -> the operator that `define` makes of it, with gradients.

    They are those of `reference(*arguments)`, of arguments that are tensors (or None) first and settings last.
    """

    def register(body: Callable[..., Any]) -> Any:
        made = define(body, outputs)
        register_recompute(made.name(), reference, LIBRARY)
        return made

    return register
