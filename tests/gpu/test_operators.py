"""Every operator on a GPU: its values in every dtype and layout, streams, CUDA graphs, a second device."""

import pytest
import torch

from tests.ops.checking import LAYOUTS, check_compiles_once, check_values

from .conftest import moved

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
WITHOUT_FRAMES = {"temporal_squeeze"}  # small matrices: neither layouts nor narrow types


def results(given) -> list[torch.Tensor]:
    return [result for result in (given if isinstance(given, tuple) else (given,)) if result is not None]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_values(operator, backend, gpu, layout, dtype):
    if operator.name in WITHOUT_FRAMES:
        if layout != "contiguous" or dtype != "fp32":
            pytest.skip("takes small float32 matrices only")
        arguments = operator.given()
    else:
        arguments = operator.given(layout=layout, dtype=DTYPES[dtype])
    check_values(operator.fused, operator.reference, moved(arguments, gpu))


def test_a_large_frame(operator, backend, gpu):
    """More pixels than one wave of blocks, and not a multiple of any tile."""
    sizes = {} if operator.name in WITHOUT_FRAMES else {"b": 1, "h": 361, "w": 643}
    check_values(operator.fused, operator.reference, moved(operator.given(**sizes), gpu))


def test_another_stream(operator, backend, gpu):
    """The operator works on the stream that is current, and waits for nothing else."""
    arguments = moved(operator.given(), gpu)
    want = results(operator.fused(*arguments))
    stream = torch.cuda.Stream()
    with torch.cuda.stream(stream):
        torch.cuda._sleep(50_000_000)  # what the stream does first must be seen by the operator
        late = [argument * 1 if isinstance(argument, torch.Tensor) else argument for argument in arguments]
        got = results(operator.fused(*late))
    torch.cuda.current_stream().wait_stream(stream)
    for g, w in zip(got, want, strict=True):
        torch.testing.assert_close(g, w)


def test_a_cuda_graph_replays_with_new_values(operator, backend, gpu):
    arguments = moved(operator.given(), gpu)
    first = arguments[0].clone()
    operator.fused(*arguments)
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        operator.fused(*arguments)
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        captured = results(operator.fused(*arguments))
    arguments[0].copy_(first * 0.5 + 0.1)
    graph.replay()
    for g, w in zip(captured, results(operator.fused(*arguments)), strict=True):
        torch.testing.assert_close(g, w)


def test_one_compiled_graph(operator, backend, gpu):
    check_compiles_once(operator.fused, moved(operator.given(), gpu))


def test_a_second_device(operator, backend):
    if torch.cuda.device_count() < 2:
        pytest.skip("needs a second GPU")
    other = torch.device("cuda:1")
    arguments = moved(operator.given(), other)
    assert torch.cuda.current_device() == 0
    check_values(operator.fused, operator.reference, arguments)
    assert torch.cuda.current_device() == 0


def test_tensors_on_two_devices_are_refused(operator, backend, gpu):
    arguments = moved(operator.given(), gpu)
    place = next(i for i, a in enumerate(arguments) if i and isinstance(a, torch.Tensor))
    arguments[place] = arguments[place].cpu()
    with pytest.raises(ValueError, match="move one of them"):
        operator.fused(*arguments)
