import json

import cv2
import numpy as np
import pytest
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from tests.cli.conftest import pictures, read_images, write_video
from vdeblur_fast.cli.evaluate import Score, median_gain
from vdeblur_fast.cli.quality import BEST_PSNR, Quality


def softened(images: list[np.ndarray]) -> list[np.ndarray]:
    """A little less contrast."""
    return [(16 + 0.85 * image).astype(np.uint8) for image in images]


@pytest.fixture
def pair(tmp_path):
    """(blurry, sharp) lossless videos."""
    sharp = write_video(tmp_path / "sharp.mkv", pictures(), "ffv1")
    return write_video(tmp_path / "soft.mkv", softened(pictures()), "ffv1"), sharp


@pytest.fixture
def evaluate(vdeblur, weights):
    """`vdeblur evaluate --json` with weights that change nothing -> the report."""

    def evaluated(blurry, sharp, *options) -> dict:
        arguments = ["--blurry", blurry, "--sharp", sharp, "--weights", weights, "--json", *options]
        code, out, error = vdeblur("evaluate", *arguments)
        assert (code, error) == (0, "")
        return json.loads(out)

    return evaluated


def test_psnr_and_ssim_are_those_of_scikit_image(evaluate, pair):
    report = evaluate(*pair)
    [clip] = report["clips"]
    assert (clip["name"], clip["frames"]) == ("soft", 8)
    images = list(zip(read_images(pair[1]), read_images(pair[0]), strict=True))
    psnr = np.mean([peak_signal_noise_ratio(truth, image, data_range=255) for truth, image in images])
    options = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "channel_axis": -1}
    ssim = np.mean([structural_similarity(*both, data_range=255, **options) for both in images])
    assert clip["psnr_before"] == pytest.approx(psnr, abs=0.3)  # the reader's colours are finer than swscale's
    assert clip["ssim_before"] == pytest.approx(ssim, abs=0.01)


def test_a_network_that_changes_nothing_gains_nothing(evaluate, pair):
    report = evaluate(*pair)
    assert report["mean"]["psnr_gain"] == pytest.approx(0, abs=0.05)
    assert report["model"] == "mmp-rnn-tiny"


def test_the_mean_and_the_median_are_those_of_the_clips(evaluate, vdeblur, weights, tmp_path):
    for kind, change in (("blurry", softened), ("sharp", list)):
        (tmp_path / kind).mkdir()
        for number, frames in enumerate((2, 5, 1)):
            write_video(tmp_path / kind / f"{number}.mkv", change(pictures(frames, seed=number)), "ffv1")
    report = evaluate(tmp_path / "blurry", tmp_path / "sharp")
    clips, mean = report["clips"], report["mean"]
    assert [clip["frames"] for clip in clips] == [2, 5, 1]
    for key in ("psnr_before", "psnr_after", "ssim_before", "ssim_after"):
        assert mean[key] == pytest.approx(sum(clip[key] for clip in clips) / 3, abs=1e-4)
    assert report["median_gain"] == pytest.approx(sorted(clip["psnr_gain"] for clip in clips)[1], abs=1e-4)
    folders = ["--blurry", tmp_path / "blurry", "--sharp", tmp_path / "sharp"]
    last = vdeblur("evaluate", *folders, "--weights", weights, "--quiet")[1].splitlines()[-1]
    assert last == f"median gain {report['median_gain']:+.2f} dB"


def test_one_clip_does_not_decide_the_median():
    before = Quality(30, 0.8)
    scores = [Score("clip", 1, before, Quality(30 + gain, 0.8)) for gain in (1, -20, 2, 1.5)]
    assert median_gain(scores) == pytest.approx(1.25)


def test_a_clip_made_worse_is_marked(vdeblur, pair, tmp_path):
    from safetensors.torch import save_file

    from vdeblur_fast import build

    save_file(build("mmp-rnn-tiny").state_dict(), tmp_path / "random.safetensors")
    options = ["--blurry", *pair[:1], "--sharp", pair[1], "--weights", tmp_path / "random.safetensors"]
    code, out, _ = vdeblur("evaluate", *options)
    assert code == 0
    assert out.count("worse than its input") == 2  # the clip and the mean
    report = json.loads(vdeblur("evaluate", *options, "--json")[1])
    assert report["clips"][0]["worse"] is True
    assert report["clips"][0]["psnr_gain"] < 0
    report = json.loads(vdeblur("evaluate", *options, "--json", "--strength", "0")[1])
    assert report["clips"][0]["worse"] is False


def test_identical_clips(evaluate, pair):
    report = evaluate(pair[1], pair[1])
    assert report["mean"]["psnr_before"] == BEST_PSNR
    assert report["mean"]["ssim_before"] == 1


def test_the_table(vdeblur, pair, weights):
    code, out, _ = vdeblur("evaluate", "--blurry", pair[0], "--sharp", pair[1], "--weights", weights)
    lines = out.splitlines()
    assert code == 0
    assert [line.split()[:2] for line in lines[2:]] == [["soft", "8"], ["mean", "8"]]
    assert len(set(map(len, lines[1:]))) == 1


def test_a_video_against_a_folder_of_images(evaluate, vdeblur, pair, weights, tmp_path):
    assert vdeblur("run", pair[1], f"{tmp_path}/images/", "--weights", weights, "--quiet")[0] == 0
    assert evaluate(pair[0], tmp_path / "images")["clips"][0]["frames"] == 8


@pytest.fixture
def folders(tmp_path):
    """Two folders of the same four images."""
    for name in ("soft", "hard"):
        (tmp_path / name).mkdir()
        for index, image in enumerate(pictures(4)):
            assert cv2.imwrite(str(tmp_path / name / f"{index}.png"), image)
    return tmp_path / "soft", tmp_path / "hard"


def test_frames_are_never_compared_with_others(vdeblur, mistake, folders, weights, tmp_path):
    soft, hard = folders

    def answer(blurry, sharp) -> str:
        return mistake("evaluate", "--blurry", blurry, "--sharp", sharp, "--weights", weights, "--quiet")

    (soft / "1.png").write_bytes(b"damaged")
    (hard / "3.png").write_bytes(b"damaged")
    assert f"an image of {soft} before 2.png cannot be read, so it has no partner; replace it, or" in answer(soft, hard)
    assert f"an image of {soft} before 2.png cannot be read" in answer(hard, soft)
    video = write_video(tmp_path / "hard.mkv", pictures(3), "ffv1")
    assert f"an image of {soft} before 2.png cannot be read" in answer(soft, video)
    (hard / "1.png").write_bytes(b"damaged")
    (hard / "3.png").write_bytes((soft / "3.png").read_bytes())
    code, out, _ = vdeblur(
        "evaluate", "--blurry", soft, "--sharp", hard, "--weights", weights, "--json", "--strength", 0
    )
    assert code == 0
    [clip] = json.loads(out)["clips"]
    assert (clip["frames"], clip["psnr_after"]) == (3, BEST_PSNR)


def test_images_are_matched_by_their_names(evaluate, mistake, folders, weights):
    soft, hard = folders
    for index in range(4):
        (hard / f"{index}.png").rename(hard / f"sharp{index}.png")  # no name in common: by their order
    assert evaluate(soft, hard)["mean"]["psnr_before"] == BEST_PSNR
    for index in range(4):
        (hard / f"sharp{index}.png").rename(hard / f"{index + 1}.png")
    answer = mistake("evaluate", "--blurry", soft, "--sharp", hard, "--weights", weights)
    assert f"{soft} has 0.png where {hard} has 1.png; images are matched by name, so name them alike" in answer
    (soft / "0.png").unlink()
    assert f"{soft} has nothing where {hard} has 4.png" in mistake(
        "evaluate", "--blurry", soft, "--sharp", hard, "--weights", weights
    )


@pytest.mark.parametrize("option", ["--blurry", "--sharp", "--dataset"])
def test_a_path_that_is_empty(mistake, option):
    """What a shell makes of a variable that is not set is not the folder one is in."""
    assert mistake("evaluate", option, "") == f"{option} is empty; name a video file or a folder"


def test_pairs_that_do_not_fit(mistake, pair, weights, tmp_path):
    def answer(blurry, sharp) -> str:
        return mistake("evaluate", "--blurry", blurry, "--sharp", sharp, "--weights", weights)

    short = write_video(tmp_path / "short.mkv", pictures(5), "ffv1")
    assert "short.mkv has 5 frames but " in answer(pair[0], short)
    assert "short.mkv has 5 frames but " in answer(short, pair[1])
    wide = write_video(tmp_path / "wide.mkv", pictures(8, (80, 48)), "ffv1")
    assert "wide.mkv is 80x48; both must have the same size" in answer(pair[0], wide)
    assert "does not exist" in answer(pair[0], tmp_path / "none.mkv")
    tiny = write_video(tmp_path / "tiny.mkv", pictures(2, (16, 8)), "ffv1")
    assert "at least 11x11 pixels, got 16x8" in answer(tiny, tiny)
