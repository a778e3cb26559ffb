"""residual_dense_block in CUDA C++ (csrc/cuda/residual_dense_block.cu): one kernel, after one for the weights."""

from typing import Any

from torch import Tensor

from . import library

NAME = "residual_dense_block"
MOST_LAYERS = 4


def why_not(x: Tensor, weights: list[Tensor], *_: Any) -> list[str]:
    if not 1 <= len(weights) <= MOST_LAYERS:
        return [f"takes 1 to {MOST_LAYERS} layers, got {len(weights)}"]
    channels, growth = x.shape[1], weights[0].shape[0]
    if not growth:
        return ["takes layers of at least one channel"]
    if library.workspace_bytes(NAME, channels, growth, len(weights)) < 0:
        return [f"{channels} channels and a growth of {growth} do not fit into this GPU's shared memory"]
    return []


def launch(
    y: Tensor,
    x: Tensor,
    weights: list[Tensor],
    biases: list[Tensor],
    fuse_weight: Tensor,
    fuse_bias: Tensor,
    activation: str,
) -> None:
    """Fills `y` of `vdeblur_fast.ops.residual_dense_block.outputs`, on the current stream."""
    batch, channels, height, width = x.shape
    sizes = channels, weights[0].shape[0], len(weights)
    matrices = [tensor.to(x.dtype).contiguous() for tensor in (*weights, fuse_weight)]
    vectors = [tensor.to(x.dtype).contiguous() for tensor in (*biases, fuse_bias)]
    x = library.channels_last(x)
    packed = library.workspace(x, NAME, *sizes)
    relu = activation == "relu"
    shape = batch, channels, height, width, *sizes[1:]
    library.filled(y, lambda own: library.launch(NAME, x, own, *shape, relu, matrices, vectors, packed))
