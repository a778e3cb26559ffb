"""upsample_concat: a picture twice as large, beside another, in one pass."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils.flop_counter import register_flop_formula

from ..reference.ops import upsample_concat as reference
from . import dispatch, native, triton
from .checks import check_pixels, check_shape, check_some, check_together
from .registration import operator

NAME = "upsample_concat"


def upsample_concat(x: Tensor, skip: Tensor, align_corners: bool = False, skip_first: bool = False) -> Tensor:
    """x twice as large by bilinear interpolation, and skip beside it, fused.

    x (B, C, H, W) and skip (B, D, 2H, 2W) of one dtype, in any memory order -> (B, C + D, 2H, 2W), channels last.
    align_corners: whether the middles of the outermost pixels are aligned, not their edges; skip_first: whether skip's
    channels come before those of x.

    Equivalent to `vdeblur_fast.reference.ops.upsample_concat`. The larger x is never written by itself; computed in
    float32 for float32, bfloat16 and float16.

    Raises ValueError for wrong shapes and mixed devices, TypeError for integers and mixed pictures.
    """
    return _upsample_concat(*arguments(x, skip, align_corners, skip_first))


def arguments(
    x: Tensor, skip: Tensor, align_corners: bool = False, skip_first: bool = False
) -> tuple[Tensor, Tensor, bool, bool]:
    """The checked arguments, as the registered op takes them."""
    check_shape(NAME, "x", x, dict.fromkeys("BCHW"))
    check_pixels(NAME, x)
    batch, _, height, width = x.shape
    check_some(NAME, "x", x, 1, "channel")
    check_shape(NAME, "skip", skip, {"B": batch, "D": None, "2H": 2 * height, "2W": 2 * width})
    check_together(NAME, x=x, skip=skip)
    if skip.dtype != x.dtype:
        raise TypeError(f"{NAME}: skip must be {x.dtype} as x is, got {skip.dtype}")
    return x, skip, align_corners, skip_first


upsample_concat.arguments = arguments


def outputs(x: Tensor, skip: Tensor, *_: bool) -> Tensor:
    """The result, not yet computed."""
    batch, channels, height, width = skip.shape
    shape = batch, x.shape[1] + channels, height, width
    return torch.empty(shape, dtype=x.dtype, device=x.device, memory_format=torch.channels_last)


@operator(outputs, reference)
def _upsample_concat(x: Tensor, skip: Tensor, align_corners: bool, skip_first: bool) -> Tensor:
    return dispatch.run(NAME, x, skip, align_corners, skip_first)


@register_flop_formula(torch.ops.vdeblur.upsample_concat)
def flops(x_shape: Sequence[int], skip_shape: Sequence[int], *_: Any, **__: Any) -> int:
    """None: as of the reference, whose interpolation PyTorch does not count."""
    return 0


def _on_reference(x: Tensor, skip: Tensor, *settings: bool) -> Tensor:
    return outputs(x, skip).copy_(reference(x, skip, *settings))


def _on_cpu(x: Tensor, skip: Tensor, *settings: bool) -> Tensor:
    y = outputs(x, skip)
    if y.numel():
        frames = native.channels_side_by_side(x), native.channels_side_by_side(skip), y
        layouts = (part for frame in frames for part in (frame, native.layout(frame, turn=False)))
        native.launch(NAME, *layouts, *settings)
    return y


dispatch.register(
    NAME,
    dispatch.Backend("triton", triton.why_not_for(NAME), triton.body_of(NAME, outputs)),
    dispatch.Backend("cpu", lambda x, *_: native.why_not(x), _on_cpu),
    dispatch.Backend("reference", lambda *_: [], _on_reference),
)
