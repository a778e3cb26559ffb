"""Graphed steps, here where tensors only say that they are on a GPU and a graph replays by calling the function."""

import contextlib
import copy
import pickle
import threading
import time
import warnings
from importlib import import_module

import pytest
import torch
from torch import nn
from torch.utils import _pytree as pytree

import vdeblur_fast
from bench.memory_use import peak_bytes
from vdeblur_fast import accelerate, use_backend
from vdeblur_fast.acceleration.graphs import MOST_GRAPHS, GraphedStep, _forget, capture_steps, without_graphs
from vdeblur_fast.reference.networks import VideoNetwork


class Graph:
    """What `torch.cuda.CUDAGraph` is to a step; `replays` counts those of all graphs."""

    replays = 0

    def __reduce__(self):
        raise TypeError("cannot pickle 'CUDAGraph' object")


class Stream:
    def wait_stream(self, other: "Stream") -> None:
        pass


class GPU:
    """What is current, and what `torch.cuda.graph` was told at each capture."""

    def __init__(self):
        self.stream, self.captures, self.fails = Stream(), [], False

    @contextlib.contextmanager
    def on(self, stream: Stream):
        before, self.stream = self.stream, stream
        yield
        self.stream = before

    @contextlib.contextmanager
    def capture(self, graph: Graph, **told):
        """As PyTorch's: where it fails its stream stays the current one."""
        self.captures.append(told)
        before, self.stream = self.stream, told["stream"]
        yield
        if self.fails:
            raise RuntimeError("operation not permitted when stream is capturing\nmore")
        self.stream = before


@pytest.fixture
def gpu(monkeypatch) -> GPU:
    gpu, capture = GPU(), GraphedStep._capture

    def replaying(step, leaves, there, structure):
        found = capture(step, leaves, there, structure)

        def replay():
            Graph.replays += 1
            left = iter(found.inputs)
            arguments, named = pytree.tree_unflatten([next(left) if tensor else None for tensor in there], structure)
            with torch.no_grad():
                again = step._function(*arguments, **named)
            for own, new in zip(pytree.tree_leaves(found.outputs), pytree.tree_leaves(again), strict=True):
                if own is not None:
                    own.copy_(new)

        found.graph.replay = replay
        return found

    monkeypatch.setattr(GraphedStep, "_capture", replaying)
    monkeypatch.setattr(torch.Tensor, "is_cuda", property(lambda tensor: True))
    for name, fake in {
        "CUDAGraph": Graph,
        "Stream": Stream,
        "device": contextlib.nullcontext,
        "stream": gpu.on,
        "current_stream": lambda: gpu.stream,
        "graph": gpu.capture,
    }.items():
        monkeypatch.setattr(torch.cuda, name, fake)
    monkeypatch.setattr(Graph, "replays", 0)
    return gpu


@pytest.fixture
def network(gpu) -> VideoNetwork:
    """An accelerated network whose steps are graphed, and have run often enough to be captured."""
    torch.manual_seed(0)
    fast = accelerate(vdeblur_fast.build("strcnn-dtb"), "fp32")
    assert not capture_steps(fast, torch.device("cuda"))
    with torch.inference_mode():
        fast(clip())
    assert gpu.captures
    return fast


def clip() -> torch.Tensor:
    return torch.rand(1, 5, 3, 32, 32, generator=torch.Generator().manual_seed(0))


def called(network: VideoNetwork, x: torch.Tensor) -> torch.Tensor:
    with without_graphs():
        return network(x)


def test_a_step_without_tensors_or_on_the_cpu_is_called():
    step = GraphedStep(lambda x, state: (x, state))
    x = torch.ones(2)
    assert step(x, None)[0] is x
    assert step(None, None) == (None, None)


def test_a_kind_is_captured_when_it_comes_again(gpu):
    step = GraphedStep(lambda x: x * 2)
    for size in range(1, 3 * MOST_GRAPHS):  # as of a folder of pictures
        assert torch.equal(step(torch.ones(size)), torch.full((size,), 2.0))
    assert not gpu.captures
    for value in (1.0, 2.0, 3.0):
        assert torch.equal(step(torch.full((4,), value)), torch.full((4,), 2 * value))
    assert len(gpu.captures) == 1


def test_many_graphs_are_not_all_kept(gpu):
    step = GraphedStep(lambda x: x * 2)
    for size in range(1, MOST_GRAPHS + 4):
        for _ in range(2):
            assert torch.equal(step(torch.ones(size)), torch.full((size,), 2.0))
    assert len(step._graphs) == MOST_GRAPHS


def test_what_was_returned_is_left_alone(gpu):
    step = GraphedStep(lambda x, state: (x + 1, (x, state)))
    found = [step(torch.full((3,), float(value)), None) for value in range(5)]
    for value, (y, (x, state)) in enumerate(found):
        assert (y == value + 1).all()
        assert (x == value).all()
        assert state is None


def test_every_mode_can_follow_every_other(network):
    want = called(network, clip())
    for mode in (torch.no_grad, torch.inference_mode, torch.enable_grad, torch.inference_mode, torch.no_grad):
        with mode():
            got = network(clip())
        torch.testing.assert_close(got.clone(), want)
        assert got.is_inference() == (mode is torch.inference_mode)
    assert Graph.replays


def test_gradients_reach_the_frames(network):
    x, same = clip().requires_grad_(), clip().requires_grad_()
    network(x).square().sum().backward()
    called(network, same).square().sum().backward()
    torch.testing.assert_close(x.grad, same.grad)
    assert x.grad.any()
    before = Graph.replays
    with torch.no_grad():
        network(x)
    assert Graph.replays > before


def test_gradients_reach_the_weights(gpu):
    layer = nn.Linear(3, 3)
    layer.step = GraphedStep(layer.forward)
    x = torch.rand(2, 3)
    for _ in range(3):
        layer.step(x).sum().backward()
    assert not gpu.captures
    assert layer.weight.grad.any()


def test_copies_and_pickles_do_the_same_without_the_graphs(network):
    with torch.no_grad():
        want = network(clip())
        for again in (copy.deepcopy(network), pickle.loads(pickle.dumps(network))):
            assert not again.encode._graphs
            assert again.encode._function.__self__ is again
            assert torch.equal(again(clip()), want)
            again.load_state_dict(network.state_dict())
            assert not again.encode._graphs


def test_loaded_weights_are_those_of_the_next_step(network):
    torch.manual_seed(1)
    other = vdeblur_fast.build("strcnn-dtb").eval()
    with torch.no_grad():
        network.load_state_dict(other.state_dict())
        torch.testing.assert_close(network(clip()), other(clip()), rtol=1e-4, atol=1e-5)


def test_a_capture_is_on_the_stream_of_its_warm_ups(gpu):
    seen = []
    step = GraphedStep(lambda x: seen.append(gpu.stream) or x + 1)
    first, x = gpu.stream, torch.ones(2)
    step(x)
    step(x)
    (told,) = gpu.captures
    assert told == {"stream": seen[1], "capture_error_mode": "thread_local"}
    assert seen[0] is first is not seen[1]
    assert set(seen[1:-1]) == {seen[1]}  # the last is the replay
    assert gpu.stream is first


def test_a_step_that_cannot_be_captured_is_called(gpu):
    gpu.fails, first = True, gpu.stream
    step, x = GraphedStep(lambda x, state: x + 1), torch.ones(2)
    step(x, None)
    with pytest.warns(UserWarning, match="slower: operation not permitted when stream is capturing$"):
        assert (step(x, None) == 2).all()
    assert gpu.stream is first
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert (step(x, None) == 2).all()
    step.forget()
    with pytest.warns(UserWarning, match="CUDA graph"):
        step(x, None)


def test_threads_capture_one_after_the_other(gpu, monkeypatch):
    inside, most = [], []

    @contextlib.contextmanager
    def capture(*_, **__):
        inside.append(1)
        most.append(len(inside))
        time.sleep(0.05)
        yield
        inside.pop()

    monkeypatch.setattr(torch.cuda, "graph", capture)

    def run():
        step = GraphedStep(lambda x: x + 1)
        step(torch.ones(2))
        step(torch.ones(2))

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1, 1, 1]


def test_another_backend_and_autocast_are_other_kinds(gpu):
    layer = nn.Linear(4, 4).requires_grad_(False)
    step, x = GraphedStep(layer.forward), torch.rand(2, 4)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # there may be no GPU
        autocast = torch.autocast("cuda", torch.bfloat16)
    for settings in (contextlib.nullcontext(), use_backend("reference"), autocast):
        with settings:
            step(x)
            step(x)
    assert len(gpu.captures) == 3


def test_arguments_may_be_named(gpu):
    step = GraphedStep(lambda x, state=None: x if state is None else x + state)
    for value in range(4):
        x = torch.full((2,), float(value))
        assert torch.equal(step(x, state=x), 2 * x)
        assert torch.equal(step(x=x), x)
    assert len(gpu.captures) == 2


def test_there_are_graphs_unless_they_are_not_wanted(monkeypatch):
    made = []
    module = import_module("vdeblur_fast.acceleration.accelerate")
    monkeypatch.setattr(module, "capture_steps", lambda network, device: made.append(network) or {})
    for graphs in (False, True):
        fast = accelerate(vdeblur_fast.build("strcnn-dtb"), "fp32", graphs=graphs)
        assert made == [fast] * graphs


def test_the_memory_of_a_step_is_measured_while_it_is_called(network, monkeypatch):
    for name in ("synchronize", "reset_peak_memory_stats", "memory_allocated", "max_memory_allocated"):
        monkeypatch.setattr(torch.cuda, name, lambda: 0)
    before = Graph.replays
    with torch.no_grad():
        peak_bytes(lambda: network(clip()), "cuda")
        assert Graph.replays == before
        network(clip())
    assert Graph.replays > before


def test_forgetting_leaves_other_networks_alone(network):
    other = copy.deepcopy(network)
    _forget(other, None)
    assert network.encode._graphs
