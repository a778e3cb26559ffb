"""motion_attention: features scaled and shifted by how blurred each pixel is, in one pass over them."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils.flop_counter import register_flop_formula

from ..reference.ops import motion_attention as reference
from . import dispatch, native, triton
from .checks import check_pixels, check_shape, check_some, check_together
from .registration import operator

NAME = "motion_attention"


def motion_attention(
    x: Tensor,
    magnitude: Tensor,
    scale_weight_0: Tensor,
    scale_bias_0: Tensor,
    scale_weight_1: Tensor,
    scale_bias_1: Tensor,
    shift_weight_0: Tensor | None = None,
    shift_bias_0: Tensor | None = None,
    shift_weight_1: Tensor | None = None,
    shift_bias_1: Tensor | None = None,
) -> Tensor:
    """Motion magnitude attention (MMP-RNN section 3.2, Fig. 3), fused.

    x (B, C, H, W) in any memory order; magnitude (B, 1, H, W); weight_0 (K), bias_0 (K), weight_1 (C, K), bias_1 (C)
    of the scale, and the same four of the shift or none of them -> (B, C, H, W) of x's dtype and memory order.

    Equivalent to `vdeblur_fast.reference.ops.motion_attention`. x is read once and the result written once; computed in
    float32 for float32, bfloat16 and float16 x.

    Raises ValueError for wrong shapes and mixed devices, TypeError for integers.
    """
    scale = scale_weight_0, scale_bias_0, scale_weight_1, scale_bias_1
    shift = shift_weight_0, shift_bias_0, shift_weight_1, shift_bias_1
    return _motion_attention(*arguments(x, magnitude, *scale, *shift))


def arguments(
    x: Tensor,
    magnitude: Tensor,
    scale_weight_0: Tensor,
    scale_bias_0: Tensor,
    scale_weight_1: Tensor,
    scale_bias_1: Tensor,
    shift_weight_0: Tensor | None = None,
    shift_bias_0: Tensor | None = None,
    shift_weight_1: Tensor | None = None,
    shift_bias_1: Tensor | None = None,
) -> tuple[Tensor | None, ...]:
    """The checked arguments, as the registered op takes them."""
    check_shape(NAME, "x", x, dict.fromkeys("BCHW"))
    check_pixels(NAME, x)
    check_some(NAME, "x", x, 1, "channel")
    batch, channels, height, width = x.shape
    check_shape(NAME, "magnitude", magnitude, {"B": batch, "1": 1, "H": height, "W": width})
    check_shape(NAME, "scale_weight_0", scale_weight_0, {"K": None})
    check_some(NAME, "scale_weight_0", scale_weight_0, 0, "number")
    scale = scale_weight_0, scale_bias_0, scale_weight_1, scale_bias_1
    shift = shift_weight_0, shift_bias_0, shift_weight_1, shift_bias_1
    named = _check_branch("scale", channels, scale_weight_0.shape[0], *scale)
    if any(tensor is not None for tensor in shift):
        named |= _check_branch("shift", channels, scale_weight_0.shape[0], *shift)
    check_together(NAME, x=x, magnitude=magnitude, **named)
    return x, magnitude, *scale, *shift


def _check_branch(branch: str, channels: int, hidden: int, *parameters: Tensor | None) -> dict[str, Tensor]:
    """The parameters of one branch by their names."""
    parts = {"weight_0": {"K": hidden}, "bias_0": {"K": hidden}, "weight_1": {"C": channels, "K": hidden}}
    parts["bias_1"] = {"C": channels}
    named = {f"{branch}_{part}": tensor for part, tensor in zip(parts, parameters, strict=True)}
    for (name, tensor), sizes in zip(named.items(), parts.values(), strict=True):
        if tensor is None:
            raise ValueError(f"{NAME}: the four parameters of the {branch} come together; {name} is missing")
        check_shape(NAME, name, tensor, sizes)
    return named


motion_attention.arguments = arguments


def outputs(x: Tensor, *_: Tensor | None) -> Tensor:
    """The result, not yet computed."""
    return torch.empty_like(x)


@operator(outputs, reference)
def _motion_attention(
    x: Tensor,
    magnitude: Tensor,
    scale_weight_0: Tensor,
    scale_bias_0: Tensor,
    scale_weight_1: Tensor,
    scale_bias_1: Tensor,
    shift_weight_0: Tensor | None,
    shift_bias_0: Tensor | None,
    shift_weight_1: Tensor | None,
    shift_bias_1: Tensor | None,
) -> Tensor:
    scale = scale_weight_0, scale_bias_0, scale_weight_1, scale_bias_1
    shift = shift_weight_0, shift_bias_0, shift_weight_1, shift_bias_1
    return dispatch.run(NAME, x, magnitude, *scale, *shift)


@register_flop_formula(torch.ops.vdeblur.motion_attention)
def flops(x_shape: Sequence[int], magnitude_shape: Sequence[int], *parameter_shapes: Any, **_: Any) -> int:
    """The 1x1 convolutions', as the reference computes them."""
    batch, channels, height, width = x_shape
    branches = 2 if parameter_shapes[4:] and parameter_shapes[4] is not None else 1
    return 2 * batch * height * width * parameter_shapes[0][0] * (1 + channels) * branches


def _on_reference(*given: Tensor | None) -> Tensor:
    return outputs(*given).copy_(reference(*given))


def _on_cpu(x: Tensor, magnitude: Tensor, *parameters: Tensor | None) -> Tensor:
    y = outputs(x)
    if y.numel():
        frames = x, y, native.readable(magnitude)
        layouts = (part for frame in frames for part in (frame, native.layout(frame)))
        native.launch(NAME, *layouts, parameters[0].shape[0], *map(native.plain, parameters))
    return y


dispatch.register(
    NAME,
    dispatch.Backend("triton", triton.why_not_for(NAME), triton.body_of(NAME, outputs)),
    dispatch.Backend("cpu", lambda x, *_: native.why_not(x), _on_cpu),
    dispatch.Backend("reference", lambda *_: [], _on_reference),
)
