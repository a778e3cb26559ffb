"""Special kinds of blur: rolling shutter, parallax, focus, lights that clip; and that they change nothing else."""

from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from skimage import data

from tests.training.test_synthesis_stills import CAMERA, SIZE, noise_plane, steady
from vdeblur_fast.training.synthesis import SynthesisDataset, Variety, write_validation
from vdeblur_fast.training.synthesis.__main__ import main
from vdeblur_fast.training.synthesis.kinds import SHOTS, filmed
from vdeblur_fast.training.synthesis.layers import Plane, StandingPlane
from vdeblur_fast.training.synthesis.optics import add_lamps, disc, hunting, out_of_focus
from vdeblur_fast.training.synthesis.response import Response
from vdeblur_fast.training.synthesis.shake import project, random_path, with_blur
from vdeblur_fast.training.synthesis.stills import render_clip, shaken_clip
from vdeblur_fast.training.synthesis.variety import PLAIN, Kind

ALWAYS = dict.fromkeys(vars(Variety()), 1.0) | {"sharp": 0.0}


def smooth_plane(height: int = 60) -> Plane:
    """A scene on which a tenth of a pixel more or less makes no difference to speak of."""
    plane = noise_plane(height)
    cv2.GaussianBlur(plane.texture, (0, 0), 4, dst=plane.texture)
    return plane


def test_a_rolling_shutter_without_delay_is_a_global_one():
    path = with_blur(random_path(np.random.default_rng(1), SIZE), SIZE, 3, 0.7, 5.0, 10, 8)
    one = render_clip(smooth_plane(), [], path, 0.7, SIZE, 3)
    other = render_clip(smooth_plane(), [], path, 0.7, SIZE, 3, rolling=1e-9)
    for name in ("blurry", "sharp", "smear"):
        np.testing.assert_allclose(getattr(other, name), getattr(one, name), atol=2e-3)


@pytest.mark.parametrize("rolling", [0.3, 0.9])
def test_each_row_is_that_of_a_global_shutter_at_its_own_time(rolling):
    """Blurry, sharp and smear of row y are those of a frame whose exposure begins rolling * y / H later."""
    size = (96, 40)
    path = with_blur(random_path(np.random.default_rng(4), size), size, 2, 0.5, 6.0, 10, 20)
    plane = smooth_plane(150)
    rolled = render_clip(plane, [], path, 0.5, size, 1, rolling=rolling)
    at_once = render_clip(plane, [], path, 0.5, size, 1)
    for row in (0, 39, 95):
        delay = rolling * (row + 0.5) / size[0]
        late = SimpleNamespace(homographies=lambda times, delay=delay: path.homographies(times + delay))
        late = render_clip(plane, [], late, 0.5, size, 1)
        for name, most in (("blurry", 4e-3), ("sharp", 4e-3), ("smear", 0.05)):
            mine, truth, other = (getattr(clip, name)[0, row] for clip in (rolled, late, at_once))
            assert np.abs(mine - truth).max() < most, name
    assert np.abs(other - truth).max() > 2 * most, "the last row would have told"


def test_a_pan_leans_under_a_rolling_shutter():
    """The view runs right by 10 pixels a frame, and the last row is read 0.8 frames later than the first."""
    scene = noise_plane()
    scene.texture[..., :3] = (np.indices(scene.texture.shape[:2])[1] > 70)[..., None]
    clip = render_clip(scene, [], steady(x=10.0), 0.01, SIZE, 1, rolling=0.8)
    edges = clip.sharp[0, :, :, 0].argmax(1)
    assert edges[0] - edges[-1] == pytest.approx(8 * 23 / 24, abs=1)


@pytest.mark.parametrize("nearness", [1.0, 2.0, 3.5])
def test_a_nearer_layer_shifts_so_much_more(nearness):
    path = steady(x=4.0)
    at_rest = path.homographies(np.array([0.5]))[0]
    to_scene = at_rest @ np.linalg.inv(path.before(nearness).homographies(np.array([0.5]))[0])
    wall = Plane(np.ones((200, 200, 4), np.float32), (20, -30))  # from the middle of the frame to the right
    layer = StandingPlane(wall, path.before(nearness), to_scene)
    clip = render_clip(noise_plane(), [layer], path, 1.0, SIZE, 1)
    np.testing.assert_allclose(clip.smear[0, :, :10], 4, rtol=1e-3)
    np.testing.assert_allclose(clip.smear[0, :, 30:], 4 * nearness, rtol=1e-3)
    sharp = clip.sharp[0, 12, :, 0]
    np.testing.assert_allclose(sharp[21:], 1, atol=1e-3)
    assert sharp[:19].std() > 0.05


def test_turns_have_no_parallax():
    path = steady(roll=5.0)
    seen = [project(one.homographies(np.array([0.7])), np.array([[3.0, 4.0]])) for one in (path, path.before(3))]
    np.testing.assert_allclose(*seen)


def test_a_disc_keeps_light_and_has_its_size():
    assert disc(3.0).sum() == pytest.approx(np.pi * 9, rel=0.03)
    assert disc(0.2).sum() == pytest.approx(np.pi / 4, rel=0.1)
    dot = np.zeros((21, 21, 3), np.float32)
    dot[10, 10] = 100
    soft = out_of_focus(dot, 4.0)
    assert soft.sum() == pytest.approx(300, rel=1e-4)
    assert (soft[10, 6:15] > 0).all()
    assert soft[10, 4].max() == 0


def test_a_lens_that_hunts_leaves_some_frames_in_focus():
    clip = np.random.default_rng(0).random((24, 20, 22, 3)).astype(np.float32)
    found = hunting(clip, 2.0, np.random.default_rng(1))
    same = [np.array_equal(a, b) for a, b in zip(found, clip, strict=True)]
    assert 6 < sum(same) < 20
    np.testing.assert_allclose(found.mean((1, 2)), clip.mean((1, 2)), atol=0.05)


def test_depth_of_field_is_in_the_target_and_hunting_is_not():
    def contrast(kind: Kind) -> tuple[float, float]:
        made = shaken_clip([data.astronaut()], np.random.default_rng(5), CAMERA, 8, (64, 64), 0.0, 0, 0.5, kind)
        return tuple(np.abs(np.diff(part, axis=2)).mean() for part in (made.blurry, made.sharp))

    plain, soft, hunt = contrast(PLAIN), contrast(Kind(soft=3.0)), contrast(Kind(hunting=3.0))
    assert soft[1] < 0.7 * plain[1]
    assert soft[0] == pytest.approx(soft[1], rel=1e-3)
    assert hunt[1] == pytest.approx(plain[1], rel=1e-6)
    assert hunt[0] < 0.9 * plain[0]


def test_headroom_makes_only_the_brightest_brighter():
    plain, wide = Response(), Response().with_headroom(10)
    signal = np.linspace(0, 0.94, 50)
    np.testing.assert_array_equal(wide.to_light(signal), plain.to_light(signal))
    assert wide.to_light(np.uint8([255])) == pytest.approx(10)
    np.testing.assert_array_equal(wide.to_signal(np.array([0.3, 1, 7])), plain.to_signal(np.array([0.3, 1, 1])))
    with pytest.raises(ValueError, match="headroom"):
        Response(headroom=0.5)


def test_a_streak_of_a_light_stays_white():
    """A white line of 2 pixels smeared over 8: as bright as white where it shone 10 times as bright, else a quarter."""
    picture = np.zeros((200, 200, 3), np.uint8)
    picture[:, 99:101] = 255
    for headroom, least, most in ((1.0, 0, 0.5), (10.0, 0.9, 1.0)):
        response = Response().with_headroom(headroom)
        scene = Plane(
            np.repeat(np.repeat(response.to_light(picture), 2, 0), 2, 1)[..., [0, 1, 2, 2]].copy(), (-80, -80)
        )
        clip = render_clip(scene, [], steady(x=8.0), 1.0, SIZE, 1)
        assert least <= np.clip(clip.blurry[0, 12], 0, 1).max() <= most


def test_lamps_are_brighter_than_white():
    texture = np.full((80, 90, 4), 0.5, np.float32)
    add_lamps(texture, 5, np.random.default_rng(0))
    assert texture[..., :3].max() > 3
    assert np.median(texture[..., :3]) < 0.5
    assert (texture[..., 3] == 0.5).all()
    add_lamps(np.zeros((3, 3, 4), np.float32), 5, np.random.default_rng(0))


def test_kinds_are_named():
    assert str(PLAIN) == "plain"
    assert str(Kind(rolling=0.5, headroom=3, longest=40, zoom=2)) == "rolling + highlights + long + zoom"
    with pytest.raises(ValueError, match="rolling must be a chance"):
        Variety(rolling=2)


def test_chances_hold():
    rng, draws = np.random.default_rng(0), 400
    kinds = [Variety(rolling=0.25, parallax=0, lamps=1).draw(rng, (104, 104)) for _ in range(draws)]
    assert sum(kind.rolling > 0 for kind in kinds) / draws == pytest.approx(0.25, abs=0.06)
    assert not any(kind.nearness for kind in kinds)
    assert all(kind.lamps for kind in kinds)


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_variety_samples_repeat_and_are_in_range(pictures, share):
    options = {"frames": 3, "crop": 32, "seed": 2, "clip_share": share if share == 0 else 0.5}
    made = SynthesisDataset(pictures, variety=Variety(**ALWAYS), **options)
    again = SynthesisDataset(pictures, variety=Variety(**ALWAYS), **options)
    plain = SynthesisDataset(pictures, variety=Variety(**dict.fromkeys(ALWAYS, 0.0)), **options)
    none = SynthesisDataset(pictures, **options)
    for index in (5, 0, 3):
        sample, other = made[index], again[index]
        assert all(torch.equal(sample[name], other[name]) for name in sample)
        assert all(part.min() >= 0 and part.max() <= 1 for part in sample.values())
        assert torch.equal(sample["mask"], (sample["magnitude"] > 1 / 150).float())
        assert all(torch.equal(plain[index][name], value) for name, value in none[index].items())
    assert "rolling" in made.made(0)[1]


@pytest.mark.parametrize("share", [0.0, 1.0], ids=["stills", "clips"])
def test_some_samples_are_sharp_already(pictures, share):
    options = {"frames": 3, "crop": 32, "seed": 2, "clip_share": share, "degrade": False}
    sharp = SynthesisDataset(pictures, variety=Variety(**ALWAYS | {"sharp": 1.0}), **options)
    blurry = SynthesisDataset(pictures, variety=Variety(**ALWAYS), **options)
    for index in range(3):
        sample = sharp[index]
        assert (sample["blurry"] - sample["sharp"]).abs().max() <= 0.51 / 255, "but for rounding to 8 bits"
        assert not sample["mask"].any()
        assert not sample["magnitude"].any()
        torch.testing.assert_close(sample["sharp"], blurry[index]["sharp"])
        assert "sharp" in sharp.made(index)[1]


@pytest.mark.parametrize("zoom", [1.0, 4.0])
def test_a_zoom_shows_less_of_the_picture_and_no_finer_detail(zoom):
    """A wave of 16 pixels is one of 6.4 to 16 pixels in the frame, and of `zoom` times as many enlarged."""
    wave = 127.5 + 100 * np.sin(np.arange(400) * 2 * np.pi / 16)
    picture = np.repeat(np.tile(wave.astype(np.uint8), (400, 1))[..., None], 3, 2)
    for seed in range(5):
        clip = shaken_clip([picture], np.random.default_rng(seed), CAMERA, 1, (64, 64), 0.0, 0, kind=Kind(zoom=zoom))
        row = clip.sharp[0, 32, :, 0]
        crossings = np.abs(np.diff(row > row.mean())).sum()
        assert 128 / 16 / zoom - 1.5 <= crossings <= 128 / 6.4 / zoom + 1.5


@pytest.mark.parametrize("name", SHOTS)
def test_every_kind_can_be_filmed(name):
    shot, pictures = SHOTS[name], [data.astronaut(), data.astronaut()[::-1].copy(), data.astronaut()[:, ::-1].copy()]
    blurry, sharp = filmed(shot, pictures, np.random.default_rng(0), 3, (48, 64))
    assert blurry.shape == sharp.shape == (3, 48, 64, 3)
    assert blurry.dtype == sharp.dtype == np.uint8
    error = np.mean((blurry / 255.0 - sharp / 255.0) ** 2)
    assert error < 1e-4 if name == "sharp" else error > 1e-5


def test_validation_of_all_kinds(pictures, tmp_path):
    count = write_validation(pictures, tmp_path / "out", None, frames=1, size=(32, 48), all_kinds=True)
    names = [path.name for path in (tmp_path / "out" / "blurry").iterdir()]
    assert {name.split("_")[0] for name in names} == set(SHOTS)
    assert count == len(names) == 2 * len(SHOTS)


def test_the_command_writes_a_sheet(pictures, tmp_path, capsys):
    assert (
        main(
            [str(pictures), str(tmp_path / "a.png"), "--split", "train", "--sheet", "1", "--all-kinds", "--crop", "32"]
        )
        == 0
    )
    assert cv2.imread(str(tmp_path / "a.png")).shape == (50, 9 * 32, 3)
