"""Shaken stills: exact box blur, exact motion, occlusion."""

import numpy as np
import pytest
from skimage import data

from vdeblur_fast.training.synthesis.layers import MovingPlane, Plane, background
from vdeblur_fast.training.synthesis.response import Response
from vdeblur_fast.training.synthesis.shake import FREEDOMS, ShakePath, project, random_path, with_blur
from vdeblur_fast.training.synthesis.stills import (
    magnitude_of,
    movement,
    render_clip,
    render_exposure,
    shaken_clip,
)

SIZE = (24, 40)
CAMERA = Response()
CORNERS = np.array([[0.0, 0], [39, 0], [0, 23], [39, 23], [13, 7]])


def steady(**speeds: float) -> ShakePath:
    """A path of steady movement: pixels a frame in x, y, roll and zoom."""
    none = np.zeros((FREEDOMS, 1))
    drift = np.array([0, 0, *(speeds.get(name, 0.0) for name in ("roll", "x", "y", "zoom"))])
    return ShakePath(none, none, none, drift, (0, 0, 0), (19.5, 11.5), 1000.0, 20.0)


def noise_plane(height: int = 60, width: int = 90) -> Plane:
    """A scene of noise whose first pixel lies at (-8, -8)."""
    texture = np.random.default_rng(3).random((2 * height, 2 * width, 4), np.float32)
    texture[..., 3] = 1
    return Plane(texture, (-8, -8))


def opaque_square(colour: float = 1.0) -> Plane:
    """A 10 x 10 square that begins at scene pixel (15, 7)."""
    texture = np.zeros((24, 24, 4), np.float32)
    texture[2:-2, 2:-2] = [colour, colour, colour, 1]
    return Plane(texture, (14, 6))


def test_translation_gives_the_exact_box_blur():
    plane, steps = noise_plane(), 9
    times = (np.arange(steps) + 0.5) / steps
    blurry, sharp, smear = render_exposure([plane], [steady(x=steps).homographies(times)], SIZE)
    rows = (plane.texture[0::2] + plane.texture[1::2])[8 : 8 + SIZE[0], :, :3] / 2
    between = (rows[:, 1:-1] + rows[:, 2:]) / 2  # half a texture pixel right of each texture pixel's right border
    shifted = [between[:, 16 + 2 * k :: 2][:, : SIZE[1]] for k in range(steps)]
    np.testing.assert_allclose(blurry, np.mean(shifted, axis=0), atol=2e-4)
    np.testing.assert_allclose(sharp, shifted[steps // 2], atol=2e-4)
    np.testing.assert_allclose(smear, steps, rtol=1e-5)


def test_magnitude_is_that_of_eleven_sharp_frames():
    eleven = steady(x=20.0).homographies(np.linspace(0, 1, 11))
    paper = np.linalg.norm(movement(eleven, CORNERS), axis=-1).mean(0) / 15
    clip = render_clip(noise_plane(), [], steady(x=20.0), 1.0, SIZE, 1)
    np.testing.assert_allclose(magnitude_of(clip.smear), paper[0], rtol=1e-5)
    assert magnitude_of(np.array([0, 75, 150, 300.0])).tolist() == [0, 0.5, 1, 1]


def test_rotation_smears_in_proportion_to_the_distance_from_its_centre():
    clip = render_clip(noise_plane(), [], steady(roll=8.0), 0.5, SIZE, 1)
    y, x = np.indices(SIZE)
    np.testing.assert_allclose(clip.smear[0], np.hypot(x - 19.5, y - 11.5) / 20 * 4, atol=0.02)
    np.testing.assert_allclose(clip.smear[0, ::23, ::39], np.hypot(19.5, 11.5) / 20 * 4, rtol=0.005)


def test_no_shake_no_blur():
    clip = shaken_clip([data.astronaut()], np.random.default_rng(0), CAMERA, 3, (32, 48), blur=0.0)
    np.testing.assert_allclose(clip.blurry, clip.sharp, atol=1e-6)
    assert clip.smear.max() == pytest.approx(0, abs=1e-6)
    assert clip.sharp.std() > 0.01


def test_light_is_conserved_under_camera_and_object():
    scene, thing = noise_plane(), opaque_square(0.3)
    scene.texture[..., :3] = 0.3
    moving = MovingPlane(thing, steady(x=11.0, roll=5.0), 0.5)
    clip = render_clip(scene, [moving], steady(y=6.0, zoom=3.0), 1.0, SIZE, 2)
    np.testing.assert_allclose(clip.blurry, 0.3, atol=1e-5)


def test_blur_keeps_the_mean_of_a_picture():
    picture = data.astronaut()
    clip = shaken_clip([picture], np.random.default_rng(4), CAMERA, 2, (200, 200), blur=6.0)
    assert clip.blurry.mean() == pytest.approx(clip.sharp.mean(), rel=0.02)
    assert np.abs(clip.blurry - clip.sharp).mean() > 0.005


def test_an_object_hides_what_is_behind_it_while_it_is_there():
    scene = noise_plane()
    scene.texture[..., :3] = 0
    moving = MovingPlane(opaque_square(), steady(x=-4.0), 0.5)  # the view runs left, so the object runs right
    clip = render_clip(scene, [moving], steady(), 1.0, SIZE, 1)
    row = clip.blurry[0, 12, :, 0]
    assert row[:12].max() == 0
    np.testing.assert_allclose(row[18:22], 1, atol=1e-5)
    assert 0.2 < row[14] < 0.8
    assert row[27:].max() < 1e-6
    assert row.sum() == pytest.approx(10, abs=0.1)
    np.testing.assert_allclose(clip.smear[0, 12, 18:22], 4, rtol=1e-4)
    assert clip.smear[0, 12, :12].max() == 0
    assert 0 < clip.smear[0, 12, 14] < 4


def test_frames_are_moments_of_one_path():
    path = with_blur(random_path(np.random.default_rng(1), SIZE), SIZE, 5, 0.7, 4.0, 10, 8)
    together = render_clip(noise_plane(), [], path, 0.7, SIZE, 5)
    alone = render_clip(noise_plane(), [], path, 0.7, SIZE, 1, first=3)
    np.testing.assert_array_equal(together.blurry[3], alone.blurry[0])
    ends = path.homographies(np.array([1 - 1e-9, 1.0]))
    np.testing.assert_allclose(ends[0], ends[1], atol=1e-6)


@pytest.mark.parametrize("seed", range(5))
def test_a_path_has_the_blur_asked_for(seed):
    path = random_path(np.random.default_rng(seed), SIZE)
    path = with_blur(path, SIZE, 8, 0.5, 3.0, 50, 200)
    clip = render_clip(noise_plane(), [], path, 0.5, SIZE, 8)
    assert clip.smear.mean() == pytest.approx(3, rel=0.1)


def test_longest_smear_and_reach_hold():
    path = with_blur(random_path(np.random.default_rng(2), SIZE), SIZE, 8, 0.5, 30.0, 12.0, 25.0)
    assert render_clip(noise_plane(), [], path, 0.5, SIZE, 8).smear.max() < 12 * 1.2
    seen = project(path.homographies(np.linspace(0, 7.5, 200)), CORNERS)
    assert np.abs(seen - seen[:1]).max() < 25 * 1.2


def test_frames_never_show_a_border():
    white = np.full((40, 40, 3), 255, np.uint8)
    path = with_blur(random_path(np.random.default_rng(5), SIZE), SIZE, 4, 1.0, 20, 30, 90)
    scene = background(white, path.homographies(np.linspace(0, 4, 65)), SIZE, CAMERA, np.random.default_rng(0))
    assert render_clip(scene, [], path, 1.0, SIZE, 4).blurry.min() > 0.999
