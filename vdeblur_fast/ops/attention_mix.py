"""attention_mix: estimates of one image mixed by shares, internal in external, in one pass over them."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils.flop_counter import register_flop_formula

from ..reference.ops import attention_mix as reference
from ..reference.ops.attention_mix import NORMALIZE
from . import dispatch, native, triton
from .checks import check_pixels, check_shape, check_together
from .registration import operator

NAME = "attention_mix"


def attention_mix(estimates: Tensor, logits: Tensor, outer: Tensor | None = None, normalize: str = "softmax") -> Tensor:
    """Mixture of the branches' estimates, and of the mixtures (DAVID, equations 1 and 2), fused.

    estimates (B, K, C, H, W), logits (B, K, H, W); or nested: estimates (B, J, K, C, H, W), logits (B, J, K, H, W),
    outer (B, J, H, W); in any memory order -> (B, C, H, W) of estimates' dtype. `normalize="none"` takes the logits
    themselves as shares.

    Equivalent to `vdeblur_fast.reference.ops.attention_mix`. Every estimate is read once, nothing but the result is
    written; computed in float32 for float32, bfloat16 and float16 estimates.

    Raises ValueError for wrong shapes, mixed devices and an unknown `normalize`, TypeError for integers.
    """
    return _attention_mix(*arguments(estimates, logits, outer, normalize))


def arguments(
    estimates: Tensor, logits: Tensor, outer: Tensor | None = None, normalize: str = "softmax"
) -> tuple[Tensor, Tensor, Tensor | None, str]:
    """The checked arguments, as the registered op takes them."""
    if normalize not in NORMALIZE:
        raise ValueError(f"{NAME}: normalize must be one of {', '.join(NORMALIZE)}, got {normalize!r}")
    if outer is None and estimates.dim() == 6:
        raise ValueError(
            f"{NAME}: estimates (B, J, K, C, H, W), as {tuple(estimates.shape)} are, need outer (B, J, H, W)"
        )
    check_shape(NAME, "estimates", estimates, dict.fromkeys("BKCHW" if outer is None else "BJKCHW"))
    check_pixels(NAME, estimates, "estimates")
    sizes = dict(zip("BKCHW" if outer is None else "BJKCHW", estimates.shape, strict=True))
    if not all(sizes.get(axis, 1) for axis in "JK"):
        raise ValueError(f"{NAME}: estimates must have at least one branch, got {tuple(estimates.shape)}")
    del sizes["C"]
    check_shape(NAME, "logits", logits, sizes)
    if outer is not None:
        del sizes["K"]
        check_shape(NAME, "outer", outer, sizes)
    check_together(NAME, estimates=estimates, logits=logits, outer=outer)
    return estimates, logits, outer, normalize


attention_mix.arguments = arguments


def outputs(estimates: Tensor, *_: Any) -> Tensor:
    """The result, not yet computed."""
    return estimates.new_empty((estimates.shape[0], *estimates.shape[-3:]))


@operator(outputs, reference)
def _attention_mix(estimates: Tensor, logits: Tensor, outer: Tensor | None, normalize: str) -> Tensor:
    return dispatch.run(NAME, estimates, logits, outer, normalize)


@register_flop_formula(torch.ops.vdeblur.attention_mix)
def flops(estimates_shape: Sequence[int], *_: Any, **__: Any) -> int:
    """A multiplication and an addition for each estimate; the softmax is not counted."""
    return 2 * torch.Size(estimates_shape).numel()


def _on_reference(*given: Any) -> Tensor:
    return outputs(*given).copy_(reference(*given))


def as_nested(estimates: Tensor, logits: Tensor, outer: Tensor | None) -> tuple[Tensor, Tensor]:
    """Estimates (B, J, K, C, H, W) and logits (B, J, K, H, W); J is 1 where there is no outer."""
    return (estimates, logits) if outer is not None else (estimates[:, None], logits[:, None])


def _on_cpu(estimates: Tensor, logits: Tensor, outer: Tensor | None, normalize: str) -> Tensor:
    mixed = outputs(estimates)
    if not mixed.numel():
        return mixed
    estimates, logits = as_nested(estimates, native.readable(logits), outer)
    outer = None if outer is None else native.readable(outer)
    native.launch(
        NAME,
        estimates,
        native.layout(estimates[:, 0]),
        *(estimates.shape[1], estimates.stride(1)),
        *(logits, native.layout(logits)),
        *(outer, native.layout(logits if outer is None else outer)),
        *(mixed, native.layout(mixed)),
        normalize == "softmax",
    )
    return mixed


dispatch.register(
    NAME,
    dispatch.Backend("triton", triton.why_not_for(NAME), triton.body_of(NAME, outputs)),
    dispatch.Backend("cpu", lambda estimates, *_: native.why_not(estimates), _on_cpu),
    dispatch.Backend("reference", lambda *_: [], _on_reference),
)
