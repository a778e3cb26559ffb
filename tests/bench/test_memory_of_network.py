"""The memory of one network: its parts are of its whole, and what fits into a budget does."""

from concurrent.futures.process import BrokenProcessPool

import numpy as np
import pytest

from bench import memory, memory_budget, memory_of_network
from bench.filled import filled
from bench.memory_breakdown import Block, Breakdown, at_worst, breakdown
from bench.memory_peak import Peak, Request
from bench.memory_use import peak_bytes
from vdeblur_fast import Deblurrer

MIB = 2**20
REQUEST = Request("mmp-rnn-tiny", 640, 360, 7, "cpu")


def stream():
    return Deblurrer(filled("mmp-rnn-tiny"), precision="fp32", accelerate=False)


def images(frames=6, height=128, width=192):
    return [np.full((height, width, 3), 20 * i, np.uint8) for i in range(frames)]


def whole():
    deblurrer = stream()
    for image in images():
        deblurrer.push(image)
    deblurrer.flush()


def test_the_parts_add_up_to_the_peak_of_the_allocator():
    found = breakdown(stream, images())
    assert found.total == pytest.approx(peak_bytes(whole), rel=0.01)
    network = filled("mmp-rnn-tiny")
    weights = sum(tensor.nbytes for tensor in network.state_dict().values())
    assert weights <= found.weights <= 1.1 * weights
    image = 4 * 3 * 128 * 192
    features = 4 * 40 * 32 * 48
    assert found.state >= 5 * features + 3 * image  # five frames' features, three frames that wait for their image
    assert found.activations > 2 * image


def test_larger_frames_need_more_of_all_but_weights():
    small, large = breakdown(stream, images()), breakdown(stream, images(height=256, width=384))
    assert large.weights == pytest.approx(small.weights, rel=0.01)
    assert large.state == pytest.approx(4 * small.state, rel=0.1)
    assert large.activations == pytest.approx(4 * small.activations, rel=0.2)


def test_each_block_is_what_its_life_says():
    blocks = [
        Block(1, begins=0, operator_ends=0),  # never freed
        Block(2, begins=1, operator_ends=2, ends=3),  # gone before the worst moment
        Block(4, begins=10, operator_ends=11, ends=30),  # of the frame before
        Block(8, begins=21, operator_ends=22, ends=28),  # of this frame, for another operator
        Block(16, begins=23, operator_ends=26, ends=25),  # within one operator
        Block(3, begins=27, operator_ends=27.5, ends=29),
    ]
    assert at_worst(blocks[:2], frames=[9, 20]) == Breakdown(weights=3, state=0, activations=0, workspace=0)
    found = at_worst(blocks, frames=[9, 20])
    assert found == Breakdown(weights=1, state=4, activations=8, workspace=16)
    assert found.total == 29


def growing(base=300 * MIB, per_pixel=1000.0):
    """A stand-in for runs in processes of their own, which it notes down."""

    def run(_, request):
        run.tried.append(request)
        return Peak(int(base + per_pixel * request.pixels**run.power), base, 1e-6 * request.pixels)

    run.tried, run.power = [], 1.0
    return run


@pytest.fixture
def runs(monkeypatch):
    run = growing()
    monkeypatch.setattr(memory_budget, "alone", run)
    monkeypatch.setattr(memory_budget, "available_bytes", lambda device: 64 * 2**30)
    return run


@pytest.mark.parametrize("budget", [350 * MIB, 600 * MIB, 4096 * MIB])
@pytest.mark.parametrize("power", [1.0, 1.05, 0.97])
def test_the_largest_frame_was_run_and_fills_the_budget(runs, budget, power):
    runs.power = power
    found = memory_budget.largest(REQUEST, runs(None, REQUEST), budget)
    assert (found.width, found.height) in [(r.width, r.height) for r in runs.tried]
    assert 0.93 * budget < found.peak <= budget
    assert found.width / found.height == pytest.approx(640 / 360, rel=0.05)


def test_a_frame_that_cannot_be_run_is_said_to_be_computed(runs, monkeypatch):
    monkeypatch.setattr(memory_budget, "available_bytes", lambda device: 1024 * MIB)
    found = memory_budget.largest(REQUEST, runs(None, REQUEST), 4096 * MIB)
    assert found.peak is None
    assert found.reason == "only 1.00 GiB are free here"
    assert 300 * MIB + 1000 * found.pixels == pytest.approx(4096 * MIB, rel=0.05)
    monkeypatch.setattr(memory_budget, "available_bytes", lambda device: 64 * 2**30)
    monkeypatch.setattr(memory_budget, "MOST_SECONDS", 1)
    assert memory_budget.largest(REQUEST, runs(None, REQUEST), 4096 * MIB).reason.startswith("it would take")


def test_a_run_that_the_system_ends_did_not_fit(monkeypatch, runs):
    def killed(function, request):
        if request.pixels > 10**6:
            raise BrokenProcessPool
        return runs(function, request)

    monkeypatch.setattr(memory_budget, "alone", killed)
    found = memory_budget.largest(REQUEST, runs(None, REQUEST), 4096 * MIB)
    assert found.pixels <= 10**6
    assert found.peak <= 4096 * MIB


def test_the_printed_parts_add_up():
    said = memory_of_network.text(REQUEST, Peak(100 * MIB, 30 * MIB, 1), Breakdown(MIB, 2 * MIB, 3 * MIB, 4 * MIB))
    figures = {line[2:16].strip(): float(line[16:28].split()[0]) for line in said.splitlines()[1:7]}
    assert figures.pop("peak") == sum(figures.values()) == 100
    assert figures["the rest"] == 90


@pytest.mark.slow
def test_the_command_prints_it_all(capsys):
    assert memory.main(["--network", "mmp-rnn-tiny", "--size", "64x48", "--frames", "6"]) == 0
    said = capsys.readouterr().out
    assert "mmp-rnn-tiny, accelerated, 6 frames of 64x48" in said
    assert [line.split()[0] for line in said.splitlines()[1:7]] == [*memory_of_network.PARTS, "the", "peak"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--network", "mmp-rnn-tinny"], "unknown model 'mmp-rnn-tinny'"),
        (["--network", "mmp-net"], "does not turn frames into frames"),
        (["--budget", "4GiB"], "name it with --network"),
        (["--network", "mmp-rnn-tiny", "--budget", "lots"], "--budget must be an amount of memory"),
        (["--network", "mmp-rnn-tiny", "--budget", "0"], "got 0"),
        (["--network", "mmp-rnn-tiny", "--frames", "0"], "--frames must be a whole number from 1"),
        (["--network", "mmp-rnn-tiny", "--size", "720p"], "--size must be WIDTHxHEIGHT"),
    ],
)
def test_mistakes_get_one_sentence(arguments, says, capsys):
    assert memory.main(arguments) == 2
    said = capsys.readouterr().err
    assert said.startswith("bench.memory: ")
    assert says in said
    assert said.count("\n") == 1


def test_a_snapshot_needs_a_gpu(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert memory.main(["--network", "mmp-rnn-tiny", "--snapshot", str(tmp_path / "snapshot.pickle")]) == 2
    assert "--snapshot needs a GPU" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_budget_that_holds_nothing_is_said_so(runs):
    with pytest.raises(memory_budget.UserError, match=r"300.0 MiB of them before its first frame; give it more"):
        memory_budget.largest(REQUEST, runs(None, REQUEST), 200 * MIB)


@pytest.mark.parametrize(
    ("text", "count"), [("4GiB", 4 * 2**30), ("800MB", 800e6), ("1.5g", 1.5e9), ("512 KiB", 2**19), ("1000", 1000)]
)
def test_amounts_of_memory(text, count):
    assert memory_budget.read_bytes(text) == count
