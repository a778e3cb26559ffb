"""residual_dense_block on the GPU: every layer is one implicit matrix product over x and what the layers before wrote.

x and the layers' results lie side by side, pixel by pixel, in one buffer of x's dtype, so that nothing is ever
concatenated and every pixel is aligned; a layer reads the first channels and writes the next ones. Weights that
`convolving.laid_out` has put in order are read where they lie.
"""

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from .convolving import convolve, rounded_up


def why_not(x: Tensor, weights: Sequence[Tensor], *_: Any) -> list[str]:
    return [] if weights else ["takes at least one layer"]


def launch(
    y: Tensor,
    x: Tensor,
    weights: Sequence[Tensor],
    biases: Sequence[Tensor],
    fuse_weight: Tensor,
    fuse_bias: Tensor,
    activation: str,
) -> None:
    """Fills `y` of `vdeblur_fast.ops.residual_dense_block.outputs`, on the current stream."""
    batch, channels, height, width = x.shape
    growth = weights[0].shape[0]
    room = rounded_up(channels + growth * len(weights), x.dtype)
    kept = x.new_empty((batch, height, width, room)).movedim(-1, 1)
    x = kept[:, :channels].copy_(x)
    done = channels
    for weight, bias in zip(weights, biases, strict=True):
        convolve(kept[:, :done], weight, bias, kept[:, done : done + growth], activation=activation)
        done += growth
    convolve(kept[:, :done], fuse_weight, fuse_bias, y, other=x)
