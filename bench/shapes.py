"""The sizes that the attention is measured at."""

from dataclasses import dataclass

import pytest
import torch

from bench.harness import DEVICE, MEASURED, TYPES


@dataclass(frozen=True)
class Shape:
    frames: int
    channels: int
    height: int
    width: int
    spatial_maps: int
    dtype: torch.dtype
    temporal_maps: int = 4

    @property
    def maps(self) -> int:
        return self.spatial_maps * self.temporal_maps

    @property
    def pixels(self) -> int:
        return self.height * self.width

    def __str__(self) -> str:
        return f"t{self.frames}-c{self.channels}-{self.width}x{self.height}-m{self.spatial_maps}-{TYPES[self.dtype]}"

    def clip(self) -> torch.Tensor:
        torch.manual_seed(0)
        size = (1, self.frames, self.channels, self.height, self.width)
        return torch.randn(size, device=DEVICE).to(self.dtype)

    def matrix(self, *size: int) -> torch.Tensor:
        return torch.randn(size, device=DEVICE) * self.channels**-0.5


ON_CPU = [
    Shape(5, channels, height, width, maps, dtype)
    for dtype in MEASURED
    for height, width in ((180, 320), (360, 640))
    for channels in (32, 64, 128)
    for maps in (8, 16)
]
ON_GPU = [Shape(5, c, 720, 1280, m, dtype) for dtype in MEASURED for c in (32, 64, 128) for m in (8, 16)]

every_shape = pytest.mark.parametrize("shape", ON_CPU if DEVICE == "cpu" else ON_GPU, ids=str)
