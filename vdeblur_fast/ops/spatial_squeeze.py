"""spatial_squeeze: every frame to a few vectors, in one pass over its pixels."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils.flop_counter import register_flop_formula

from ..reference.ops import SpatialSqueeze
from ..reference.ops import spatial_squeeze as reference
from ..reference.ops.accumulate import accumulation_dtype
from . import cuda, dispatch, native, triton
from .checks import check_pixels, check_shape, check_some, check_together
from .registration import operator

NAME = "spatial_squeeze"


def spatial_squeeze(
    x: Tensor,
    weight: Tensor,
    bias: Tensor,
    gate_weight: Tensor | None = None,
    gate_bias: Tensor | None = None,
    mask: Tensor | None = None,
    return_mask: bool = False,
    return_statistics: bool = False,
) -> SpatialSqueeze:
    """Gated spatial aggregation of every frame (GSTA, equations 1, 2, 7 and 8), fused.

    x (B, T, C, H, W) in any memory order; weight (M, C), bias (M); gate_weight (C), gate_bias (1), or a `mask`
    (B, T, 1, H, W) in their place, or neither -> aggregate (B, T, C, M) and mean (B, T, C); peak and total (B, T, M)
    with `return_statistics`; the gate (B, T, 1, H, W) with `return_mask`.

    Equivalent to `vdeblur_fast.reference.ops.spatial_squeeze`. Nothing of size M * H * W is ever written. Everything
    is computed and returned in float32 for float32, bfloat16 and float16 x (the mask: x's dtype). Where pixels or
    logits are not finite, NaN may be of more maps than by the definition, or of fewer: of one whose logits are all -inf
    the reference makes NaN.

    Raises ValueError for wrong shapes and mixed devices, TypeError for integers.
    """
    given = arguments(x, weight, bias, gate_weight, gate_bias, mask, return_mask, return_statistics)
    aggregate, mean, peak, total, gate = _spatial_squeeze(*given)
    if return_mask and mask is not None:
        gate = mask.to(x.dtype)
    statistics = (peak, total) if return_statistics else (None, None)
    return SpatialSqueeze(aggregate, mean, *statistics, gate if return_mask else None)


def arguments(
    x: Tensor,
    weight: Tensor,
    bias: Tensor,
    gate_weight: Tensor | None = None,
    gate_bias: Tensor | None = None,
    mask: Tensor | None = None,
    return_mask: bool = False,
    return_statistics: bool = False,
) -> tuple[Any, ...]:
    """The checked arguments, as the registered op takes them."""
    check_shape(NAME, "x", x, dict.fromkeys("BTCHW"))
    check_pixels(NAME, x)
    batch, frames, channels, height, width = x.shape
    check_some(NAME, "x", x, 2, "channel")
    check_shape(NAME, "weight", weight, {"M": None, "C": channels})
    check_some(NAME, "weight", weight, 0, "map")
    check_shape(NAME, "bias", bias, {"M": weight.shape[0]})
    if (gate_weight is None) != (gate_bias is None):
        raise ValueError(f"{NAME}: gate_weight and gate_bias come together; one of them is missing")
    if gate_weight is not None:
        if mask is not None:
            raise ValueError(f"{NAME}: give either gate_weight and gate_bias or a mask, not both")
        check_shape(NAME, "gate_weight", gate_weight, {"C": channels})
        check_shape(NAME, "gate_bias", gate_bias, {"1": 1})
    if mask is not None:
        check_shape(NAME, "mask", mask, {"B": batch, "T": frames, "1": 1, "H": height, "W": width})
    if return_mask and gate_weight is None and mask is None:
        raise ValueError(f"{NAME}: return_mask needs gate_weight and gate_bias, or a mask")
    check_together(NAME, x=x, weight=weight, bias=bias, gate_weight=gate_weight, gate_bias=gate_bias, mask=mask)
    return x, weight, bias, gate_weight, gate_bias, mask, return_mask and mask is None, return_statistics


spatial_squeeze.arguments = arguments


def outputs(
    x: Tensor,
    weight: Tensor,
    bias: Tensor,
    gate_weight: Tensor | None,
    gate_bias: Tensor | None,
    mask: Tensor | None,
    return_mask: bool,
    return_statistics: bool,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """The five results, not yet computed; what was not asked for is empty."""
    batch, frames, channels, height, width = x.shape
    maps, dtype = weight.shape[0], accumulation_dtype(x.dtype)
    statistics = (batch, frames, maps) if return_statistics else (0,)
    return (
        x.new_empty((batch, frames, channels, maps), dtype=dtype),
        x.new_empty((batch, frames, channels), dtype=dtype),
        x.new_empty(statistics, dtype=dtype),
        x.new_empty(statistics, dtype=dtype),
        x.new_empty((batch, frames, 1, height, width) if return_mask else (0,)),
    )


@operator(outputs, reference)
def _spatial_squeeze(
    x: Tensor,
    weight: Tensor,
    bias: Tensor,
    gate_weight: Tensor | None,
    gate_bias: Tensor | None,
    mask: Tensor | None,
    return_mask: bool,
    return_statistics: bool,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    return dispatch.run(NAME, x, weight, bias, gate_weight, gate_bias, mask, return_mask, return_statistics)


@register_flop_formula(torch.ops.vdeblur.spatial_squeeze)
def flops(x_shape: Sequence[int], weight_shape: Sequence[int], bias_shape: Sequence[int], *args: Any, **_: Any) -> int:
    """Logits, gate and weighted sums, as many as the reference's matrix products; the means are not counted."""
    batch, frames, channels, height, width = x_shape
    gated = bool(args) and args[0] is not None
    return 2 * batch * frames * height * width * channels * (2 * weight_shape[0] + gated)


def _on_reference(*given: Any) -> tuple[Tensor, ...]:
    results = reference(*given)
    return tuple(given[0].new_empty(0) if result is None else result for result in results)


def _on_cpu(
    x: Tensor,
    weight: Tensor,
    bias: Tensor,
    gate_weight: Tensor | None,
    gate_bias: Tensor | None,
    mask: Tensor | None,
    return_mask: bool,
    return_statistics: bool,
) -> tuple[Tensor, ...]:
    given = x, weight, bias, gate_weight, gate_bias, mask, return_mask, return_statistics
    results = aggregate, mean, peak, total, gate = outputs(*given)
    if not aggregate.numel():
        return results
    statistics = (peak, total) if return_statistics else (None, None)
    native.launch(
        NAME,
        x,
        native.layout(x),
        weight.shape[0],
        *map(native.plain, (weight, bias, gate_weight, gate_bias, mask)),
        aggregate,
        mean,
        *statistics,
        gate if return_mask else None,
    )
    return results


dispatch.register(
    NAME,
    # in 16 bits twice as fast as Triton's, measured on an H200
    dispatch.Backend("cuda", cuda.why_not_for(NAME), cuda.body_of(NAME, outputs)),
    dispatch.Backend("triton", triton.why_not_for(NAME), triton.body_of(NAME, outputs)),
    dispatch.Backend("cpu", lambda x, *_: native.why_not(x), _on_cpu),
    dispatch.Backend("reference", lambda *_: [], _on_reference),
)
