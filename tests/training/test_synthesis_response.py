"""Camera responses and what a camera adds to its frames."""

import numpy as np
import pytest
from skimage import data

from vdeblur_fast.training.synthesis.degrade import Degradation, stored
from vdeblur_fast.training.synthesis.response import Response

CAMERAS = [
    Response(),
    Response(0.3, 2.4, 0.25),
    *(Response.random(np.random.default_rng(k)) for k in range(6)),
]


@pytest.mark.parametrize("camera", CAMERAS)
def test_response_directions_are_inverse(camera):
    signal = np.arange(256, dtype=np.uint8)
    assert np.array_equal(stored(camera.to_light(signal), camera), signal)
    words = np.arange(65536).astype(np.uint16)
    back = stored(camera.to_light(words), camera, np.uint16).astype(int)
    assert np.abs(back - words).max() <= 4
    light = np.linspace(0, 1, 10001, dtype=np.float32)
    np.testing.assert_allclose(camera.to_light(camera.to_signal(light)), light, atol=5e-5)


@pytest.mark.parametrize("camera", CAMERAS)
def test_response_rises_from_black_to_white(camera):
    light = camera.to_light(np.linspace(0, 1, 4096))
    assert light[0] == 0
    assert light[-1] == 1
    assert (np.diff(light) > 0).all()


def test_default_response_is_srgb():
    np.testing.assert_allclose(
        Response().to_light(np.array([0.02, 0.5, 0.8])), [0.001548, 0.214041, 0.603827], atol=2e-6
    )


def test_response_rejects_a_folded_curve():
    with pytest.raises(ValueError, match="contrast in"):
        Response(contrast=1.5)


def test_no_degradation_only_rounds():
    camera, frames = Response(), np.random.default_rng(0).integers(0, 256, (2, 9, 7, 3)).astype(np.uint8)
    assert np.array_equal(Degradation().apply(camera.to_light(frames), camera, np.random.default_rng(1)), frames)


@pytest.mark.parametrize("levels", [2.0, 6.0])
def test_noise_has_the_level_asked_for(levels):
    camera, rng = Response(), np.random.default_rng(0)
    light = np.full((1, 200, 200, 3), camera.to_light(np.array([0.5]))[0], np.float32)
    noisy = Degradation.noise(levels, camera).apply(light, camera, rng, np.uint16) / 257
    assert noisy.std() == pytest.approx(levels, rel=0.05)
    assert noisy.mean() == pytest.approx(127.5, abs=0.5)


@pytest.mark.parametrize("settings", [{"jpeg": 90}, {"h264": 16}, {"mpeg4": 2}])
def test_compression_keeps_size_and_order(settings):
    camera = Response()
    frames = np.stack([np.full((33, 47, 3), 40 + 20 * t, np.uint8) for t in range(5)])
    coded = Degradation(**settings).apply(camera.to_light(frames), camera, np.random.default_rng(0))
    assert coded.shape == frames.shape
    assert np.abs(coded.astype(int) - frames).max() <= 4


@pytest.mark.parametrize(("codec", "good", "bad"), [("jpeg", 95, 40), ("h264", 16, 34), ("mpeg4", 2, 14)])
def test_compression_is_as_strong_as_asked_for(codec, good, bad):
    camera = Response()
    frames = np.stack([data.astronaut()[100 + t : 164 + t, 100:196] for t in range(4)])
    errors = []
    for how in (good, bad):
        coded = Degradation(**{codec: how}).apply(camera.to_light(frames), camera, np.random.default_rng(0))
        errors.append(np.abs(coded.astype(int) - frames).mean())
    assert 0 < errors[0] * 1.5 < errors[1] < 20
    assert str(Degradation(**{codec: bad})) == f"+ {codec} {bad}"


def test_half_of_the_clips_are_compressed():
    rng, draws = np.random.default_rng(0), 600
    drawn = [Degradation.random(rng) for _ in range(draws)]
    for codec, share in (("jpeg", 0.15), ("h264", 0.2), ("mpeg4", 0.15)):
        assert sum(getattr(one, codec) is not None for one in drawn) / draws == pytest.approx(share, abs=0.05)
    assert all(sum(getattr(one, codec) is not None for codec in ("jpeg", "h264", "mpeg4")) < 2 for one in drawn)
