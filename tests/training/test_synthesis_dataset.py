"""Datasets on small folders, with and without a manifest, and the validation set."""

import pickle
import subprocess
import sys
from fractions import Fraction

import av
import cv2
import numpy as np
import pytest
import torch
from skimage import data

from vdeblur_fast.errors import UserError
from vdeblur_fast.training.synthesis import SynthesisDataset, contact_sheet, write_validation
from vdeblur_fast.training.synthesis.__main__ import main
from vdeblur_fast.training.synthesis.archive import archived
from vdeblur_fast.training.synthesis.sheet import CAPTION
from vdeblur_fast.training.synthesis.sources import find_sources

PICTURE = data.astronaut()


def write_clip(path, frames=26, size=(96, 128), cut=None):
    """A pan of 2 pixels a frame; from frame `cut` on, in negative."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(30))
        stream.height, stream.width = size
        stream.pix_fmt, stream.options = "yuv420p", {"crf": "5", "preset": "ultrafast"}
        for t in range(frames):
            image = np.ascontiguousarray(PICTURE[50 : 50 + size[0], 40 + 2 * t : 40 + 2 * t + size[1]])
            image = 255 - image if cut is not None and t >= cut else image
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, "rgb24")))
        container.mux(stream.encode())


def write_still(path, top=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), PICTURE[top : top + 200, 100:400, ::-1])


@pytest.fixture
def folder(tmp_path):
    """Two stills and a clip, without a manifest."""
    write_still(tmp_path / "data" / "stills" / "a.png", 0)
    write_still(tmp_path / "data" / "stills" / "b.JPG", 250)
    write_clip(tmp_path / "data" / "clips" / "pan.mp4")
    return tmp_path / "data"


def dataset(folder, **options):
    options = {"frames": 3, "crop": 32, "cache": folder.parent / "cache", "length": 20} | options
    return SynthesisDataset(folder, **options)


def assert_same(one, other):
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_samples_are_what_the_trainer_expects(folder, share):
    made = dataset(folder, clip_share=share)
    for index in range(6):
        sample = made[index]
        shapes = {name: tuple(part.shape) for name, part in sample.items()}
        assert shapes == {
            "blurry": (3, 3, 32, 32),
            "sharp": (3, 3, 32, 32),
            "magnitude": (3, 1, 32, 32),
            "mask": (3, 1, 32, 32),
        }
        assert all(part.dtype == torch.float32 and part.is_contiguous() for part in sample.values())
        assert all(part.min() >= 0 and part.max() <= 1 for part in sample.values())
        assert torch.equal(sample["mask"], (sample["magnitude"] > 1 / 150).float())
        assert sample["sharp"].std() > 0.01


def test_samples_depend_on_seed_and_index_only(folder):
    made, again, other = dataset(folder), dataset(folder), dataset(folder, seed=1)
    order = [3, 0, 7, 3]
    first = [made[index] for index in order]
    assert_same(first[0], first[3])
    for index, sample in zip(reversed(order), reversed(first), strict=True):
        assert_same(again[index], sample)
    assert not torch.equal(other[3]["sharp"], first[0]["sharp"])
    assert not torch.equal(first[1]["sharp"], first[0]["sharp"])
    assert_same(pickle.loads(pickle.dumps(made))[7], first[2])


def test_workers_make_the_same_samples(folder):
    made = dataset(folder, length=6)
    loader = torch.utils.data.DataLoader(made, batch_size=1, num_workers=2)
    for index, batch in enumerate(loader):
        assert_same({name: part[0] for name, part in batch.items()}, made[index])


WORKER = """
import sys
from pathlib import Path
import cv2
import numpy as np
from torch.utils.data import DataLoader
from vdeblur_fast.training.data import clips_of
from vdeblur_fast.training.recipes import find

cv2.setNumThreads(4)
cv2.GaussianBlur(np.zeros((2000, 2000), np.float32), (0, 0), 5)
clips = clips_of(Path(sys.argv[1]), "train", find("mmp-rnn-tiny"), 32, 0, 3)
print(len(list(DataLoader(clips, batch_size=None, num_workers=1))))
"""


def test_workers_survive_the_threads_that_opencv_had_before(folder):
    ran = subprocess.run([sys.executable, "-c", WORKER, str(folder)], capture_output=True, text=True, timeout=120)
    assert ran.stdout == "3\n", ran.stderr


def test_crops_need_not_be_square_nor_smaller_than_the_picture(folder):
    assert dataset(folder, crop=(24, 56), clip_share=0.5)[0]["sharp"].shape == (3, 3, 24, 56)
    assert dataset(folder, crop=320, clip_share=0.5, frames=1)[1]["blurry"].min() >= 0


def test_without_degradation_a_sharp_sample_is_only_rounded(folder):
    made = dataset(folder, degrade=False, clip_share=0.0)
    for index in range(20):
        sample = made[index]
        if sample["magnitude"].max() < 0.2 / 150:
            assert (sample["blurry"] - sample["sharp"]).abs().max() < 0.05
        exact = sample["blurry"] * 255
        assert torch.allclose(exact, exact.round(), atol=1e-4)


def test_the_manifest_decides(folder):
    lines = "path,suggested_split\nstills/a.png,train\nstills/b.JPG,val\nclips/pan.mp4,neither\n"
    (folder / "MANIFEST.csv").write_text(lines)
    assert [path.name for path in find_sources(folder, "train").stills] == ["a.png"]
    assert [path.name for path in find_sources(folder, "val").stills] == ["b.JPG"]
    assert len(find_sources(folder, None).stills) == 2
    assert find_sources(folder, None).clips == []
    assert len(dataset(folder, split="val").stills) == 1


def test_a_manifest_may_begin_with_a_byte_order_mark(folder):
    (folder / "MANIFEST.csv").write_text("path,split\nstills/a.png,train\n", encoding="utf-8-sig")
    assert [path.name for path in find_sources(folder, "train").stills] == ["a.png"]


def test_hidden_folders_are_left_out(folder):
    for name in (".thumbnails", "stills/__MACOSX", "stills/.trash/old"):
        write_still(folder / name / "c.png")
    assert len(find_sources(folder, "train").stills) == 2


def test_folders_named_train_and_val_decide(tmp_path):
    write_still(tmp_path / "train" / "deep" / "a.png")
    write_still(tmp_path / "val" / "b.png")
    assert [path.name for path in find_sources(tmp_path, "train").stills] == ["a.png"]
    assert [path.name for path in find_sources(tmp_path, "val").stills] == ["b.png"]


def test_anything_else_is_for_training(folder):
    assert len(find_sources(folder, "train").stills) == 2
    with pytest.raises(UserError, match="split 'val'"):
        find_sources(folder, "val")


def test_wrong_folders_get_one_sentence(tmp_path, folder):
    with pytest.raises(UserError, match="is not a folder"):
        SynthesisDataset(tmp_path / "none")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="holds no clips or stills"):
        SynthesisDataset(tmp_path / "empty")
    manifest = folder / "MANIFEST.csv"
    manifest.write_text("name\nx\n")
    with pytest.raises(UserError, match="no columns path"):
        SynthesisDataset(folder)
    manifest.write_text("path,suggested_split\ngone.png,train\n")
    with pytest.raises(UserError, match=r"gone\.png, which does not exist"):
        SynthesisDataset(folder)
    with pytest.raises(ValueError, match="frames must be at least 1"):
        dataset(folder, frames=0)


@pytest.mark.parametrize("name", ["broken.png", "broken.mp4"])
def test_broken_files_are_named(tmp_path, name):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / name).write_bytes(b"not a picture")
    with pytest.raises(UserError, match=name):
        dataset(tmp_path / "data")
    assert not list((tmp_path / "cache").glob("*")) if (tmp_path / "cache").exists() else True


def test_clips_that_are_too_short(tmp_path):
    write_clip(tmp_path / "data" / "short.mp4", frames=5)
    with pytest.raises(UserError, match="long enough for 3 blurry frames"):
        dataset(tmp_path / "data")


def test_archive_holds_frames_flow_and_cuts(tmp_path):
    write_clip(tmp_path / "cut.mp4", frames=12, cut=7)
    clip = archived(tmp_path / "cut.mp4", tmp_path / "cache")
    assert clip.frames.shape == (12, 96, 128, 3)
    assert clip.ahead.shape == clip.back.shape == (11, 24, 32, 2)
    assert clip.runs() == [(0, 7), (7, 12)]
    assert np.median(clip.ahead[2], axis=(0, 1)) == pytest.approx([-2, 0], abs=0.25)
    assert np.median(clip.back[2], axis=(0, 1)) == pytest.approx([2, 0], abs=0.25)
    assert np.abs(clip.frames[3].astype(int) - PICTURE[50:146, 46:174]).mean() < 8
    (built,) = (tmp_path / "cache").iterdir()
    stamp = (built / "clip.json").stat().st_mtime_ns
    archived(tmp_path / "cut.mp4", tmp_path / "cache")
    assert (built / "clip.json").stat().st_mtime_ns == stamp


def test_unwritable_cache_gets_one_sentence(folder):
    (folder.parent / "file").write_text("")
    with pytest.raises(UserError, match="VDEBLUR_CACHE"):
        dataset(folder, cache=folder.parent / "file" / "cache")


def test_clip_samples_move_as_the_pan_does(folder):
    made = dataset(folder, clip_share=1.0, degrade=False)
    smears = [made[index]["magnitude"].median().item() * 150 for index in range(8)]
    assert all(1 < smear < 2 * 15 * 1.2 for smear in smears)


def test_contact_sheet(folder, tmp_path):
    contact_sheet(dataset(folder), tmp_path / "sheet.png", rows=2)
    assert cv2.imread(str(tmp_path / "sheet.png")).shape == (2 * (32 + CAPTION), 9 * 32, 3)


def test_validation_set(folder, tmp_path):
    out = tmp_path / "val"
    count = write_validation(folder, out, None, frames=2, size=(48, 64), cache=tmp_path / "cache")
    names = sorted(path.name for path in (out / "blurry").iterdir())
    assert names == ["a", "b", "pan_11", "pan_13", "pan_7", "pan_9"]
    assert names == sorted(path.name for path in (out / "sharp").iterdir())
    assert count == len(names)
    blurry, sharp = (cv2.imread(str(out / kind / "a" / "0001.png")) for kind in ("blurry", "sharp"))
    assert blurry.shape == sharp.shape == (48, 64, 3)
    assert np.abs(blurry.astype(int) - sharp).mean() > 0.5
    write_validation(folder, tmp_path / "again", None, frames=2, size=(48, 64), cache=tmp_path / "cache")
    assert np.array_equal(cv2.imread(str(tmp_path / "again/blurry/a/0001.png")), blurry)
    with pytest.raises(UserError, match="exists already"):
        write_validation(folder, out, None)


def test_command_reports_mistakes_with_exit_code_2(tmp_path, capsys):
    assert main([str(tmp_path / "none"), str(tmp_path / "out")]) == 2
    assert capsys.readouterr().err.startswith("vdeblur: ")
    assert not (tmp_path / "out").exists()
