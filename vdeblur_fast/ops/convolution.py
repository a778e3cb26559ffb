"""convolution: 1x1, and 3x3 and 5x5 by Winograd's method, with what comes before and after it in the same pass."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils.flop_counter import register_flop_formula

from ..reference.ops import convolution as reference
from ..reference.ops.convolution import ACTIVATIONS
from . import dispatch, native, triton
from .checks import check_kernel, check_pixels, check_shape, check_some, check_together
from .launching import first_of
from .packing import PackedWeights
from .recompute import recompute_gradients
from .registration import LIBRARY, call, define

NAME = "convolution"
KERNELS = (1, 3, 5)  # that the native body computes
TILE = 32  # channels of one of AMX's tiles
_NATIVE_ACTIVATIONS = {"relu": 1, "none": 2}  # csrc/cpu/ops.h, enum Activation


def convolution(
    inputs: Sequence[Tensor],
    weight: Tensor,
    bias: Tensor,
    other: Tensor | None = None,
    upscale: int = 1,
    activation: str = "none",
) -> Tensor:
    """A padded convolution of pictures side by side, a pixel shuffle, a sum and an activation, fused.

    inputs: one or more (B, ., H, W) of one dtype in any memory order, I channels together; weight
    (O * upscale ** 2, I, k, k), k odd, and bias (O * upscale ** 2); other (B, O, H * upscale, W * upscale) of the same
    dtype, or None; activation "relu" or "none" -> (B, O, H * upscale, W * upscale), channels last.

    Equivalent to `vdeblur_fast.reference.ops.convolution`. On the CPU, kernels of 1x1 without a pixel shuffle are
    computed as defined, added up in float32; kernels of 3x3 and 5x5 in float32 by Winograd's F(4x4, 3x3) and F(2x2,
    5x5) (Lavin and Gray, CVPR 2016), with about a quarter of the multiplications; in bfloat16 by F(6x6, 3x3) and F(4x4,
    5x5), in float32 too until the result is rounded, with a fifth and a sixth of them. Their error is a share of the
    largest number of the 6x6 or 8x8 pixels that are transformed together. Where all are of a size it is up to twice
    PyTorch's; beside a pixel that is a thousand times larger, and in pictures of fewer pixels than that, it can be tens
    to hundreds of times as large. Where a pixel is not finite, or near the largest finite number, the result is not
    finite up to three pixels, in bfloat16 five, further than by the definition. Nothing is concatenated, and the result
    is written once. Where AMX multiplies bfloat16 all are computed as defined by its tiles, but for 1x1 of one picture,
    which is oneDNN's. Weights are packed when first seen, and when their values have changed. On a GPU one kernel does
    all of it for 3x3 of up to 128 channels in 16 bits, for few inputs and for up to four outputs; else the convolution
    is cuDNN's, and all that follows it is one pass.

    Raises ValueError for wrong shapes, mixed devices and unknown activations, TypeError for integers and mixed
    pictures.
    """
    return call(_operator, *arguments(inputs, weight, bias, other, upscale, activation))


def arguments(
    inputs: Sequence[Tensor],
    weight: Tensor,
    bias: Tensor,
    other: Tensor | None = None,
    upscale: int = 1,
    activation: str = "none",
) -> tuple[Any, ...]:
    """The checked arguments, as the registered op takes them."""
    inputs = list(inputs)
    if not inputs:
        raise ValueError(f"{NAME}: inputs must be one picture or more, got none")
    if activation not in ACTIVATIONS:
        raise ValueError(f"{NAME}: activation must be one of {', '.join(ACTIVATIONS)}, got {activation!r}")
    if upscale < 1:
        raise ValueError(f"{NAME}: upscale must be at least 1, got {upscale}")
    check_shape(NAME, "inputs[0]", inputs[0], dict.fromkeys("BCHW"))
    check_pixels(NAME, inputs[0], "inputs[0]")
    batch, _, height, width = inputs[0].shape
    for i, x in enumerate(inputs):
        check_shape(NAME, f"inputs[{i}]", x, {"B": batch, "C": None, "H": height, "W": width})
        if x.dtype != inputs[0].dtype:
            raise TypeError(f"{NAME}: inputs[{i}] must be {inputs[0].dtype} as inputs[0] is, got {x.dtype}")
    check_shape(NAME, "weight", weight, {"O": None, "I": sum(x.shape[1] for x in inputs), "k": None, "k'": None})
    check_kernel(NAME, weight)
    check_some(NAME, "weight", weight, 0, "output")
    check_some(NAME, "weight", weight, 1, "input")
    if weight.shape[0] % upscale**2:
        raise ValueError(f"{NAME}: weight must have a multiple of {upscale**2} outputs, got {weight.shape[0]}")
    check_shape(NAME, "bias", bias, {"O": weight.shape[0]})
    if other is not None:
        shape = batch, weight.shape[0] // upscale**2, height * upscale, width * upscale
        check_shape(NAME, "other", other, dict(zip("BOHW", shape, strict=True)))
        if other.dtype != inputs[0].dtype:
            raise TypeError(f"{NAME}: other must be {inputs[0].dtype} as inputs[0] is, got {other.dtype}")
    named = {f"inputs[{i}]": x for i, x in enumerate(inputs)}
    check_together(NAME, **named, weight=weight, bias=bias, other=other)
    return inputs, weight, bias, other, upscale, activation


convolution.arguments = arguments


def outputs(inputs: list[Tensor], weight: Tensor, bias: Tensor, other: Tensor | None, upscale: int, *_: Any) -> Tensor:
    """The result, not yet computed."""
    batch, _, height, width = inputs[0].shape
    shape = batch, weight.shape[0] // upscale**2, height * upscale, width * upscale
    x = inputs[0]
    return torch.empty(shape, dtype=x.dtype, device=x.device, memory_format=torch.channels_last)


def _convolution(
    inputs: list[Tensor], weight: Tensor, bias: Tensor, other: Tensor | None, upscale: int, activation: str
) -> Tensor:
    return dispatch.run(NAME, inputs, weight, bias, other, upscale, activation)


_operator = define(_convolution, outputs)


def _setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    pictures, weight, bias, other, ctx.upscale, ctx.activation = inputs
    ctx.save_for_backward(weight, bias, other, *pictures)


def _backward(ctx: Any, gradient: Tensor) -> tuple[Any, ...]:
    def again(weight: Tensor, bias: Tensor, other: Tensor | None, *pictures: Tensor) -> Sequence[Tensor]:
        return (reference(pictures, weight, bias, other, ctx.upscale, ctx.activation),)

    pictures, *wanted, _, _ = ctx.needs_input_grad
    found = recompute_gradients(again, ctx.saved_tensors, (*wanted, *pictures), (gradient,))
    return found[3:], *found[:3], None, None


torch.library.register_autograd(_operator.name(), _backward, setup_context=_setup_context, lib=LIBRARY)


@register_flop_formula(torch.ops.vdeblur.convolution)
def flops(input_shapes: Sequence[Sequence[int]], weight_shape: Sequence[int], *_: Any, **__: Any) -> int:
    """As it is defined; the fused CPU body needs fewer operations."""
    batch, _, height, width = input_shapes[0]
    outputs, inputs, rows, columns = weight_shape
    return 2 * batch * height * width * outputs * inputs * rows * columns


def _on_reference(inputs: list[Tensor], *rest: Any) -> Tensor:
    return outputs(inputs, *rest).copy_(reference(inputs, *rest))


def _pack(how: tuple[tuple[int, ...], str], parameters: Sequence[Tensor]) -> Tensor:
    sizes, _ = how
    addresses, module = [p.data_ptr() for p in parameters], native.module()
    packed = native.floats(module.convolution_pack(sizes, *addresses, 0))
    module.convolution_pack(sizes, *addresses, packed.data_ptr())
    return packed


packed_weights = PackedWeights(_pack)


def on_cpu(
    inputs: list[Tensor],
    weight: Tensor,
    bias: Tensor,
    other: Tensor | None = None,
    upscale: int = 1,
    activation: str = "none",
) -> Tensor:
    """The native body; other operators begin with it."""
    y = outputs(inputs, weight, bias, other, upscale)
    if not y.numel():
        return y
    inputs = [native.channels_side_by_side(x) for x in inputs if x.shape[1]]
    other = None if other is None else native.channels_side_by_side(other)
    sizes = weight.shape[1], y.shape[1], weight.shape[-1], upscale, native.TYPES[y.dtype]
    packed = packed_weights((sizes, native.module().isa()), [weight, bias])
    native.launch(
        NAME,
        [x.data_ptr() for x in inputs],
        [native.layout(x, turn=False) for x in inputs],
        other,
        native.layout(y if other is None else other, turn=False),
        y,
        native.layout(y, turn=False),
        sizes,
        _NATIVE_ACTIVATIONS[activation],
        packed,
    )
    return y


def uses_winograd(dtype: torch.dtype) -> bool:
    """Whether the native body computes 3x3 and 5x5 by Winograd's method here, and not by AMX's tiles."""
    return dtype == torch.float32 or (dtype == torch.bfloat16 and native.module().isa() != "amx")


def _joins_in_tiles(inputs: Sequence[Tensor]) -> bool:
    """Whether AMX's tiles take the pictures where they lie (csrc/cpu/pointwise_tiles.inl), which saves concatenating
    them: whole pairs of channels, and as many beyond whole tiles in all that have any."""
    if len(inputs) < 2:
        return False
    rests = {x.shape[1] % TILE for x in inputs} - {0}
    return len(rests) < 2 and not any(rest % 2 for rest in rests)


def cpu_why_not(
    inputs: Sequence[Tensor],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    other: Tensor | None = None,
    upscale: int = 1,
    *_: Any,
) -> list[str]:
    x = first_of(inputs)
    reasons = native.why_not(x)
    if weight is None:
        return reasons
    pointwise = weight.shape[-1] == 1
    if not reasons and pointwise and not uses_winograd(x.dtype) and not _joins_in_tiles(inputs):
        reasons.append("oneDNN's 1x1 of such pictures in bfloat16 is as fast with AMX")
    if weight.shape[-1] not in KERNELS:
        reasons.append(f"takes kernels of 1x1, 3x3 and 5x5, got {weight.shape[-2]}x{weight.shape[-1]}")
    if pointwise and upscale != 1:
        reasons.append(f"takes no pixel shuffle after a kernel of 1x1, got upscale {upscale}")
    return reasons


dispatch.register(
    NAME,
    dispatch.Backend("triton", triton.why_not_for(NAME), triton.body_of(NAME, outputs)),
    dispatch.Backend("cpu", cpu_why_not, on_cpu),
    dispatch.Backend("reference", lambda *_: [], _on_reference),
)
