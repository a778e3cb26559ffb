"""Networks that look around: every system streams as it runs whole, chooses within its limits, and tells."""

import numpy as np
import pytest
import torch
from torch.nn.functional import pad

from vdeblur_fast import Deblurrer, accelerate
from vdeblur_fast.engine import deblurrer
from vdeblur_fast.errors import UnsupportedByNetwork
from vdeblur_fast.reference.networks import VideoNetwork, build

from ..networks.test_david import make as make_david
from ..networks.test_gsta_net import VARIANTS
from ..networks.test_gsta_net import make as make_gsta
from ..networks.test_strcnn import make as make_strcnn

SYSTEMS = {
    "cnn": lambda: make_strcnn(recurrent=False, blending=False),
    "strcnn": lambda: make_strcnn(blending=False),
    "strcnn-dtb": make_strcnn,
    "strcnn-dtb-m2": lambda: make_strcnn(m=2),
    "david": make_david,
    "david-single5": lambda: make_david(scales=(5,), levels=1),
    **{f"gsta-{i}": lambda options=options: make_gsta(**options) for i, options in enumerate(VARIANTS)},
}


def clip_of(frames, height, width, seed=0):
    return torch.rand(frames, 3, height, width, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("name", SYSTEMS)
@pytest.mark.parametrize(("frames", "height", "width"), [(15, 18, 31), (1, 16, 9), (2, 1, 40)])
def test_a_streamed_clip_equals_the_clip_at_once(name, frames, height, width):
    network, clip = SYSTEMS[name](), clip_of(frames, height, width)
    streamed = torch.stack(list(Deblurrer(network, scene_cuts=False, precision="fp32").stream(clip)))
    side = network.multiple
    size = [-(-max(s, network.minimum) // side) * side for s in (height, width)]
    padded = pad(clip, [0, size[1] - width, 0, size[0] - height], mode="replicate")
    with torch.no_grad():
        whole = network(padded[None])[0, :, :, :height, :width]
    torch.testing.assert_close(streamed, whole, rtol=1e-4, atol=2e-5 * max(1, whole.abs().max().item()))


@pytest.mark.parametrize("name", ["strcnn-dtb", "david", "gsta-0", "gsta-3"])
def test_tiles_change_nothing(name):
    network, clip = SYSTEMS[name](), clip_of(3, 20, 350)
    engines = (Deblurrer(network, precision="fp32", tile=tile) for tile in (None, 40))
    whole, tiles = (torch.stack(list(engine.stream(clip))) for engine in engines)
    torch.testing.assert_close(tiles, whole, rtol=1e-4, atol=2e-5 * max(1, whole.abs().max().item()))


def test_below_tiles_no_step_is_captured(monkeypatch):
    asked = []

    def spy(network, precision, graphs):
        asked.append(graphs)
        return accelerate(network, precision, graphs=graphs)

    monkeypatch.setattr(deblurrer, "accelerated", spy)
    for tile in (None, 40):
        Deblurrer(make_strcnn(), precision="fp32", tile=tile)
    assert asked == [True, False]


def test_every_choice_is_told_once_and_in_order():
    network, told = make_gsta(selection=True), []
    engine = Deblurrer(network, frames=3, lookahead=2, on_choice=lambda *choice: told.append(choice))
    assert engine.latency == 2
    for _ in range(2):
        told.clear()
        list(engine.stream(clip_of(9, 16, 16)))
        assert [frame for frame, _ in told] == list(range(9))
        for frame, neighbours in told:
            assert len(neighbours) <= 3
            assert frame not in neighbours
            assert all(0 <= n <= min(8, frame + 2) for n in neighbours)
    assert any(neighbours for _, neighbours in told)


def test_the_choice_is_that_of_the_whole_clip():
    network, told, clip = make_gsta(selection=True), {}, clip_of(20, 16, 16)
    list(Deblurrer(network, scene_cuts=False, on_choice=told.__setitem__).stream(clip))
    with torch.no_grad():
        entries = network.encode_clip(clip[None])
        for t in range(20):
            _, state = network.decode(network.window(entries, t))
            assert told[t] == [t + offset for offset in network.chosen(state)]


def test_nobody_is_chosen_from_another_scene():
    told = {}
    clip = [*(0.1 + 0.1 * clip_of(4, 32, 32)), *(0.8 + 0.1 * clip_of(4, 32, 32))]
    list(Deblurrer(make_gsta(), on_choice=told.__setitem__).stream(clip))
    assert told == {0: [1, 2], 1: [0, 2, 3], 2: [0, 1, 3], 3: [1, 2], 4: [5, 6], 5: [4, 6, 7], 6: [4, 5, 7], 7: [5, 6]}


@pytest.mark.parametrize("mode", ["stream", "windows"])
def test_fixed_neighbours_are_told_too(mode):
    told = {}
    list(Deblurrer(build("mmp-rnn-tiny"), mode=mode, on_choice=told.__setitem__).stream(clip_of(5, 32, 32)))
    assert told == {0: [1, 2], 1: [0, 2, 3], 2: [0, 1, 3, 4], 3: [1, 2, 4], 4: [2, 3]}


def test_entries_are_retired_once_their_image_is_out():
    network = make_gsta(selection=True)
    engine = Deblurrer(network, scene_cuts=False, lookahead=3)
    for frame in clip_of(30, 16, 16):
        engine.push(frame)
        assert sum(entry.features is not None for entry in engine._scene._entries) <= 3
        assert len(engine._scene._entries) <= 12 + 3 + 1


def test_windows_are_wide_enough_for_the_neighbours():
    for name in ("gsta-3", "david"):
        network = SYSTEMS[name]()
        engine = Deblurrer(network, mode="windows")
        assert engine.latency >= network.past + network.future + 16
        assert len(list(engine.stream(np.zeros((3, 16, 16, 3), np.uint8)))) == 3


def test_what_a_network_cannot_do_is_named():
    with pytest.raises(UnsupportedByNetwork, match="frames=3 cannot be had: MMPRNN always uses 2 frames before"):
        Deblurrer(build("mmp-rnn-tiny"), frames=3)
    with pytest.raises(ValueError, match="lookahead must be from 0"):
        Deblurrer(make_gsta(selection=True), lookahead=20)
    with pytest.raises(UnsupportedByNetwork, match="tile=64 cannot be had"):
        Deblurrer(build("estrnn-c70b7"), tile=64)


def test_a_network_of_ones_own_need_not_choose():
    class Plain(VideoNetwork):
        def encode(self, frame, state=None):
            return frame, state

        def decode(self, window, state=None):
            return window[0], state

    told = {}
    list(Deblurrer(Plain(), on_choice=told.__setitem__).stream(clip_of(2, 8, 8)))
    assert told == {0: [], 1: []}
