"""`vdeblur evaluate --dataset`: the test part, the papers' way of counting, and their row beside ours."""

import json
import shutil

import cv2
import numpy as np
import pytest
from skimage.metrics import peak_signal_noise_ratio

from tests.training.datasets import make_dataset
from vdeblur_fast.cli.datasets import PRINTED, border_of
from vdeblur_fast.reference.networks import networks


@pytest.fixture
def report(vdeblur, weights):
    def evaluated(folder, *options) -> dict:
        code, out, error = vdeblur("evaluate", "--dataset", folder, "--weights", weights, "--json", *options)
        assert (code, error) == (0, "")
        return json.loads(out)

    return evaluated


def psnr(scene, blurry, sharp, number) -> float:
    pair = [cv2.imread(str(next((scene / kind).glob(f"*{number}.*")))) for kind in (sharp, blurry)]
    return peak_signal_noise_ratio(*pair, data_range=255)


@pytest.mark.parametrize("name", ["GOPRO_Large", "BSD"])
def test_every_frame_counts_the_same_but_for_two_at_each_end(report, tmp_path, name):
    folder = make_dataset(tmp_path, name, frames=7)
    scenes = sorted((folder / "test").iterdir())
    blurry, sharp = ("blur_gamma", "sharp") if name == "GOPRO_Large" else ("Blur/RGB", "Sharp/RGB")
    for kind in (blurry, sharp):
        (scenes[0] / kind / "00006.png").unlink()  # scenes of unequal length
    numbers = [range(2, 4), *(range(2, 5) for _ in scenes[1:])]
    found = report(folder)
    assert [(clip["name"], clip["frames"]) for clip in found["clips"]] == [
        (scene.name, len(counted)) for scene, counted in zip(scenes, numbers, strict=True)
    ]
    each = [psnr(scene, blurry, sharp, n) for scene, counted in zip(scenes, numbers, strict=True) for n in counted]
    assert found["mean"]["psnr_before"] == pytest.approx(np.mean(each), abs=2e-3)
    assert found["row"]["dataset"] == ("GOPRO_Large" if name == "GOPRO_Large" else "BSD 2ms16ms")


def test_of_dvd_every_clip_counts_the_same(report, tmp_path):
    folder = make_dataset(tmp_path, "DVD", frames=6)
    scene = folder / "quantitative_datasets" / "IMG_0003"
    for kind in ("input", "GT"):
        (scene / kind / "00005.jpg").unlink()
    found = report(folder)
    clips = [clip["psnr_before"] for clip in found["clips"]]
    assert [clip["frames"] for clip in found["clips"]] == [2, 1]
    assert found["mean"]["psnr_before"] == pytest.approx(np.mean(clips), abs=1e-3)
    assert report(folder, "--border", 0)["mean"]["frames"] == 11


@pytest.mark.parametrize(
    ("network", "border"), [("mmp-rnn-tiny", 2), ("estrnn-c70b7", 2), ("david", 0), ("gsta-net", 0)]
)
def test_of_which_networks_the_ends_do_not_count(network, border):
    assert border_of(network) == border


def test_the_papers_row_stands_beside(vdeblur, tmp_path):
    folder = make_dataset(tmp_path, "GOPRO_Large", frames=5)
    from safetensors.torch import save_file

    from vdeblur_fast import build

    save_file(build("strcnn-dtb").state_dict(), tmp_path / "w.safetensors")
    options = ["--dataset", folder, "--model", "strcnn-dtb", "--weights", tmp_path / "w.safetensors"]
    code, out, _ = vdeblur("evaluate", *options)
    assert code == 0
    head, ours, paper = (line.split() for line in out.splitlines()[-3:])
    assert head == ["GOPRO_Large", "PSNR", "SSIM", "GMACs", "params,", "M"]
    assert ours[0] == "strcnn-dtb"
    assert float(ours[4]) == pytest.approx(0.92, abs=0.02)
    assert paper == ["the", "paper", "26.82", "0.8245", "-", "-"]


def test_printed_rows_are_of_networks_there_are():
    assert {name for rows in PRINTED.values() for name in rows} <= set(networks())


def test_folders_that_are_no_data_set(mistake, tmp_path):
    (tmp_path / "empty").mkdir()
    assert "laid out as none of GOPRO_Large, DVD and BSD" in mistake("evaluate", "--dataset", tmp_path / "empty")
    assert "nope is no folder; give the one that" in mistake("evaluate", "--dataset", tmp_path / "nope")
    folder = make_dataset(tmp_path, "GOPRO_Large")
    assert "leave out --blurry" in mistake("evaluate", "--dataset", folder, "--blurry", folder)
    assert mistake("evaluate").startswith("give --blurry and --sharp, or --dataset")
    shutil.rmtree(folder / "test")
    assert "GOPRO_Large without its test part" in mistake("evaluate", "--dataset", folder)
    high_speed = make_dataset(tmp_path, "GOPRO_Large_all")
    assert "sharp frames alone" in mistake("evaluate", "--dataset", high_speed)


def test_clips_too_short_to_count(mistake, tmp_path, weights):
    folder = make_dataset(tmp_path, "BSD", frames=4)
    assert "has 4 frames, of which 2 at each end do not count" in mistake(
        "evaluate", "--dataset", folder, "--weights", weights, "--quiet"
    )


def test_half_of_a_pair_is_told_in_a_sentence(vdeblur):
    assert vdeblur("evaluate", "--blurry", "a") == (2, "", "vdeblur: give --blurry and --sharp, or --dataset\n")
