"""Graphed steps on a GPU: against the functions that they are of, in every mode, on every device."""

import copy
import pickle

import pytest
import torch

import vdeblur_fast
from bench.replay import repeated
from vdeblur_fast import Deblurrer, accelerate, use_backend
from vdeblur_fast.acceleration.graphs import MOST_GRAPHS, GraphedStep, without_graphs
from vdeblur_fast.reference.networks import VideoNetwork

from .test_networks import clip, decibels


@pytest.fixture
def network(gpu) -> VideoNetwork:
    """An accelerated network that has run in inference mode, as the engine runs it, and whose steps are captured."""
    torch.manual_seed(0)
    fast = accelerate(vdeblur_fast.build("strcnn-dtb").to(gpu), "fp32")
    with torch.inference_mode():
        fast(clip(5).to(gpu))
    assert all(any(step._graphs.values()) for step in (fast.encode, fast.decode))
    return fast


def called(network: VideoNetwork, x: torch.Tensor) -> torch.Tensor:
    with without_graphs():
        return network(x)


def test_a_graphed_step_is_the_function(gpu):
    weight = torch.randn(8, 8, device=gpu)

    def step(x, state):
        total = x @ weight if state is None else x @ weight + state[0]
        return total.relu(), (total, None)

    graphed = GraphedStep(step)
    kept = []
    for _ in range(2):
        state, plain_state = None, None
        for _ in range(4):
            x = torch.randn(4, 8, device=gpu)
            got, state = graphed(x, state)
            want, plain_state = step(x, plain_state)
            kept.append((got, want))
    for got, want in kept:  # later replays leave what was returned alone
        torch.testing.assert_close(got, want)
    assert len(graphed._graphs) == 2


def test_a_step_that_looks_at_values_is_called(gpu):
    graphed, stream = GraphedStep(lambda x: x * x.sum().item()), torch.cuda.current_stream()
    for value in (1.0, 2.0, 3.0):
        x = torch.full((3,), value, device=gpu)
        if value == 2:
            with pytest.warns(UserWarning, match="not captured in a CUDA graph"):
                assert torch.equal(graphed(x), 3 * value * x)
        assert torch.equal(graphed(x), 3 * value * x)
        assert torch.cuda.current_stream() == stream


def test_measured_calls_that_cannot_be_captured_leave_the_stream(gpu):
    x, stream = torch.ones(3, device=gpu), torch.cuda.current_stream()
    calls, _ = repeated(lambda: x.sum().item())
    calls()
    assert torch.cuda.current_stream() == stream


def test_loaded_weights_are_those_of_the_next_step(gpu):
    torch.manual_seed(0)
    network, other = (vdeblur_fast.build("strcnn-dtb").eval().to(gpu) for _ in range(2))
    fast, x = accelerate(network, "fp32"), clip(4).to(gpu)
    with torch.no_grad():
        assert decibels(fast(x), network(x)) > 90
        fast.load_state_dict(other.state_dict())
        assert decibels(fast(x), other(x)) > 90


def test_graphs_of_many_sizes_are_not_all_kept(gpu):
    graphed = GraphedStep(lambda x: x * 2)
    for size in range(1, MOST_GRAPHS + 4):
        x = torch.ones(size, device=gpu)
        for _ in range(2):
            assert torch.equal(graphed(x), x * 2)
    assert len(graphed._graphs) == MOST_GRAPHS


def test_every_mode_can_follow_every_other(gpu, network):
    x = clip(5).to(gpu)
    want = called(network, x)
    for mode in (torch.no_grad, torch.inference_mode, torch.enable_grad, torch.inference_mode, torch.no_grad):
        with mode():
            got = network(x)
        assert decibels(got.clone(), want) > 90
        assert got.is_inference() == (mode is torch.inference_mode)


def test_gradients_reach_the_frames(gpu, network):
    x, same = (clip(5).to(gpu).requires_grad_() for _ in range(2))
    network(x).square().sum().backward()
    called(network, same).square().sum().backward()
    torch.testing.assert_close(x.grad, same.grad, rtol=1e-3, atol=1e-4)
    assert x.grad.any()


def test_copies_and_pickles_do_the_same(gpu, network):
    x = clip(5).to(gpu)
    with torch.no_grad():
        want = network(x)
        for again in (copy.deepcopy(network), pickle.loads(pickle.dumps(network))):
            assert not again.encode._graphs
            assert decibels(again(x), want) > 90


def test_a_backend_that_is_asked_for_runs(gpu, network):
    x = clip(5).to(gpu)
    with torch.no_grad():
        graphs = len(network.decode._graphs)
        with use_backend("reference"):
            assert decibels(network(x), called(network, x)) > 90
        assert len(network.decode._graphs) > graphs


def test_no_step_is_captured_below_tiles(gpu):
    torch.manual_seed(0)
    network, frames = vdeblur_fast.build("strcnn-dtb").eval(), clip(4, 96, 130)[0]
    engines = [Deblurrer(network, device=gpu, precision="fp32", tile=tile) for tile in (None, 40)]
    whole, tiles = (torch.stack(list(engine.stream(frames))) for engine in engines)
    assert [isinstance(engine.network.encode, GraphedStep) for engine in engines] == [True, False]
    assert decibels(tiles, whole) > 80


def test_two_devices_in_one_process(gpu):
    if torch.cuda.device_count() < 2:
        pytest.skip("needs a second GPU")
    torch.manual_seed(0)
    network, x = vdeblur_fast.build("strcnn-dtb").eval(), clip(5)
    for device in (torch.device("cuda:0"), torch.device("cuda:1")):
        fast = accelerate(network.to(device), "fp32")
        with torch.no_grad():
            for factor in (1, 0.5, 0.25):  # a graph that holds nothing gives the first image for ever
                assert decibels(fast(factor * x.to(device)), network(factor * x.to(device))) > 90
        assert any(fast.encode._graphs.values())
        assert torch.cuda.current_device() == 0
