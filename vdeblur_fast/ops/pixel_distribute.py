"""pixel_distribute: global vectors handed out to the pixels, in one pass over them."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils.flop_counter import register_flop_formula

from ..reference.ops import pixel_distribute as reference
from . import dispatch, native, triton
from .checks import check_pixels, check_shape, check_some, check_together
from .registration import operator

NAME = "pixel_distribute"


def pixel_distribute(x: Tensor, aggregate: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Pixelwise adaptive distribution (GSTA, equations 5 and 6), fused.

    x (B, C, H, W) in any memory order; aggregate (B, C, K) of `temporal_squeeze`; weight (K, C), bias (K)
    -> (B, C, H, W) of x's dtype and memory order.

    Equivalent to `vdeblur_fast.reference.ops.pixel_distribute`. x is read once and the result written once; computed
    in float32 for float32, bfloat16 and float16 x.

    Raises ValueError for wrong shapes and mixed devices, TypeError for integers.
    """
    return _pixel_distribute(*arguments(x, aggregate, weight, bias))


def arguments(x: Tensor, aggregate: Tensor, weight: Tensor, bias: Tensor) -> tuple[Tensor, ...]:
    """The checked arguments, as the registered op takes them."""
    check_shape(NAME, "x", x, dict.fromkeys("BCHW"))
    check_pixels(NAME, x)
    batch, channels = x.shape[:2]
    check_shape(NAME, "weight", weight, {"K": None, "C": channels})
    check_some(NAME, "weight", weight, 0, "map")
    check_shape(NAME, "bias", bias, {"K": weight.shape[0]})
    check_shape(NAME, "aggregate", aggregate, {"B": batch, "C": channels, "K": weight.shape[0]})
    check_together(NAME, x=x, aggregate=aggregate, weight=weight, bias=bias)
    return x, aggregate, weight, bias


pixel_distribute.arguments = arguments


def outputs(x: Tensor, aggregate: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """The result, not yet computed."""
    return torch.empty_like(x)


@operator(outputs, reference)
def _pixel_distribute(x: Tensor, aggregate: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    return dispatch.run(NAME, x, aggregate, weight, bias)


@register_flop_formula(torch.ops.vdeblur.pixel_distribute)
def flops(x_shape: Sequence[int], aggregate_shape: Sequence[int], *_: Any, **__: Any) -> int:
    """Logits and mixtures: 4 * C * K operations for each pixel."""
    batch, channels, height, width = x_shape
    return 4 * batch * height * width * channels * aggregate_shape[2]


def _on_reference(*given: Tensor) -> Tensor:
    return outputs(*given).copy_(reference(*given))


def _on_cpu(x: Tensor, aggregate: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    y = outputs(x, aggregate, weight, bias)
    if y.numel():
        matrices = map(native.plain, (aggregate, weight, bias))
        native.launch(NAME, x, native.layout(x), y, native.layout(y), weight.shape[0], *matrices)
    return y


dispatch.register(
    NAME,
    dispatch.Backend("triton", triton.why_not_for(NAME), triton.body_of(NAME, outputs)),
    dispatch.Backend("cpu", lambda x, *_: native.why_not(x), _on_cpu),
    dispatch.Backend("reference", lambda *_: [], _on_reference),
)
