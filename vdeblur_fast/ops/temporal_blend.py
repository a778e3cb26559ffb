"""temporal_blend: a convolution over two frames' features, and all that follows it in one pass."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import conv2d
from torch.utils.flop_counter import register_flop_formula

from ..reference.ops import temporal_blend as reference
from . import cuda, dispatch, native, triton
from .checks import check_kernel, check_pixels, check_shape, check_some, check_together
from .convolution import cpu_why_not as convolution_why_not
from .convolution import on_cpu as convolution
from .convolution import uses_winograd
from .registration import operator

NAME = "temporal_blend"
# Channels of a frame from which on our own convolution wins on the CPU, and where AMX multiplies bfloat16.
ENOUGH, ENOUGH_FOR_TILES = {torch.float32: 8, torch.bfloat16: 64}, 16


def temporal_blend(current: Tensor, previous: Tensor, weight: Tensor, bias: Tensor, beta: Tensor) -> Tensor:
    """Dynamic temporal blending (DTB, equations 2 and 3), fused.

    current and previous (B, C, H, W) in any memory order; weight (C, 2C, k, k), k odd, and bias (C) of one padded
    convolution over [current, previous]; beta one number, taken as 0 below 0 and as 1 above 1
    -> (B, C, H, W) of current's dtype and memory order.

    Equivalent to `vdeblur_fast.reference.ops.temporal_blend`. The convolution is PyTorch's, in current's dtype, or on
    the CPU, for frames of enough channels, `convolution`'s; what follows it reads three numbers and writes one,
    and is computed in float32 for float32, bfloat16 and float16. Where that convolution is `convolution`'s, what is not
    finite makes NaN of pixels further away than by the definition, as there.

    Raises ValueError for wrong shapes and mixed devices, TypeError for integers and mixed frames.
    """
    return _temporal_blend(*arguments(current, previous, weight, bias, beta))


def arguments(current: Tensor, previous: Tensor, weight: Tensor, bias: Tensor, beta: Tensor) -> tuple[Tensor, ...]:
    """The checked arguments, as the registered op takes them."""
    check_shape(NAME, "current", current, dict.fromkeys("BCHW"))
    check_pixels(NAME, current, "current")
    check_some(NAME, "current", current, 1, "channel")
    check_shape(NAME, "previous", previous, dict(zip("BCHW", current.shape, strict=True)))
    channels = current.shape[1]
    check_shape(NAME, "weight", weight, {"C": channels, "2C": 2 * channels, "k": None, "k'": None})
    check_kernel(NAME, weight)
    check_shape(NAME, "bias", bias, {"C": channels})
    if beta.numel() != 1:
        raise ValueError(f"{NAME}: beta must be one number, got {tuple(beta.shape)}")
    check_together(NAME, current=current, previous=previous, weight=weight, bias=bias, beta=beta)
    if previous.dtype != current.dtype:
        raise TypeError(f"{NAME}: previous must be {current.dtype} as current is, got {previous.dtype}")
    return current, previous, weight, bias, beta


temporal_blend.arguments = arguments


def outputs(current: Tensor, *_: Tensor) -> Tensor:
    """The result, not yet computed."""
    return torch.empty_like(current)


@operator(outputs, reference)
def _temporal_blend(current: Tensor, previous: Tensor, weight: Tensor, bias: Tensor, beta: Tensor) -> Tensor:
    return dispatch.run(NAME, current, previous, weight, bias, beta)


@register_flop_formula(torch.ops.vdeblur.temporal_blend)
def flops(current_shape: Sequence[int], _: Sequence[int], weight_shape: Sequence[int], *__: Any, **___: Any) -> int:
    """The convolution's."""
    batch, _, height, width = current_shape
    filters, taps, rows, columns = weight_shape
    return 2 * batch * height * width * filters * taps * rows * columns


def _on_reference(*given: Tensor) -> Tensor:
    return outputs(*given).copy_(reference(*given))


def _on_cpu(current: Tensor, previous: Tensor, weight: Tensor, bias: Tensor, beta: Tensor) -> Tensor:
    blended = outputs(current)
    if not blended.numel():
        return blended
    similarity = _similarity([current, previous], weight, bias)
    if similarity.stride() == blended.stride():  # its memory is at hand, and nobody else needs it
        blended = similarity
    blend(similarity, current, previous, beta, blended)
    return blended


def _similarity(pair: list[Tensor], weight: Tensor, bias: Tensor) -> Tensor:
    """The convolution over a pair of frames; on the CPU."""
    x = pair[0]
    enough = ENOUGH[x.dtype] if uses_winograd(x.dtype) else ENOUGH_FOR_TILES
    if not convolution_why_not(pair, weight) and x.shape[1] >= enough:
        similarity = convolution(pair, weight, bias)
        return similarity if x.stride(1) == 1 else native.channels_apart(similarity)
    pair = torch.cat(pair, 1)
    return conv2d(pair, weight.to(pair), bias.to(pair), padding=weight.shape[-1] // 2)


def blend(similarity: Tensor, current: Tensor, previous: Tensor, beta: Tensor, blended: Tensor) -> None:
    """Fills `blended`, which may be `similarity`, with what follows the convolution; on the CPU."""
    frames = [similarity, current, previous, blended]
    if blended.stride(1) == 1:  # the kernel is quickest along the last axis, and does not ask what the axes are
        frames = [frame.movedim(1, -1) for frame in frames]
    native.launch(NAME, *(part for frame in frames for part in (frame, native.layout(frame))), native.plain(beta))


dispatch.register(
    NAME,
    dispatch.Backend("triton", triton.why_not_for(NAME), triton.body_of(NAME, outputs)),
    dispatch.Backend("cuda", cuda.why_not_for(NAME), cuda.body_of(NAME, outputs)),
    dispatch.Backend("cpu", lambda current, *_: native.why_not(current), _on_cpu),
    dispatch.Backend("reference", lambda *_: [], _on_reference),
)
