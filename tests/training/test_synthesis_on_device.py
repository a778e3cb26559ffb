"""Shaken stills made on a device: the same pictures as on the CPU."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from skimage import data

from vdeblur_fast.errors import UserError
from vdeblur_fast.training.data import training_clips
from vdeblur_fast.training.recipes import find
from vdeblur_fast.training.synthesis import Shutter, Variety
from vdeblur_fast.training.synthesis.degrade import stored
from vdeblur_fast.training.synthesis.on_device import DeviceClips, plan, render
from vdeblur_fast.training.synthesis.response import Response
from vdeblur_fast.training.synthesis.stills import magnitude_of, shaken_clip
from vdeblur_fast.training.synthesis.variety import PLAIN, Kind

DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA"))]
SIZE = (48, 48)


def batch_of(clips, *indices):
    return clips.collate([clips[index] for index in indices])


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("kind", [PLAIN, Kind(blur=30, longest=40), Kind(headroom=8)], ids=str)
def test_the_same_path_gives_the_same_pictures(device, kind, pictures):
    """Items of one batch, of which each has its own texture and number of sub-steps, against clips one by one."""
    response = Response(0.6, 2.1, 0.1).with_headroom(kind.headroom)
    clips = DeviceClips(pictures, frames=3, crop=48)
    rngs = [np.random.default_rng(seed) for seed in range(3)]
    plans = [plan(data.astronaut(), rng, response, 3, SIZE, kind=kind) for rng in rngs]
    rest = {"noise": np.zeros(2, np.float32), "turn": np.array([0, 1, 1]), "number": np.array([0, 0])}
    made = render(clips.collate([{**one, **rest} for one in plans]), torch.device(device))
    for number in range(3):
        truth = shaken_clip([data.astronaut()], np.random.default_rng(number), response, 3, SIZE, kind=kind)
        blurry, sharp = stored(truth.blurry, response) / 255, response.to_signal(truth.sharp)
        for name, expected in (("blurry", blurry), ("sharp", sharp)):
            error = np.abs(made[name][number].cpu().numpy().transpose(0, 2, 3, 1) - expected)
            assert error.mean() < 0.004, name
            assert np.quantile(error, 0.99) < 0.03, name
        magnitude = made["magnitude"][number, :, 0].cpu().numpy()
        np.testing.assert_allclose(magnitude, magnitude_of(truth.smear), atol=1e-4)


@pytest.mark.parametrize("device", DEVICES)
def test_samples_are_what_the_trainer_expects(device, pictures):
    clips = DeviceClips(pictures, frames=3, crop=32, seed=4, variety=Variety())
    found = clips.render(batch_of(clips, 0, 5, 9), torch.device(device))
    assert {name: (tuple(part.shape), part.dtype, part.device.type) for name, part in found.items()} == {
        "blurry": ((3, 3, 3, 32, 32), torch.float32, device),
        "sharp": ((3, 3, 3, 32, 32), torch.float32, device),
        "magnitude": ((3, 3, 1, 32, 32), torch.float32, device),
        "mask": ((3, 3, 1, 32, 32), torch.float32, device),
    }
    assert all(part.min() >= 0 and part.max() <= 1 for part in found.values())
    assert torch.equal(found["mask"], (found["magnitude"] > 1 / 150).float())
    torch.testing.assert_close(found["blurry"] * 255, (found["blurry"] * 255).round(), atol=1e-3, rtol=0)
    alone = clips.render(batch_of(clips, 5), torch.device(device))
    for name, part in alone.items():  # whatever else is in the batch
        torch.testing.assert_close(part[0], found[name][1], atol=0.005, rtol=0)


def test_turns_are_those_of_all_parts(pictures):
    clips = DeviceClips(pictures, frames=2, crop=32, degrade=False)
    batch = batch_of(clips, 3)
    plain = clips.render({**batch, "turn": torch.tensor([[0, 1, 1]])}, torch.device("cpu"))
    turned = clips.render({**batch, "turn": torch.tensor([[1, -1, -1]])}, torch.device("cpu"))
    for name, part in plain.items():
        expected = np.rot90(part[0].numpy(), 1, axes=(2, 3))[::-1, ..., ::-1]
        np.testing.assert_array_equal(turned[name][0].numpy(), expected)


def test_noise_is_as_strong_as_asked_for_and_repeats(pictures):
    clips = DeviceClips(pictures, frames=2, crop=64, degrade=False)
    batch = batch_of(clips, 1)
    clean = clips.render(batch, torch.device("cpu"))["blurry"]
    noisy = [clips.render({**batch, "noise": torch.tensor([[0.0, 0.02]])}, torch.device("cpu"))["blurry"] for _ in "ab"]
    other = clips.render(
        {**batch, "noise": torch.tensor([[0.0, 0.02]]), "number": torch.tensor([[0, 7]])}, torch.device("cpu")
    )
    assert torch.equal(*noisy)
    assert not torch.equal(other["blurry"], noisy[0])
    assert 0.005 < (noisy[0] - clean).std() < 0.1


def test_a_shutter_sets_the_blur(pictures):
    levels = []
    for tau in (3, 15):
        clips = DeviceClips(pictures, frames=1, crop=32, degrade=False, shutter=Shutter((tau,), 8))
        levels.append(clips.render(batch_of(clips, *range(6)), torch.device("cpu"))["magnitude"].mean())
    assert levels[0] < levels[1]


def test_recipes_get_them(pictures, tmp_path):
    recipe = replace(find("estrnn-c70b7"), frames=3, crop=32, batch=2, steps=3)
    clips = training_clips(pictures, recipe, 0, on_device=True)
    assert isinstance(clips, DeviceClips)
    assert len(clips) == 6
    with pytest.raises(IndexError, match="index 6 is outside"):
        clips[6]
    with pytest.raises(UserError, match="cannot be made on a device"):
        training_clips(pictures, replace(recipe, kind="selection"), 0, on_device=True)
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="holds no clips or stills"):
        training_clips(tmp_path / "empty", recipe, 0, on_device=True)
