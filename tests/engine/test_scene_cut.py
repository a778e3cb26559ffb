"""Cuts are seen, motion and noise are not."""

import numpy as np
import torch

from vdeblur_fast.engine.scene_cut import SceneCutDetector


def photograph(name):
    from skimage import data

    return torch.from_numpy(getattr(data, name)()[..., :3].copy()).permute(2, 0, 1)[None].float() / 255


def cuts(frames):
    detector = SceneCutDetector()
    return [i for i, frame in enumerate(frames) if detector.is_cut(frame)]


def pan(image, frames, step):
    return [image[..., 40 : 40 + 240, i * step : i * step + 280] for i in range(frames)]


def test_a_cut_between_two_pictures_is_seen_once():
    frames = pan(photograph("astronaut"), 8, 4) + pan(photograph("chelsea"), 8, 4)
    assert cuts(frames) == [8]


def test_a_fast_pan_is_no_cut():
    assert cuts(pan(photograph("astronaut"), 9, 25)) == []


def test_noise_and_a_fade_are_no_cuts():
    noise = torch.from_numpy(np.random.default_rng(0).normal(0, 0.05, (10, 1, 3, 90, 160))).float()
    assert cuts(list(0.4 + noise)) == []
    image = photograph("astronaut")
    assert cuts([image * (1 - i / 20) for i in range(20)]) == []


def test_a_second_cut_soon_after_the_first_is_seen():
    frames = pan(photograph("astronaut"), 3, 4) + pan(photograph("chelsea"), 2, 4) + pan(photograph("coffee"), 4, 4)
    assert cuts(frames) == [3, 5]
