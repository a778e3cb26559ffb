"""Exposures and periods as the papers set them, from ordinary footage as from a high-speed camera."""

import numpy as np
import pytest
from skimage import data

from vdeblur_fast.training.recipes import find
from vdeblur_fast.training.synthesis import Shutter, SynthesisDataset
from vdeblur_fast.training.synthesis.clips import TAUS, View
from vdeblur_fast.training.synthesis.high_speed import _Camera, high_speed_clip
from vdeblur_fast.training.synthesis.response import Response

PICTURE = data.astronaut()


class Panned:
    """A clip that moves to the right by `step` pixels a frame, with its true flow."""

    def __init__(self, step: int, frames: int = 40):
        self.frames = np.stack([PICTURE[60:188, 10 + step * t : 170 + step * t] for t in range(frames)])
        flow = np.zeros((64, 80, 2), np.float16)
        flow[..., 0] = -step
        self.ahead, self.back = [flow] * (frames - 1), [-flow] * (frames - 1)
        self.cuts = []

    def runs(self):
        return [(0, len(self.frames))]


def test_strcnn_periods():
    shutter = find("strcnn-dtb").shutter()
    rng = np.random.default_rng(0)
    drawn = [(tau := shutter.exposure(rng), shutter.period(tau, rng)) for _ in range(600)]
    assert {tau for tau, _ in drawn} == {7, 9, 11, 13, 15}
    assert all(tau <= period < 2 * tau for tau, period in drawn)
    assert {period for tau, period in drawn if tau == 7} == set(range(7, 14))
    assert all(shutter.period(7, rng, multiple=4) in (8, 12) for _ in range(20))


def test_david_periods():
    rng = np.random.default_rng(0)
    shutter = find("david/internal11").shutter()
    assert {shutter.exposure(rng) for _ in range(20)} == {11}
    periods = {tau: find("david/single1").shutter().period(tau, rng) for tau in (3, 7, 11, 15)}
    assert periods == {3: 8, 7: 8, 11: 16, 15: 16}


def test_shutter_must_open():
    with pytest.raises(ValueError, match="taus must be one or more odd numbers of at least 1"):
        Shutter(())
    with pytest.raises(ValueError, match=r"odd numbers .* got \(7, 8\)"):
        Shutter((7, 8))


@pytest.mark.parametrize("parts", [1, 2, 4])
def test_the_camera_averages_tau_frames(parts):
    """With parts of a frame a window of 9 covers 8 / parts filmed frames: so long is the smear."""
    clip, response = Panned(step=2), Response()
    view = View(clip, np.array([32, 32]), np.array([64, 64]), np.array([64, 64]))
    camera = _Camera(view, 3, parts, response)
    smear = camera.smear(0, 9)
    np.testing.assert_allclose(smear, 16 / parts, rtol=1e-5)
    frames = [camera.frame(number)[..., :3] for number in range(9)]
    np.testing.assert_allclose(camera.light(0, 9), np.mean(frames, 0), atol=1e-6)
    np.testing.assert_array_equal(camera.frame(4 * parts), view.light(7, response))


@pytest.mark.parametrize("step", [0, 1, 3])
def test_level_of_blur_is_the_number_of_frames(step):
    """Whatever the speed of the footage, N frames smear about N - 1 pixels at most, and no less than half of that."""
    for tau in (3, 7, 11):
        for seed in range(3):
            rng = np.random.default_rng(seed)
            clip = Panned(step, frames=100 if step < 3 else 60)
            found = high_speed_clip(clip, rng, Response(), 3, (32, 32), Shutter((tau,), 8))
            assert found.blurry.shape == found.sharp.shape == (3, 32, 32, 3)
            most = 1.05 * (tau - 1) if step else 0
            assert most / 2.2 <= found.smear.mean() <= most


def test_targets_are_frames_that_were_filmed():
    clip, response = Panned(3, frames=60), Response()
    found = high_speed_clip(clip, np.random.default_rng(1), response, 3, (96, 96), Shutter((7,), 8))
    light = [response.to_light(frame) for frame in clip.frames]  # at scale 1: 128 pixels with their margins
    inside = [any(np.abs(frame[16:112, x : x + 96] - sharp).max() < 1e-3 for frame in light for x in range(16, 49))
              for sharp in found.sharp]  # fmt: skip
    assert all(inside)


def test_short_scenes_keep_tau():
    found = high_speed_clip(Panned(2, frames=4), np.random.default_rng(0), Response(), 7, (32, 32), Shutter((15,), 8))
    assert len(found.blurry) == 7
    assert 0 < found.smear.mean() < 1


def test_stills_have_the_level_of_blur_too(pictures):
    levels = {}
    for tau in (3, 15):
        clips = SynthesisDataset(pictures, frames=1, crop=32, degrade=False, shutter=Shutter((tau,), 8))
        moved = [clips[number]["magnitude"].mean().item() * 15 for number in range(8)]
        levels[tau] = np.mean(moved)
        again = clips[5]
        assert all((again[name] == value).all() for name, value in clips[5].items())
    assert levels[3] < levels[15]


def test_windows_of_training_have_a_middle_frame():
    assert all(tau % 2 for tau in TAUS)
    for step in range(1, 13):
        view = View(Panned(step, frames=12), np.array([32, 32]), np.array([64, 64]), np.array([64, 64]))
        longest = view.longest_window(0, 9)
        assert longest % 2
        assert longest == 3 or 25 - 2 * step < (longest - 1) * step <= 25
