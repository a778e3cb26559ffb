"""All that one frame has to tell the others."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class FrameSummary:
    """One squeezed frame: aggregate (B, C, M) and mean (B, C), float32, however large the frame was.

    `peak` (B, M) and `total` (B, M) are the largest logit and the denominator of each map's softmax, and `pixels` is
    H * W: with these, summaries of the tiles of one frame merge into the summary of the frame.
    """

    aggregate: torch.Tensor
    mean: torch.Tensor
    peak: torch.Tensor | None = None
    total: torch.Tensor | None = None
    pixels: int | None = None

    @staticmethod
    def merge(tiles: Sequence["FrameSummary"]) -> "FrameSummary":
        """The summary of a whole frame from those of tiles that cover it once, of any sizes, in any order.

        Raises ValueError for no tiles at all and for summaries without peak, total and pixels.
        """
        if not tiles:
            raise ValueError("FrameSummary.merge: needs at least one tile, got none")
        if any(tile.peak is None or tile.total is None or tile.pixels is None for tile in tiles):
            raise ValueError("FrameSummary.merge: every tile needs peak, total and pixels, as GSTA.squeeze gives them")
        pixels = sum(tile.pixels for tile in tiles)
        peaks = torch.stack([tile.peak for tile in tiles])
        peak = peaks.amax(0)
        parts = torch.stack([tile.total for tile in tiles]) * (peaks - peak).exp()
        total = parts.sum(0)
        shares = (parts / total)[:, :, None]
        aggregate = sum(share * tile.aggregate for share, tile in zip(shares, tiles, strict=True))
        mean = sum(tile.mean * (tile.pixels / pixels) for tile in tiles)
        return FrameSummary(aggregate, mean, peak, total, pixels)
