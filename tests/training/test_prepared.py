"""Samples made beforehand: what comes out, in which order, and that a training on them continues as if nothing had
happened."""

import json
import pickle
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.utils.data import Dataset

from tests.training.datasets import make_dataset
from tests.training.test_trainer import Killed, assert_same, kill, stop_after, weights_of
from vdeblur_fast.errors import UserError
from vdeblur_fast.training.__main__ import main as train
from vdeblur_fast.training.data import training_clips
from vdeblur_fast.training.pairs import PairedClips
from vdeblur_fast.training.prepare import main
from vdeblur_fast.training.prepared import ABOUT, PreparedClips, prepare
from vdeblur_fast.training.recipes import find

COUNT = 6


class Marked(Dataset):
    """Samples whose every pixel says where it is from: 10 n + t, y and x of 255ths."""

    def __getitem__(self, number: int) -> dict[str, torch.Tensor]:
        t, y, x = torch.meshgrid(torch.arange(5), torch.arange(32), torch.arange(32), indexing="ij")
        sharp = torch.stack([10 * number + t, y, x], 1) / 255
        magnitude = (1000 * y + x).unsqueeze(1) / 65535
        return {"blurry": 1 - sharp, "sharp": sharp, "magnitude": magnitude, "mask": (x % 2).float().unsqueeze(1)}


def places(sample: dict[str, torch.Tensor]) -> tuple[torch.Tensor, ...]:
    """(n, t, y, x), each (T, H, W), of where the pixels are from."""
    where, y, x = (255 * sample["sharp"]).round().int().unbind(1)
    return where // 10, where % 10, y, x


@pytest.fixture
def folder(tmp_path):
    prepare(Marked(), tmp_path / "made", COUNT)
    return tmp_path / "made"


def whole(folder, **options) -> PreparedClips:
    return PreparedClips(folder, **{"crop": 32, "frames": 5, **options})


def test_pairs_of_a_data_set_run_forward(tmp_path):
    clips = Marked()
    for backwards in (False, True):
        clips.backwards = backwards
        prepare(clips, tmp_path / str(backwards), COUNT)
        made = whole(tmp_path / str(backwards), frames=3)
        steps = {int(t[1, 0, 0] - t[0, 0, 0]) for _, t, _, _ in (places(made[i]) for i in range(4 * COUNT))}
        assert steps == ({-1, 1} if backwards else {1})
    assert not PairedClips.backwards


def test_nothing_of_an_interrupted_preparation_is_left(folder):
    (folder / ABOUT).unlink()

    class Pairs(Marked):
        def __getitem__(self, number):
            return {name: part for name, part in super().__getitem__(number).items() if name in ("blurry", "sharp")}

    prepare(Pairs(), folder, 2)
    assert whole(folder)[0].keys() == {"blurry", "sharp"}


@pytest.mark.parametrize("cut_off", ["blurry.npy", ABOUT])
def test_folders_that_are_cut_off_are_not_whole(folder, cut_off):
    content = (folder / cut_off).read_bytes()
    (folder / cut_off).write_bytes(content[: len(content) // 2])
    with pytest.raises(UserError, match="are not whole; copy them again"):
        whole(folder)


def test_magnitudes_are_learned_from_samples_that_have_some(folder, tmp_path):
    (folder / "magnitude.npy").unlink()
    with pytest.raises(UserError, match="do not tell how far things move, which mmp-net-tiny learns"):
        training_clips(tmp_path, replace(find("mmp-net-tiny"), crop=16), 0, [folder])


def test_all_parts_of_a_sample_are_turned_alike(folder):
    clips, seen = whole(folder), set()
    for index in range(4 * COUNT):
        sample = clips[index]
        assert all(part.dtype == torch.float32 and part.is_contiguous() for part in sample.values())
        n, t, y, x = places(sample)
        assert len(n.unique()) == 1
        torch.testing.assert_close(sample["blurry"], 1 - sample["sharp"])
        torch.testing.assert_close(sample["magnitude"][:, 0], (1000 * y + x) / 65535)
        assert torch.equal(sample["mask"][:, 0], (x % 2).float())
        assert sorted(t[:, 0, 0].tolist()) == list(range(5))
        seen.add(tuple(int(part[at]) for part in (t, y, x) for at in ((0, 0, 0), (0, 0, -1))))
    assert len(seen) > 8


def test_every_round_has_every_sample_in_another_order(folder):
    clips = whole(folder)
    rounds = [[int(places(clips[COUNT * turn + place])[0][0, 0, 0]) for place in range(COUNT)] for turn in range(3)]
    assert all(sorted(order) == list(range(COUNT)) for order in rounds)
    assert rounds[0] != rounds[1] or rounds[1] != rounds[2]


def test_items_depend_on_seed_and_number_only(folder):
    clips, again, other = whole(folder, crop=16), whole(folder, crop=16), whole(folder, crop=16, seed=1)
    first = {index: clips[index] for index in (9, 2, 9, 30)}
    for index in (30, 2, 9):
        assert_same(again[index], first[index])
        assert_same(pickle.loads(pickle.dumps(clips))[index], first[index])
    assert any(not torch.equal(other[index]["sharp"], first[index]["sharp"]) for index in first)


def test_crops_and_frames_lie_within(folder):
    clips, corners = whole(folder, crop=20, frames=3), set()
    for index in range(40):
        sample = clips[index]
        assert sample["sharp"].shape == (3, 3, 20, 20)
        spans = [(int(part.min()), int(part.max())) for part in places(sample)[1:]]
        assert [high - low for low, high in spans] == [2, 19, 19]
        corners.add(tuple(low for low, _ in spans))
    assert {0, 2} <= {start for start, *_ in corners}
    assert max(top for _, top, _ in corners) > 9
    assert len(corners) > 30


def test_samples_of_several_folders_are_taken_as_those_of_one(folder, tmp_path):
    class Shifted(Marked):
        def __getitem__(self, number):
            return super().__getitem__(number + COUNT)

    prepare(Shifted(), tmp_path / "more", 3)
    clips, count = PreparedClips([folder, tmp_path / "more"], crop=32, frames=5), COUNT + 3
    rounds = [[int(places(clips[count * turn + place])[0][0, 0, 0]) for place in range(count)] for turn in range(2)]
    assert all(sorted(order) == list(range(count)) for order in rounds)


def test_folders_of_other_parts_are_not_taken_together(folder, tmp_path):
    class Unmasked(Marked):
        def __getitem__(self, number):
            return {name: part for name, part in super().__getitem__(number).items() if name in ("blurry", "sharp")}

    prepare(Unmasked(), tmp_path / "pairs", 2)
    with pytest.raises(UserError, match=r"pairs have blurry, sharp and those of .* have .*, magnitude, mask"):
        PreparedClips([folder, tmp_path / "pairs"], crop=32, frames=5)


def test_a_training_that_was_killed_goes_on_as_if_nothing_had_happened(make_trainer, folder):
    def trainer(name):
        made = make_trainer(run={"out": folder.parent / name, "checkpoint_seconds": 0.0})
        made.dataset = PreparedClips(folder, crop=16, frames=4, length=24)
        return made

    undisturbed = trainer("undisturbed")
    assert undisturbed.fit()
    killed = trainer("killed")
    stop_after(killed, 4, kill)
    with pytest.raises(Killed):
        killed.fit()
    resumed = trainer("killed")
    resumed.resume(resumed.checkpoint)
    assert 0 < resumed.step < 6
    assert resumed.fit()
    assert_same(weights_of(resumed), weights_of(undisturbed))


def test_the_commands_prepare_and_train(pictures, tmp_path, capsys):
    made = tmp_path / "made"
    options = ["--data", str(pictures), "--out", str(made), "--samples", "3", "--crop", "48", "--workers", "0"]
    assert main(["estrnn-c70b7", *options]) == 0
    about = json.loads((made / ABOUT).read_text())
    assert about == {
        "samples": 3, "backwards": True, "recipe": "estrnn-c70b7", "data": "data", "seed": 0, "set": []
    }  # fmt: skip
    options = ["--data", str(pictures), "--prepared", str(made), "--out", str(tmp_path / "out"), "--device", "cpu"]
    options += ["--smoke", "--frames", "3", "--quiet", "--workers", "0", "--val-clips", "0"]
    assert train(["cnn", *options]) == 0
    assert train(["cnn", *options, "--crop", "64"]) == 2
    assert "too little for --frames 3 --crop 64" in capsys.readouterr().err
    assert main(["estrnn-c70b7", "--data", str(pictures), "--out", str(made)]) == 2
    assert "holds prepared samples already" in capsys.readouterr().err
    assert main(["estrnn-c70b7", "--data", str(tmp_path / "none"), "--out", str(tmp_path / "other")]) == 2
    assert not (tmp_path / "other").exists()


def test_prepared_samples_follow_the_settings(pictures, tmp_path, capsys):
    def made(name: str, *settings: str) -> np.ndarray:
        out = tmp_path / name
        options = ["--data", str(pictures), "--out", str(out), "--samples", "2", "--crop", "48", "--workers", "0"]
        assert main(["cnn", *options, *settings]) == 0
        return np.load(out / "blurry.npy")

    plain, short = made("plain"), made("short", "--set", "frames=3")
    assert short.shape == (2, 3, 48, 48, 3)
    assert plain.shape[1] != 3
    assert not np.array_equal(plain, made("varied", "--set", "varied=true"))
    assert main(["cnn", "--data", str(pictures), "--out", str(tmp_path / "x"), "--set", "nothing=1"]) == 2
    assert "--set nothing=1 is not a setting" in capsys.readouterr().err


def test_pairs_are_prepared_without_magnitude(tmp_path):
    options = ["--data", str(make_dataset(tmp_path, "BSD", frames=8)), "--out", str(tmp_path / "made")]
    assert main(["estrnn-c70b7", *options, "--samples", "2", "--crop", "24", "--workers", "0"]) == 0
    assert PreparedClips(tmp_path / "made", 16, 5)[1].keys() == {"blurry", "sharp"}


def test_folders_that_do_not_fit_get_one_sentence(folder, monkeypatch):
    with pytest.raises(UserError, match=r"have 5 frames of 32x32, too little for --frames 5 --crop 48"):
        whole(folder, crop=48)
    with pytest.raises(UserError, match="too little for --frames 6"):
        whole(folder, frames=6)
    with pytest.raises(IndexError, match="index 3 is outside"):
        whole(folder, length=3)[3]
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 1000}))
    with pytest.raises(UserError, match=r"samples take .* GB and"):
        prepare(Marked(), folder.parent / "full", 5)
    (folder / ABOUT).unlink()
    with pytest.raises(UserError, match="holds no prepared samples"):
        whole(folder)
