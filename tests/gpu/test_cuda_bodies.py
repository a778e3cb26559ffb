"""The operators' CUDA C++ bodies on a GPU, in the types they take."""

from functools import partial

import pytest
import torch

from tests.cuda_on_host import test_residual_dense_block as residual_dense_block
from tests.ops import test_spatial_squeeze as spatial_squeeze
from tests.ops import test_temporal_blend as temporal_blend
from tests.ops.checking import LAYOUTS, check_compiles_once, check_values, frames
from vdeblur_fast import ops
from vdeblur_fast.reference import ops as reference

from .conftest import moved

DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}


def dense(b=1, c=90, growth=36, layers=3, h=45, w=80, layout="channels_last", dtype=torch.bfloat16):
    x = frames(b, c, h, w, layout=layout, dtype=dtype)
    return x, *residual_dense_block.given(c, growth, layers, dtype)


GIVEN = {
    "residual_dense_block": dense,
    "temporal_blend": partial(temporal_blend.given, dtype=torch.bfloat16),
    "spatial_squeeze": partial(spatial_squeeze.given, dtype=torch.bfloat16),
}
# what a frame of 1280x720 has, of networks that ship, and more tiles than processors
LARGE = {
    "residual_dense_block": [
        {"h": 180, "w": 320},
        {"c": 18, "growth": 18, "h": 361, "w": 643},
        {"c": 40, "growth": 16, "h": 91, "w": 161},
    ],
    "temporal_blend": [
        {"b": 1, "c": 64, "h": 180, "w": 321},
        {"b": 1, "c": 32, "h": 361, "w": 643, "layout": "channels_last"},
    ],
    "spatial_squeeze": [
        {"b": 1, "t": 5, "c": 64, "h": 361, "w": 643, "m": 16},
        {"b": 1, "t": 2, "c": 256, "h": 90, "w": 161, "m": 32},
    ],
}


@pytest.fixture(params=GIVEN)
def name(request, gpu):
    """Within the test the operator runs on its CUDA C++ body; skipped, with the reason, where that cannot run."""
    with ops.use_backend("cuda"):
        told = ops.explain(getattr(ops, request.param), *moved(GIVEN[request.param](), gpu))
        if "used" not in told:
            pytest.skip(told)
        yield request.param


def check(name: str, arguments) -> None:
    check_values(getattr(ops, name), getattr(reference, name), arguments)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_values(name, gpu, layout, dtype):
    check(name, moved(GIVEN[name](layout=layout, dtype=DTYPES[dtype]), gpu))


@pytest.mark.parametrize("sizes", residual_dense_block.SIZES, ids=lambda s: "b{}c{}g{}l{}h{}w{}".format(*s))
@pytest.mark.parametrize("name", ["residual_dense_block"], indirect=True)
def test_dense_blocks_of_every_width(name, gpu, sizes):
    check(name, moved(dense(*sizes), gpu))


@pytest.mark.parametrize("size", range(3))
@pytest.mark.parametrize("dtype", DTYPES)
def test_large_frames(name, gpu, size, dtype):
    if size >= len(LARGE[name]):
        pytest.skip("no such size for this operator")
    arguments = moved(GIVEN[name](**LARGE[name][size], dtype=DTYPES[dtype]), gpu)
    if "used" not in (told := ops.explain(getattr(ops, name), *arguments)):
        pytest.skip(told)
    check(name, arguments)


def test_the_same_every_time(name, gpu):
    """Blocks end in another order each time; a race would show."""
    arguments, operator = moved(GIVEN[name](**LARGE[name][0]), gpu), getattr(ops, name)
    first = results(operator(*arguments))
    for _ in range(20):
        for again, want in zip(results(operator(*arguments)), first, strict=True):
            assert torch.equal(again, want)


def results(given) -> list[torch.Tensor]:
    return [result for result in (given if isinstance(given, tuple) else (given,)) if result is not None]


def test_another_stream(name, gpu):
    arguments, operator = moved(GIVEN[name](), gpu), getattr(ops, name)
    want, stream = results(operator(*arguments)), torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        torch.cuda._sleep(50_000_000)  # what the stream does first must be seen by the operator
        got = results(operator(arguments[0] * 1, *arguments[1:]))
    torch.cuda.current_stream().wait_stream(stream)
    for g, w in zip(got, want, strict=True):
        assert torch.equal(g, w)


def test_a_cuda_graph_replays_with_new_values(name, gpu):
    arguments, operator = moved(GIVEN[name](), gpu), getattr(ops, name)
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        operator(*arguments)
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        captured = results(operator(*arguments))
    arguments[0].mul_(0.5)
    graph.replay()
    for g, w in zip(captured, results(operator(*arguments)), strict=True):
        assert torch.equal(g, w)


def test_one_compiled_graph(name, gpu):
    check_compiles_once(getattr(ops, name), moved(GIVEN[name](), gpu))


def test_a_second_device(name):
    if torch.cuda.device_count() < 2:
        pytest.skip("needs a second GPU")
    check(name, moved(GIVEN[name](), torch.device("cuda:1")))
    assert torch.cuda.current_device() == 0
