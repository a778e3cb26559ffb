"""temporal_blend in CUDA C++ (csrc/cuda/temporal_blend.cu): convolution and blend in one kernel, after one that packs
the weights."""

import torch
from torch import Tensor

from . import library

NAME = "temporal_blend"


def why_not(current: Tensor, previous: Tensor, weight: Tensor, *_: Tensor) -> list[str]:
    channels, side = current.shape[1], weight.shape[-1]
    if library.workspace_bytes(NAME, channels, side) < 0:
        return [f"{channels} channels under a {side}x{side} kernel do not fit into this GPU's shared memory"]
    return []


def launch(blended: Tensor, current: Tensor, previous: Tensor, weight: Tensor, bias: Tensor, beta: Tensor) -> None:
    """Fills `blended` of `vdeblur_fast.ops.temporal_blend.outputs`, on the current stream."""
    channels, side = current.shape[1], weight.shape[-1]
    weight, bias = (tensor.to(current.dtype).contiguous() for tensor in (weight, bias))
    current, previous, beta = library.channels_last(current), library.channels_last(previous), beta.to(torch.float32)
    packed = library.workspace(current, NAME, channels, side)

    def fill(own: Tensor) -> None:
        library.launch(NAME, current, previous, own, *current.shape, side, weight, bias, beta, packed)

    library.filled(blended, fill)
