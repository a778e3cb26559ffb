"""Packing a folder of sharp stills and clips: it becomes small, and is read as before."""

import cv2
import numpy as np
import pytest
from skimage import data

from tests.training.datasets import make_dataset
from tests.training.test_synthesis_dataset import write_clip
from vdeblur_fast.errors import UserError
from vdeblur_fast.training.pack import MIB, main, pack, share_of, shrunk_clip
from vdeblur_fast.training.synthesis import SynthesisDataset
from vdeblur_fast.training.synthesis.archive import decode
from vdeblur_fast.training.synthesis.sources import find_sources, read_still


def size_of(folder) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file() and path.suffix != ".csv")


@pytest.fixture
def folder(tmp_path):
    """Three stills, two of one name, and two clips, in train and val."""
    for place, picture in {
        "train/a.png": data.astronaut(),
        "train/b/a.png": data.coffee(),
        "val/c.png": data.chelsea(),
    }.items():
        path = tmp_path / "data" / place
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), picture[..., ::-1])
    write_clip(tmp_path / "data" / "train" / "pan.mp4", frames=60, size=(240, 320))
    write_clip(tmp_path / "data" / "val" / "pan.mp4", frames=12)
    return tmp_path / "data"


@pytest.mark.parametrize("mib", [0.3, 0.8, 40])
def test_a_pack_has_everything_and_fits(folder, tmp_path, mib):
    taken = pack(folder, tmp_path / "out", mib)
    assert taken == size_of(tmp_path / "out") <= mib * MIB
    for split, (stills, clips) in {"train": (2, 1), "val": (1, 1)}.items():
        found, before = find_sources(tmp_path / "out", split), find_sources(folder, split)
        assert (len(found.stills), len(found.clips)) == (stills, clips)
        for packed, original in zip(found.stills, before.stills, strict=True):
            picture, truth = read_still(packed), read_still(original)
            small = cv2.resize(truth, picture.shape[1::-1], interpolation=cv2.INTER_AREA)
            assert np.abs(picture.astype(int) - small).mean() < 5
            assert (picture.shape == truth.shape) or mib < 1
    if mib == 40:
        assert taken == size_of(folder)  # what fits is copied
    frames = list(decode(find_sources(tmp_path / "out", "train").clips[0]))
    assert 20 <= len(frames) <= 60
    made = SynthesisDataset(tmp_path / "out", "train", 2, 32, cache=tmp_path / "cache", clip_share=0.5)
    assert made[0]["sharp"].shape == made[1]["sharp"].shape == (2, 3, 32, 32)


def test_narrow_clips_are_cut_short_rather_than_made_tiny(tmp_path):
    write_clip(tmp_path / "pan.mp4", frames=100, size=(200, 240))
    whole = shrunk_clip(tmp_path / "pan.mp4", 1e9)
    (tmp_path / "cut.mp4").write_bytes(shrunk_clip(tmp_path / "pan.mp4", 0.7 * len(whole)))
    frames = list(decode(tmp_path / "cut.mp4"))
    assert frames[0].shape == (200, 240, 3)
    assert 20 <= len(frames) < 100


def test_what_small_files_leave_is_the_others():
    assert share_of([10, 10, 10], 30) == float("inf")
    assert share_of([100, 5, 100], 45) == 20
    assert share_of([100, 30, 100], 60) == 20
    assert share_of([], 60) == float("inf")


def test_packing_again_gives_the_same_bytes(folder, tmp_path):
    for name in ("one", "two"):
        pack(folder, tmp_path / name, 0.5)
    files = [{path.relative_to(tmp_path / name): path.read_bytes() for path in (tmp_path / name).rglob("*.*")
              if path.is_file()} for name in ("one", "two")]  # fmt: skip
    assert files[0] == files[1]


def test_the_command(folder, tmp_path, capsys):
    assert main([str(folder), str(tmp_path / "out"), "--size", "0.5"]) == 0
    assert "MiB" in capsys.readouterr().out
    for arguments, sentence in {
        (str(folder), str(tmp_path / "out")): "exists already",
        (str(folder), str(tmp_path / "tiny"), "--size", "0.001"): "give more --size",
        (str(tmp_path / "none"), str(tmp_path / "x")): "is not a folder",
        (str(make_dataset(tmp_path, "BSD")), str(tmp_path / "x")): "only folders of sharp stills and clips",
    }.items():
        assert main(list(arguments)) == 2
        assert sentence in capsys.readouterr().err
    assert not (tmp_path / "tiny").exists()
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_an_empty_folder(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="holds no clips or stills"):
        pack(tmp_path / "empty", tmp_path / "out", 1)
