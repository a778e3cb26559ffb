"""What there is to show of an image, before it is painted."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Figure:
    """Maps that are seen side by side, in one scale of colours from 0 to `most`; or a sentence alone, without maps.

    name      for the files: letters, digits and dashes
    text      what they show, in a sentence or two
    maps      each (h, w) float32 on the CPU, of any resolution; all cover the frame as the network sees it
    labels    one for each map
    most      the value of the brightest colour; None takes the largest of the maps
    mark      (x, y), pixels of the frame: a point that is marked in each map
    section   figures of one section stand together
    """

    name: str
    title: str
    text: str
    maps: Sequence[torch.Tensor] = ()
    labels: Sequence[str] = ()
    most: float | None = 1.0
    mark: tuple[int, int] | None = None
    section: str = ""

    @property
    def brightest(self) -> float:
        if self.most is not None:
            return self.most
        return max(float(values.max()) for values in self.maps)


@dataclass(frozen=True)
class Table:
    """Shares in 0..1, with a word for each row and each column; values (rows, columns)."""

    title: str
    text: str
    rows: Sequence[str]
    columns: Sequence[str]
    values: torch.Tensor
    section: str = ""


def separate(maps: torch.Tensor) -> list[torch.Tensor]:
    """(n, h, w) on any device -> n maps as a figure has them."""
    return list(maps.float().cpu())
