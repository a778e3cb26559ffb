"""residual_dense_block: all layers of a frame's rows shortly after one another; no concatenation is ever written."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils.flop_counter import register_flop_formula

from ..reference.ops import residual_dense_block as reference
from ..reference.ops.residual_dense_block import ACTIVATIONS
from . import cuda, dispatch, native, triton
from .checks import check_pixels, check_shape, check_some, check_together
from .packing import PackedWeights
from .recompute import recompute_gradients
from .registration import LIBRARY, call, define

NAME = "residual_dense_block"


def residual_dense_block(
    x: Tensor,
    weights: Sequence[Tensor],
    biases: Sequence[Tensor],
    fuse_weight: Tensor,
    fuse_bias: Tensor,
    activation: str = "gelu",
) -> Tensor:
    """Residual dense block (MMP-RNN section 3.2), fused.

    x (B, C, H, W) in any memory order; for layer i weights[i] (G, C + i * G, 3, 3) and biases[i] (G); fuse_weight
    (C, C + layers * G, 1, 1), fuse_bias (C); activation "gelu" (exact) or "relu" -> (B, C, H, W) of x's dtype and
    memory order.

    Equivalent to `vdeblur_fast.reference.ops.residual_dense_block`. On the CPU computed in float32 for float32 and
    bfloat16 x, the 3x3 convolutions as Winograd's F(4x4, 3x3): where x is not finite, so is the result, up to three
    pixels further for each layer than by the definition. On a CPU with AMX a bfloat16 x is multiplied in tiles, as by
    the definition: sums in float32, the layers' outputs rounded to bfloat16 once. On one with bfloat16's dot products
    alone it is multiplied by those, the 3x3 convolutions as F(2x2, 3x3), whose sums of pixels and of weights are
    rounded to bfloat16 as well. Weights are packed when first seen, and when their values have changed. On a GPU
    every layer is one matrix product, and weights that lie as `accelerate` lays them are read without a copy.

    Raises ValueError for wrong shapes, mixed devices and unknown activations, TypeError for integers.
    """
    return call(_operator, *arguments(x, weights, biases, fuse_weight, fuse_bias, activation))


def arguments(
    x: Tensor,
    weights: Sequence[Tensor],
    biases: Sequence[Tensor],
    fuse_weight: Tensor,
    fuse_bias: Tensor,
    activation: str = "gelu",
) -> tuple[Any, ...]:
    """The checked arguments, as the registered op takes them."""
    check_shape(NAME, "x", x, dict.fromkeys("BCHW"))
    check_pixels(NAME, x)
    if activation not in ACTIVATIONS:
        raise ValueError(f"{NAME}: activation must be one of {', '.join(ACTIVATIONS)}, got {activation!r}")
    weights, biases = list(weights), list(biases)
    if len(weights) != len(biases):
        raise ValueError(f"{NAME}: every layer has a weight and a bias, got {len(weights)} and {len(biases)} of them")
    check_some(NAME, "x", x, 1, "channel")
    channels = x.shape[1]
    growth = weights[0].shape[0] if weights and weights[0].dim() else None
    for i, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
        inputs = channels + i * (growth or 0)
        check_shape(NAME, f"weights[{i}]", weight, {"G": growth, f"C+{i}G": inputs, "3": 3, "3'": 3})
        check_shape(NAME, f"biases[{i}]", bias, {"G": growth})
    inputs = channels + len(weights) * (growth or 0)
    check_shape(NAME, "fuse_weight", fuse_weight, {"C": channels, "C+LG": inputs, "1": 1, "1'": 1})
    check_shape(NAME, "fuse_bias", fuse_bias, {"C": channels})
    named = {f"weights[{i}]": weight for i, weight in enumerate(weights)}
    named |= {f"biases[{i}]": bias for i, bias in enumerate(biases)}
    check_together(NAME, x=x, **named, fuse_weight=fuse_weight, fuse_bias=fuse_bias)
    return x, weights, biases, fuse_weight, fuse_bias, activation


residual_dense_block.arguments = arguments


def outputs(x: Tensor, *_: Any) -> Tensor:
    """The result, not yet computed."""
    return torch.empty_like(x)


def _residual_dense_block(
    x: Tensor, weights: list[Tensor], biases: list[Tensor], fuse_weight: Tensor, fuse_bias: Tensor, activation: str
) -> Tensor:
    return dispatch.run(NAME, x, weights, biases, fuse_weight, fuse_bias, activation)


_operator = define(_residual_dense_block, outputs)


def _setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    x, weights, biases, fuse_weight, fuse_bias, ctx.activation = inputs
    ctx.save_for_backward(x, *weights, *biases, fuse_weight, fuse_bias)


def _backward(ctx: Any, gradient: Tensor) -> tuple[Any, ...]:
    saved = ctx.saved_tensors  # asked for once: with activation checkpointing they can be had no second time
    layers = (len(saved) - 3) // 2

    def again(x: Tensor, *parameters: Tensor) -> Sequence[Tensor]:
        weights, biases, fuse = parameters[:layers], parameters[layers : 2 * layers], parameters[2 * layers :]
        return (reference(x, weights, biases, *fuse, ctx.activation),)

    x, weights, biases, *fuse, _ = ctx.needs_input_grad
    found = recompute_gradients(again, saved, (x, *weights, *biases, *fuse), (gradient,))
    return found[0], found[1 : 1 + layers], found[1 + layers : -2], *found[-2:], None


torch.library.register_autograd(_operator.name(), _backward, setup_context=_setup_context, lib=LIBRARY)


@register_flop_formula(torch.ops.vdeblur.residual_dense_block)
def flops(
    x_shape: Sequence[int],
    weight_shapes: Sequence[Sequence[int]],
    bias_shapes: Sequence[Sequence[int]],
    fuse_shape: Sequence[int],
    *_: Any,
    **__: Any,
) -> int:
    """The convolutions as they are defined; the fused CPU body needs fewer operations."""
    batch, _, height, width = x_shape
    parameters = sum(9 * outputs * inputs for outputs, inputs, *_ in weight_shapes) + fuse_shape[0] * fuse_shape[1]
    return 2 * batch * height * width * parameters


def _on_reference(x: Tensor, *rest: Any) -> Tensor:
    return outputs(x).copy_(reference(x, *rest))


def _pack(sizes: tuple[int, ...], parameters: Sequence[Tensor]) -> Tensor:
    addresses, module = [p.data_ptr() for p in parameters], native.module()
    packed = native.floats(module.residual_dense_block_pack(sizes, addresses, 0))
    module.residual_dense_block_pack(sizes, addresses, packed.data_ptr())
    return packed


packed_weights = PackedWeights(_pack)


def _on_cpu(
    x: Tensor, weights: list[Tensor], biases: list[Tensor], fuse_weight: Tensor, fuse_bias: Tensor, activation: str
) -> Tensor:
    y = outputs(x)
    if y.numel():
        layers = [tensor for layer in zip(weights, biases, strict=True) for tensor in layer]
        sizes = x.shape[1], weights[0].shape[0], len(weights)
        packed = packed_weights(sizes, [*layers, fuse_weight, fuse_bias])
        kind = list(ACTIVATIONS).index(activation)
        native.launch(NAME, x, native.layout(x, turn=False), y, native.layout(y, turn=False), sizes, kind, packed)
    return y


def _cpu_why_not(x: Tensor, weights: list[Tensor] | None = None, *_: Any) -> list[str]:
    reasons = native.why_not(x)
    if weights is not None and not (weights and weights[0].shape[0]):
        reasons.append("takes at least one layer of at least one channel")
    return reasons


dispatch.register(
    NAME,
    dispatch.Backend("triton", triton.why_not_for(NAME), triton.body_of(NAME, outputs)),
    dispatch.Backend("cuda", cuda.why_not_for(NAME), cuda.body_of(NAME, outputs)),
    dispatch.Backend("cpu", _cpu_why_not, _on_cpu),
    dispatch.Backend("reference", lambda *_: [], _on_reference),
)
