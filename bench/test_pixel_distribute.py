"""pixel_distribute beside PyTorch: x is read once, y written once, 4 * C * K operations for each pixel."""

from bench.harness import Case
from bench.shapes import Shape, every_shape
from vdeblur_fast.ops import pixel_distribute
from vdeblur_fast.reference import ops as reference


@every_shape
def test_pixel_distribute(compare, shape: Shape):
    c, k, x = shape.channels, shape.maps, shape.clip()[:, 0]
    inputs = x, shape.matrix(1, c, k), shape.matrix(k, c), shape.matrix(k)
    name = f"pixel_distribute {shape}"
    operations = 4 * shape.pixels * c * k
    compare(Case(name, pixel_distribute, reference.pixel_distribute, inputs, 2 * x.nbytes, operations))
