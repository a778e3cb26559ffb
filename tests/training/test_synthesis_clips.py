"""Averaging sharp frames: exact means, frames in between, motion magnitude, whole videos."""

from itertools import islice, pairwise

import cv2
import numpy as np
import pytest
from skimage import data

from vdeblur_fast.training.synthesis import synthesize_video
from vdeblur_fast.training.synthesis.clips import average, smear_of
from vdeblur_fast.training.synthesis.flow import between, flow, gray, inserts, is_cut, motion_magnitude
from vdeblur_fast.training.synthesis.response import Response

PICTURE = data.astronaut()
CAMERA = Response()


def pan(frames: int, step: int, height: int = 96, width: int = 128) -> list[np.ndarray]:
    return [PICTURE[60 : 60 + height, 40 + step * t : 40 + step * t + width].copy() for t in range(frames)]


def flows(frames: list[np.ndarray]) -> tuple[list[np.ndarray], list[np.ndarray]]:
    grays = [gray(frame) for frame in frames]
    pairs = list(pairwise(grays))
    return [flow(a, b) for a, b in pairs], [flow(b, a) for a, b in pairs]


@pytest.mark.parametrize("window", [1, 3, 7, 11, 15])
def test_average_of_close_frames_is_the_plain_mean(window):
    lights = np.random.default_rng(window).random((window, 8, 9, 3), np.float32)
    still = [np.zeros((8, 9, 2), np.float32)] * (window - 1)
    np.testing.assert_allclose(average(lights, still, still), lights.mean(0), atol=1e-6)


def test_magnitude_follows_equations_2_and_3():
    ahead = np.random.default_rng(0).normal(size=(2, 5, 6, 2)).astype(np.float32)
    back = np.random.default_rng(1).normal(size=(2, 5, 6, 2)).astype(np.float32)
    size = lambda move: np.hypot(move[..., 0], move[..., 1])  # noqa: E731
    first, last = size(ahead[0]), size(back[1])
    middle = (size(back[0]) + size(ahead[1])) / 2
    np.testing.assert_allclose(motion_magnitude(ahead, back), (first + middle + last) / 3, rtol=1e-5)
    np.testing.assert_allclose(smear_of(ahead, back), (first + middle + last) / 3 * 2, rtol=1e-5)


def test_flow_of_a_known_pan():
    frames = pan(7, 3)
    aheads, backs = flows(frames)
    inner = motion_magnitude(aheads, backs)[16:-16, 16:-16]
    assert np.median(inner) == pytest.approx(3, abs=0.1)
    assert 3 <= inserts(aheads) <= 5
    assert inserts([]) == 1


def test_frames_in_between_are_better_than_a_double_exposure():
    a, middle, b = (CAMERA.to_light(frame) for frame in pan(3, 3))
    (ahead,), (back,) = flows([pan(3, 3)[0], pan(3, 3)[2]])
    inner = (slice(16, -16), slice(16, -16))
    ours = np.mean((between(a, b, ahead, back, 0.5) - middle)[inner] ** 2)
    ghosts = np.mean(((a + b) / 2 - middle)[inner] ** 2)
    assert ours < ghosts / 10


def test_small_frames_have_flow_too():
    small = np.zeros((17, 5), np.uint8)
    assert flow(small, small).shape == (17, 5, 2)


def test_scene_cuts_are_seen_and_pans_are_not():
    frames = [gray(frame) for frame in pan(2, 12)]
    assert not is_cut(*frames)
    assert is_cut(frames[0], 255 - frames[0])


def levels(values: list[int], kind: type = np.uint8) -> list[np.ndarray]:
    return [np.full((20, 22, 3), value, kind) for value in values]


@pytest.mark.parametrize(("window", "period"), [(1, None), (3, None), (3, 5), (5, 5), (7, 7)])
def test_video_windows_average_the_right_frames(window, period):
    values = [60, 80, 70, 90, 75, 95, 100, 85, 80, 70, 65, 88, 77, 66, 81]
    made = list(synthesize_video(levels(values), window=window, period=period))
    starts = range(0, len(values) - window + 1, period or window)
    assert len(made) == len(starts)
    for (blurry, sharp, magnitude), start in zip(made, starts, strict=True):
        part = np.array(values[start : start + window], np.uint8)
        assert blurry.dtype == sharp.dtype == np.uint8
        assert np.unique(sharp).tolist() == [part[window // 2]]
        expected = CAMERA.to_signal(CAMERA.to_light(part).mean()) * 255
        assert np.abs(blurry - expected).max() <= 0.51
        assert magnitude.shape == (20, 22)
        assert magnitude.dtype == np.float32


@pytest.mark.parametrize("window", [2, 5, 6, 7, 8])
def test_the_sharp_frame_is_the_middle_of_the_exposure(window):
    """Of a pan, blurred as much both ways, it lies where the blurry frame does."""
    step = 4
    ((blurry, sharp, _),) = synthesize_video(pan(window, step), window=window)
    smear = np.ones((1, (window - 1) * step + 1), np.float32) / ((window - 1) * step + 1)
    smeared = cv2.filter2D(CAMERA.to_light(sharp), -1, smear)
    inner, light = (slice(24, -24), slice(32, -32)), CAMERA.to_light(blurry)
    shifts = np.arange(-3, 3.01, 0.25)
    moved = (cv2.warpAffine(smeared, np.float32([[1, 0, by], [0, 1, 0]]), (128, 96)) for by in shifts)
    errors = [np.mean((one - light)[inner] ** 2) for one in moved]
    assert abs(shifts[np.argmin(errors)]) <= 0.25


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_video_windows_of_an_even_number_have_a_middle(kind):
    ((_, sharp, _),) = synthesize_video(levels([60, 60, 70, 70], kind), window=4)
    between = CAMERA.to_signal((CAMERA.to_light(np.array([60, 70], kind))).mean()) * np.iinfo(kind).max
    assert np.abs(sharp - between).max() <= 0.51


def test_video_windows_stop_at_cuts():
    made = list(synthesize_video(levels([10] * 5 + [200] * 7), window=3))
    assert [int(blurry[0, 0, 0]) for blurry, _, _ in made] == [10, 200, 200]


def test_video_of_16_bits_keeps_them():
    ((blurry, sharp, _),) = synthesize_video(levels([30000, 30100, 30200], np.uint16), window=3)
    assert blurry.dtype == sharp.dtype == np.uint16
    assert np.abs(blurry.astype(int) - 30100).max() <= 4


def test_shake_keeps_every_frame_and_repeats_itself():
    frames = pan(60, 1, 64, 80)
    made = list(synthesize_video(iter(frames), mode="shake", blur=3, seed=3))
    again = list(synthesize_video(iter(frames), mode="shake", blur=3, seed=3))
    other = list(synthesize_video(iter(frames), mode="shake", blur=3, seed=4))
    assert len(made) == len(frames)
    assert all(np.array_equal(a, b) for x, y in zip(made, again, strict=True) for a, b in zip(x, y, strict=True))
    assert not np.array_equal(made[2][0], other[2][0])
    assert np.mean([magnitude for *_, magnitude in made]) * 150 == pytest.approx(3, rel=0.15)


def test_shake_without_blur_returns_the_frames():
    frames = pan(3, 1, 64, 80)
    for frame, (blurry, sharp, magnitude) in zip(frames, synthesize_video(frames, "shake", blur=0), strict=True):
        assert np.array_equal(blurry, sharp)
        assert magnitude.max() == 0
        assert np.abs(sharp.astype(int) - frame).mean() < 1.5


def test_video_is_made_while_it_arrives():
    endless = (frame for _ in iter(int, 1) for frame in levels([50, 60, 70]))
    assert len(list(islice(synthesize_video(endless, window=3), 4))) == 4


def test_noise_goes_to_the_blurry_frame_only():
    ((blurry, sharp, _),) = synthesize_video(levels([128] * 3), window=3, noise=5)
    assert sharp.std() == 0
    assert 3 < blurry.std() < 7


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"mode": "spin"}, "mode must be"),
        ({"window": 0}, "window must be"),
        ({"window": 5, "period": 4}, "period must be"),
        ({"blur": -1}, "must not be negative"),
        ({"duty": 0}, "duty must lie"),
    ],
)
def test_video_rejects_bad_arguments_at_once(wrong, sentence):
    with pytest.raises(ValueError, match=sentence):
        synthesize_video([], **wrong)


def test_video_rejects_frames_that_differ():
    assert list(synthesize_video([])) == []
    with pytest.raises(ValueError, match="frame 1 is"):
        list(synthesize_video([*levels([1]), np.zeros((9, 9, 3), np.uint8)], window=2))
    with pytest.raises(ValueError, match="uint8 or uint16"):
        list(synthesize_video([np.zeros((9, 9), np.float32)]))
