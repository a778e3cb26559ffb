"""temporal_squeeze beside PyTorch: the same work for frames of any size, so few sizes are enough."""

import pytest
import torch

from bench.harness import Case
from bench.shapes import Shape
from vdeblur_fast.ops import temporal_squeeze
from vdeblur_fast.reference import ops as reference


@pytest.mark.parametrize("frames", [1, 5, 25])
def test_temporal_squeeze(compare, frames: int):
    shape = Shape(frames, 64, 1, 1, 16, torch.float32)
    c, m, n = shape.channels, shape.spatial_maps, shape.temporal_maps
    inputs = shape.matrix(1, frames, c, m), shape.matrix(1, frames, c), shape.matrix(n, c), shape.matrix(n)
    moved = sum(i.nbytes for i in inputs) + 4 * c * m * n
    operations = 2 * frames * c * n * (1 + m)
    name = f"temporal_squeeze t{frames}-c{c}-m{m}-n{n}"
    compare(Case(name, temporal_squeeze, reference.temporal_squeeze, inputs, moved, operations))
