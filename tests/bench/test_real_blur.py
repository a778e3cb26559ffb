"""What the measures of real blur say of changes whose nature is known."""

import json

import cv2
import numpy as np
import pytest
from skimage import data

from bench.real_blur import CROP, effect, halo, main, picture

SHARP = data.astronaut()
BLURRY = cv2.GaussianBlur(SHARP, (0, 0), 2)


def test_nothing_done_is_no_effect():
    found = effect("clip", [BLURRY] * 3, [BLURRY] * 3)
    assert found.blur_before == found.blur_after
    assert found.halo == found.colour == found.flicker == 0


def test_a_sharper_clip_is_less_blurred_and_a_ringing_one_has_halos():
    sharp = effect("clip", [BLURRY] * 2, [SHARP] * 2)
    assert sharp.blur_after < 0.8 * sharp.blur_before
    rung = np.clip(2.0 * SHARP.astype(float) - BLURRY, 0, 255).astype(np.uint8)
    assert halo(SHARP, rung) > 10 * halo(SHARP, SHARP) + 0.5


def test_colour_and_flicker_are_told_in_levels():
    grey = np.full((32, 32, 3), 100, np.uint8)
    red = grey + np.uint8([8, 0, 0])
    found = effect("clip", [grey] * 4, [red, grey] * 2)
    assert (found.colour, found.flicker) == (pytest.approx(4), pytest.approx(8 / 3, abs=1e-3))
    assert effect("clip", [grey], [red]).flicker == 0


def test_the_picture_shows_before_after_and_difference():
    shown = picture([BLURRY] * 9, [SHARP] * 9)
    assert shown.shape == (3 * CROP[0], 3 * CROP[1], 3)
    assert picture([BLURRY[:50, :40]], [SHARP[:50, :40]]).shape == (150, 40, 3)


def test_the_command(tmp_path, capsys):
    clip = tmp_path / "clip"
    clip.mkdir()
    for i in range(4):
        cv2.imwrite(str(clip / f"{i}.png"), BLURRY[i : i + 64, :96, ::-1])
    assert main([str(clip), "--out", str(tmp_path / "out"), "--frames", "3", "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert (found["clip"], found["frames"]) == ("clip", 3)
    assert 0 < found["blur_after"] < 1
    assert cv2.imread(str(tmp_path / "out" / "clip.png")).shape == (3 * 64, 3 * 96, 3)
    assert main([str(tmp_path / "none"), "--out", str(tmp_path / "out")]) == 2
    assert "none" in capsys.readouterr().err
