"""The folder layouts of published data sets: splits, pairs, and what is said where one is half there."""

import shutil
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch

from tests.training.datasets import LAYOUTS, make_dataset
from vdeblur_fast.errors import UserError
from vdeblur_fast.training.__main__ import main
from vdeblur_fast.training.data import training_clips, validation_clips
from vdeblur_fast.training.layouts import DVD_TEST, find_layout
from vdeblur_fast.training.pairs import GAMMA, AveragedClips, PairedClips
from vdeblur_fast.training.recipes import find
from vdeblur_fast.training.synthesis import Shutter, SynthesisDataset

PARTS = {
    "GOPRO_Large": {"train": 2, "test": 2},
    "GOPRO_Large_all": {"train": 2, "test": 1},
    "DVD": {"train": 2, "test": 2},
    "BSD": {"train": 2, "val": 1, "test": 1},
}
RECIPE = replace(find("estrnn-c70b7"), frames=3, crop=16, batch=2, steps=4)


@pytest.mark.parametrize("name", LAYOUTS)
def test_layouts_are_known_by_themselves(tmp_path, name):
    folder = make_dataset(tmp_path, name).rename(tmp_path / "any name")
    layout = find_layout(folder)
    assert layout.name == name
    assert {part: len(scenes) for part, scenes in layout.parts.items()} == PARTS[name]
    assert all(len(layout.scenes(part)) == count for part, count in PARTS[name].items())


def test_dvd_keeps_ten_scenes_for_testing(tmp_path):
    assert len(DVD_TEST) == 10
    layout = find_layout(make_dataset(tmp_path, "DVD"))
    assert [scene.name for scene in layout.scenes("test")] == ["720p_240fps_2", "IMG_0003"]
    assert find_layout(tmp_path / "DVD" / "quantitative_datasets").name == "DVD"


def test_bsd_is_named_by_its_exposures(tmp_path):
    folder = make_dataset(tmp_path, "BSD")
    assert find_layout(folder).name == find_layout(tmp_path).name == "BSD 2ms16ms"
    shutil.copytree(folder, tmp_path / "BSD_1ms8ms")
    with pytest.raises(UserError, match=r"holds 2 data sets; choose one, such as .*BSD_1ms8ms"):
        find_layout(tmp_path)


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_data_set_may_lie_within_folders(tmp_path, name):
    make_dataset(tmp_path / "archive" / "data", name)
    (tmp_path / "archive" / "notes").mkdir()
    found = find_layout(tmp_path)
    assert found.name.split()[0] == name
    assert {part: len(scenes) for part, scenes in found.parts.items()} == PARTS[name]


def test_one_of_several_data_sets_must_be_chosen(tmp_path):
    make_dataset(tmp_path, "GOPRO_Large")
    make_dataset(tmp_path, "GOPRO_Large_all")
    with pytest.raises(UserError, match=r"holds 2 data sets; choose one, such as .*GOPRO_Large"):
        find_layout(tmp_path)


def test_the_scenes_of_dvd_may_lie_in_its_parts(tmp_path):
    flat = make_dataset(tmp_path / "flat", "DVD") / "quantitative_datasets"
    for scene in list(flat.iterdir()):
        part = tmp_path / ("test" if scene.name in DVD_TEST else "train")
        part.mkdir(exist_ok=True)
        scene.rename(part / scene.name)
    shutil.rmtree(tmp_path / "flat")
    found = find_layout(tmp_path)
    assert found.name == "DVD"
    assert {part: len(scenes) for part, scenes in found.parts.items()} == PARTS["DVD"]


def test_pairs_in_another_order_are_not_taken_for_sharp_pictures(tmp_path):
    make_dataset(tmp_path, "GOPRO_Large")
    (tmp_path / "GOPRO_Large" / "train").rename(tmp_path / "GOPRO_Large" / "training")
    shutil.rmtree(tmp_path / "GOPRO_Large" / "test")
    with pytest.raises(UserError, match=r"blur_gamma is half of blurry and sharp frames, but .* is laid out as none"):
        training_clips(tmp_path, RECIPE, 0)


def test_frames_of_other_names_are_no_pairs(tmp_path):
    folder = make_dataset(tmp_path, "GOPRO_Large")
    scene = folder / LAYOUTS["GOPRO_Large"][0]
    (scene / "blur_gamma" / "00002.png").unlink()
    (scene / "sharp" / "00004.png").unlink()
    with pytest.raises(
        UserError, match=r"blur_gamma holds the frame 00003 where .*sharp holds 00002; .* unpack it again"
    ):
        training_clips(folder, RECIPE, 0)


def test_every_scene_must_be_as_large_as_the_crop(tmp_path):
    folder = make_dataset(tmp_path, "GOPRO_Large")
    small = folder / LAYOUTS["GOPRO_Large"][1]
    for path in small.glob("*/*.png"):
        cv2.imwrite(str(path), cv2.imread(str(path))[:12, :12])
    with pytest.raises(UserError, match=rf"{small.name}.*are 12x12, too small for --crop 16"):
        training_clips(folder, RECIPE, 0)


def test_levels_of_blur_need_the_high_speed_frames(tmp_path):
    recipe = replace(find("david-small/internal3"), crop=16, frames=3, batch=1, steps=2)
    with pytest.raises(
        UserError, match=r"is DVD, which has blur of all lengths; train .*internal3.* on GOPRO_Large_all"
    ):
        training_clips(make_dataset(tmp_path, "DVD"), recipe, 0)


def test_exposures_apart_lie_within_the_scene(tmp_path):
    layout = find_layout(make_dataset(tmp_path, "GOPRO_Large_all", frames=24))
    for shutter, span in ((Shutter((3,), 8), 8 + 3), (Shutter((11,), 8), 16 + 11), (Shutter((3, 5)), 9 + 5)):
        assert shutter.span(2) == span
        if span <= 24:
            clips = AveragedClips(layout, "train", frames=2, crop=16, shutter=shutter)
            scene = clips.scenes[0]
            assert clips.starts(scene) == 24 - span + 1
            clips.clip(scene, clips.starts(scene) - 1, np.random.default_rng(0))


def test_other_folders_are_none(tmp_path, pictures):
    assert find_layout(pictures) is None
    assert find_layout(tmp_path / "nothing") is None
    recipe = replace(RECIPE, varied=False)
    assert isinstance(training_clips(pictures, recipe, 0), SynthesisDataset)


@pytest.mark.parametrize("name", ["GOPRO_Large", "DVD", "BSD"])
def test_clips_are_pairs_of_one_crop(tmp_path, name):
    clips = training_clips(make_dataset(tmp_path, name), RECIPE, 7)
    assert isinstance(clips, PairedClips)
    assert len(clips) == 8
    for index in range(8):
        clip = clips[index]
        assert {part: tuple(value.shape) for part, value in clip.items()} == dict.fromkeys(
            ("blurry", "sharp"), (3, 3, 16, 16)
        )
        across, down = (cv2.blur(picture(clip["sharp"]), kernel) for kernel in ((5, 1), (1, 5)))
        inner = slice(3, -3)
        error = min(np.abs(blurred - picture(clip["blurry"]))[inner, inner].mean() for blurred in (across, down))
        assert error < (0.03 if name == "DVD" else 0.004)  # the pictures of DVD are JPEGs
    again = training_clips(tmp_path / ("BSD_2ms16ms" if name == "BSD" else name), RECIPE, 7)
    assert all(torch.equal(again[5][part], value) for part, value in clips[5].items())


def picture(clip: torch.Tensor) -> np.ndarray:
    return np.ascontiguousarray(clip[1].permute(1, 2, 0).numpy())


def test_blur_gamma_is_taken_and_blur_where_there_is_no_other(tmp_path):
    folder = make_dataset(tmp_path, "GOPRO_Large")
    assert find_layout(folder).scenes("test")[0].blurry.name == "blur_gamma"
    for path in folder.glob("*/*/blur_gamma"):
        shutil.rmtree(path)
    assert find_layout(folder).scenes("test")[0].blurry.name == "blur"


def test_sharp_frames_at_240_hz_are_averaged(tmp_path):
    """A scene of one long run: tau and the windows' places are those of the name."""
    layout = find_layout(make_dataset(tmp_path, "GOPRO_Large_all", frames=24))
    clips = AveragedClips(layout, "train", frames=2, crop=24, magnitude=True)
    scene = layout.scenes("train")[0]
    assert (scene.name, scene.averaged) == ("GOPR0372_07_00", 7)
    assert clips.starts(scene) == 24 - 14 + 1
    found = clips.clip(scene, 3, np.random.default_rng(0))
    frames = [cv2.imread(str(path))[..., ::-1] for path in clips.files[scene][1]]
    top, left = (np.random.default_rng(0).random(2) * (17, 25)).astype(int)
    window = [frame[top : top + 24, left : left + 24] for frame in frames[10:17]]
    np.testing.assert_array_equal(found["sharp"][1] * 255, window[3])
    mean = GAMMA.to_signal(np.mean([GAMMA.to_light(frame) for frame in window], 0))
    np.testing.assert_allclose(found["blurry"][1], mean, atol=0.6 / 255)
    assert np.median(found["magnitude"]) * 15 == pytest.approx(1, rel=0.15)  # a pixel from frame to frame
    assert found["mask"].mean() > 0.9
    varied = AveragedClips(layout, "train", frames=1, crop=24, shutter=Shutter((3, 5)))
    assert varied[0].keys() == {"blurry", "sharp"}


def test_a_damaged_val_part_is_not_replaced_by_the_train_part(pictures):
    for path in (pictures / "val").iterdir():
        path.write_bytes(b"not a picture")
    with pytest.raises(UserError, match=r"256\.png cannot be read"):
        validation_clips(pictures, RECIPE, 2)
    (pictures / "val" / "256.png").unlink()
    assert validation_clips(pictures, RECIPE, 2)[1] == "train"


def test_magnitude_needs_the_high_speed_frames(tmp_path):
    recipe = replace(find("mmp-net"), crop=16, batch=1, steps=2)
    with pytest.raises(UserError, match="does not tell how far things move"):
        training_clips(make_dataset(tmp_path, "GOPRO_Large"), recipe, 0)
    clips = training_clips(make_dataset(tmp_path, "GOPRO_Large_all", frames=12), recipe, 0)
    assert clips[0].keys() == {"blurry", "sharp", "magnitude", "mask"}


def test_validation_is_on_the_part_for_it(tmp_path):
    for name, part in (("BSD", "val"), ("DVD", "test"), ("GOPRO_Large", "test")):
        assert validation_clips(make_dataset(tmp_path, name), RECIPE, 2)[1] == part
    shutil.rmtree(tmp_path / "GOPRO_Large" / "test")
    assert validation_clips(tmp_path / "GOPRO_Large", RECIPE, 2)[1] == "train"


def test_half_a_data_set_gets_one_sentence(tmp_path):
    folder = make_dataset(tmp_path, "GOPRO_Large")
    with pytest.raises(UserError, match=r"no scene of .* is long enough for --frames 7"):
        training_clips(folder, replace(RECIPE, frames=7), 0)
    with pytest.raises(UserError, match="are 48x40, too small for --crop 64"):
        training_clips(folder, replace(RECIPE, crop=64), 0)
    (folder / "train/GOPR0374_11_00/sharp/00002.png").unlink()
    with pytest.raises(UserError, match=r"blur_gamma holds 6 frames and .* 5; the data set is not whole"):
        training_clips(folder, RECIPE, 0)
    shutil.rmtree(folder / "train/GOPR0374_11_00/blur_gamma")
    with pytest.raises(UserError, match="holds 0 frames and"):
        training_clips(folder, RECIPE, 0)
    shutil.rmtree(folder / "train")
    with pytest.raises(UserError, match="is GOPRO_Large without its train part"):
        training_clips(folder, RECIPE, 0)


def test_the_command_trains_on_pairs(tmp_path):
    folder = make_dataset(tmp_path, "BSD")
    arguments = ["cnn", "--data", str(folder), "--out", str(tmp_path / "out"), "--smoke", "--workers", "0", "--quiet"]
    assert main([*arguments, "--frames", "3", "--device", "cpu"]) == 0
    assert (tmp_path / "out" / "last.safetensors").exists()
