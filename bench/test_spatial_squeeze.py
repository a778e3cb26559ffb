"""spatial_squeeze beside PyTorch: x is read once, 4 * C * M + 2 * C operations for each pixel."""

from bench.harness import Case
from bench.shapes import Shape, every_shape
from vdeblur_fast.ops import spatial_squeeze
from vdeblur_fast.reference import ops as reference


@every_shape
def test_spatial_squeeze(compare, shape: Shape):
    c, m, x = shape.channels, shape.spatial_maps, shape.clip()
    parameters = shape.matrix(m, c), shape.matrix(m), shape.matrix(c), shape.matrix(1)
    operations = shape.frames * shape.pixels * c * (4 * m + 2)
    name = f"spatial_squeeze {shape}"
    compare(Case(name, spatial_squeeze, reference.spatial_squeeze, (x, *parameters), x.nbytes, operations))
