"""spatial_squeeze in CUDA C++ (csrc/cuda/spatial_squeeze.cu): a kernel over the pixels, one that merges its parts."""

from typing import Any

import torch
from torch import Tensor

from . import library

NAME = "spatial_squeeze"
MOST_CHANNELS = 256


def why_not(x: Tensor, weight: Tensor, *_: Any) -> list[str]:
    channels = x.shape[2]
    if channels > MOST_CHANNELS:
        return [f"takes up to {MOST_CHANNELS} channels, got {channels}"]
    if library.workspace_bytes(NAME, 1, channels, 1, weight.shape[0]) < 0:
        return [f"{channels} channels do not fit into this GPU's shared memory"]
    return []


def launch(
    results: tuple[Tensor, ...],
    x: Tensor,
    weight: Tensor,
    bias: Tensor,
    gate_weight: Tensor | None,
    gate_bias: Tensor | None,
    mask: Tensor | None,
    return_mask: bool,
    return_statistics: bool,
) -> None:
    """Fills `results` of `vdeblur_fast.ops.spatial_squeeze.outputs`, on the current stream."""
    aggregate, mean, peak, total, gate = results
    batch, frames, channels, height, width = x.shape
    maps, pixels = weight.shape[0], height * width
    if layout(x) is None:
        x = x.contiguous()
    given = [
        None if t is None else t.to(torch.float32).contiguous() for t in (weight, bias, gate_weight, gate_bias, mask)
    ]
    statistics = (peak, total) if return_statistics else (None, None)
    parts = library.workspace(x, NAME, batch * frames, channels, pixels, maps)
    library.launch(
        NAME,
        x,
        batch,
        frames,
        channels,
        pixels,
        *layout(x),
        maps,
        *given,
        aggregate,
        mean,
        *statistics,
        gate if return_mask else None,
        parts,
    )


def layout(x: Tensor) -> tuple[int, int, int, int] | None:
    """Strides of batch, frame, channel and pixel, the last or the last but one of them 1; None for other layouts."""
    batch, frame, channel, row, pixel = (s if n > 1 else 0 for s, n in zip(x.stride(), x.shape, strict=True))
    height, width = x.shape[-2:]
    if width == 1:
        pixel = row
    elif height > 1 and row != width * pixel:
        return None
    if pixel == 1 or height * width == 1:
        return batch, frame, channel, 1
    return (batch, frame, 1, pixel) if channel == 1 or x.shape[2] == 1 else None
