"""temporal_squeeze: the frames' aggregates mixed over time."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils.flop_counter import register_flop_formula

from ..reference.ops import temporal_squeeze as reference
from . import dispatch, native, triton
from .checks import check_shape, check_together
from .registration import operator

NAME = "temporal_squeeze"


def temporal_squeeze(aggregate: Tensor, mean: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Temporal aggregation (GSTA, equations 3 and 4), fused.

    aggregate (B, T, C, M) and mean (B, T, C) of `spatial_squeeze`; weight (N, C), bias (N)
    -> (B, C, M * N) of aggregate's dtype, map m of space and n of time at m * N + n.

    Equivalent to `vdeblur_fast.reference.ops.temporal_squeeze`.

    Raises ValueError for wrong shapes and mixed devices, TypeError for integers.
    """
    return _temporal_squeeze(*arguments(aggregate, mean, weight, bias))


def arguments(aggregate: Tensor, mean: Tensor, weight: Tensor, bias: Tensor) -> tuple[Tensor, ...]:
    """The checked arguments, as the registered op takes them."""
    check_shape(NAME, "aggregate", aggregate, dict.fromkeys("BTCM"))
    batch, frames, channels, _ = aggregate.shape
    if not frames:
        raise ValueError(f"{NAME}: aggregate must have at least one frame, got {tuple(aggregate.shape)}")
    check_shape(NAME, "mean", mean, {"B": batch, "T": frames, "C": channels})
    check_shape(NAME, "weight", weight, {"N": None, "C": channels})
    check_shape(NAME, "bias", bias, {"N": weight.shape[0]})
    check_together(NAME, aggregate=aggregate, mean=mean, weight=weight, bias=bias)
    if mean.dtype != aggregate.dtype:
        raise TypeError(f"{NAME}: mean must be {aggregate.dtype} as the aggregate is, got {mean.dtype}")
    return aggregate, mean, weight, bias


temporal_squeeze.arguments = arguments


def outputs(aggregate: Tensor, mean: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """The result, not yet computed."""
    batch, _, channels, maps = aggregate.shape
    return aggregate.new_empty((batch, channels, maps * weight.shape[0]))


@operator(outputs, reference)
def _temporal_squeeze(aggregate: Tensor, mean: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    return dispatch.run(NAME, aggregate, mean, weight, bias)


@register_flop_formula(torch.ops.vdeblur.temporal_squeeze)
def flops(
    aggregate_shape: Sequence[int], mean_shape: Sequence[int], weight_shape: Sequence[int], *_: Any, **__: Any
) -> int:
    """Logits and weighted sums over the frames."""
    batch, frames, channels, maps = aggregate_shape
    return 2 * batch * frames * channels * weight_shape[0] * (1 + maps)


def _on_reference(*given: Tensor) -> Tensor:
    return outputs(*given).copy_(reference(*given))


def _on_cpu(aggregate: Tensor, mean: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    result = outputs(aggregate, mean, weight, bias)
    if result.numel():
        sizes = [*aggregate.shape, weight.shape[0]]
        native.launch(NAME, sizes, *map(native.plain, (aggregate, mean, weight, bias)), result)
    return result


def _cpu_why_not(aggregate: Tensor, *_: Tensor) -> list[str]:
    reasons = native.why_not(aggregate)
    if not reasons and aggregate.dtype != torch.float32:
        reasons.append(f"takes float32, got {str(aggregate.dtype).removeprefix('torch.')}")
    return reasons


dispatch.register(
    NAME,
    dispatch.Backend("triton", triton.why_not_for(NAME), triton.body_of(NAME, outputs)),
    dispatch.Backend("cpu", _cpu_why_not, _on_cpu),
    dispatch.Backend("reference", lambda *_: [], _on_reference),
)
