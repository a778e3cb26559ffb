"""Convolutions and residual dense blocks on every one of the GPU's kernels: few channels, tiles, pointers, cuDNN's."""

import pytest
import torch

from tests.cuda_on_host import test_residual_dense_block as residual_dense_block
from tests.ops import test_convolution as convolution
from tests.ops.checking import check_values, frames
from vdeblur_fast import ops
from vdeblur_fast.reference import ops as reference

from .conftest import moved

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
# B, channels, outputs, H, W, kernel: of the networks' layers, and more pixels than one wave of blocks has
SIZES = [
    (1, 3, 3, 361, 643, 9),
    (1, 18, 3, 361, 643, 5),
    (2, 64, 3, 45, 81, 3),
    (1, 40, 1, 33, 17, 3),
    (1, 16, 4, 1, 70, 7),
    (1, 3, 18, 361, 643, 5),
    (2, 9, 64, 45, 81, 5),
    (1, 21, 16, 91, 161, 3),
    (2, 64, 64, 181, 321, 3),
    (1, 16, 16, 361, 643, 3),
    (1, 48, 16, 91, 161, 3),
    (1, 90, 90, 45, 80, 3),
    (3, 128, 128, 23, 41, 3),
    (1, 130, 70, 9, 33, 3),
    (1, 32, 12, 45, 80, 5),
    (1, 198, 90, 45, 80, 1),
    (1, 24, 24, 1, 1, 3),
]


@pytest.fixture(autouse=True)
def on_triton(gpu):
    with ops.use_backend("triton"):
        yield


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("sizes", SIZES, ids=lambda s: "b{}c{}o{}h{}w{}k{}".format(*s))
def test_values(gpu, sizes, dtype):
    b, c, o, h, w, k = sizes
    for adds, activation in ((False, "relu"), (True, "none")):
        arguments = convolution.given(b, (c,), o, h, w, k, dtype=DTYPES[dtype], adds=adds)
        functions = (convolution.flat(function, 1, activation) for function in (ops.convolution, reference.convolution))
        check_values(*functions, moved(arguments, gpu))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "sizes",
    [(1, 90, 36, 45, 80), (1, 18, 18, 361, 643), (2, 36, 27, 91, 161), (1, 40, 16, 45, 80), (3, 7, 5, 9, 11)],
    ids=lambda s: "b{}c{}g{}h{}w{}".format(*s),
)
def test_dense_blocks(gpu, sizes, dtype):
    b, c, growth, h, w = sizes
    x = frames(b, c, h, w, layout="channels_last", dtype=DTYPES[dtype])
    arguments = moved((x, *residual_dense_block.given(c, growth, 3, DTYPES[dtype])), gpu)
    check_values(ops.residual_dense_block, reference.residual_dense_block, arguments)
