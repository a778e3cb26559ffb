"""`vdeblur inspect`: pictures of what a network sees, and a page of them."""

import os
import re

import cv2
import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from tests.cli.conftest import pictures, write_video
from vdeblur_fast import build


@pytest.fixture
def random_weights(tmp_path_factory):
    def make(name):
        path = tmp_path_factory.mktemp("weights") / f"{name}.safetensors"
        torch.manual_seed(0)
        network = build(name)
        if name == "gsta-net-small":  # which, untrained, picks neighbours or none
            network.selector.decide.bias.data.fill_(5)
        save_file(network.state_dict(), path, {"network": name})
        return path

    return make


EXPECTED = {
    "gsta-net-small": ("blur-mask-1", "place1-heard-1", "place1-from-1", "place2-spatial-8", "place3-pixel-8"),
    "david-small-internal": ("internal-1-4",),
    "strcnn-dtb": ("blending-1", "blending-2"),
    "mmp-rnn-tiny": ("magnitude",),
    "cnn": ("after",),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_pictures_and_a_page_of_them(vdeblur, random_weights, tmp_path, name):
    clip = write_video(tmp_path / "in.mkv", [image[:33, :46] for image in pictures(4)], "ffv1")
    out = tmp_path / "out"
    model = ("--model", name, "--weights", random_weights(name))
    code, printed, error = vdeblur("inspect", clip, out, *model, "--show", 2, "--every", 2, "--precision", "fp32")
    assert code == 0
    assert ("only before and after" in error) == (name == "cnn")
    assert printed.startswith("2 frames, ")
    files = {path.name for path in out.iterdir()}
    assert {f"{frame:06d}-{what}.png" for frame in (0, 2) for what in ("before", "after")} <= files
    assert {f"000002-{what}.png" for what in EXPECTED[name]} <= files
    assert {cv2.imread(str(path)).shape for path in out.glob("*.png")} == {(33, 46, 3)}
    page = (out / "index.html").read_text()
    assert set(re.findall(r'href="([^"]+)"', page)) == files - {"index.html"}
    assert not re.search(r'src="(?!data:)', page)
    assert sorted(os.listdir(tmp_path)) == ["in.mkv", "out"]


def test_a_folder_that_exists_is_replaced_only_when_asked(vdeblur, mistake, weights, clip, tmp_path):
    out = tmp_path / "out"
    arguments = ("inspect", clip, out, "--weights", weights, "--show", 1, "--quiet")
    assert vdeblur(*arguments) == (0, "", "")
    assert "exists already; add --overwrite" in mistake(*arguments)
    (out / "000000-after.png").rename(out / "000009-old.png")
    assert vdeblur(*arguments, "--overwrite")[0] == 0
    assert not (out / "000009-old.png").exists()
    (out / "precious.png").write_bytes(cv2.imencode(".png", np.zeros((8, 8, 3), np.uint8))[1].tobytes())
    assert "holds other things than this command writes (precious.png)" in mistake(*arguments, "--overwrite")
    assert (out / "precious.png").exists()


def test_a_folder_of_somebody_else_is_not_replaced(vdeblur, mistake, weights, clip, tmp_path):
    def refusal(name):
        return mistake("inspect", clip, tmp_path / name, "--weights", weights, "--show", 1, "--overwrite")

    for name, text in (("mine", ""), ("site", "<!doctype html><title>What I see in holiday.mp4</title>")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "holiday0.png").write_bytes(cv2.imencode(".png", np.zeros((8, 8), np.uint8))[1].tobytes())
        if text:
            (tmp_path / name / "index.html").write_text(text)
        assert "holds other things than this command writes (holiday0.png)" in refusal(name)
        assert (tmp_path / name / "holiday0.png").exists()
    assert vdeblur("run", clip, f"{tmp_path}/frames/", "--weights", weights, "--quiet")[0] == 0
    assert "holds other things than this command writes (000000.png)" in refusal("frames")
    assert len(os.listdir(tmp_path / "frames")) == 8


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--model", "gsta-net"), "no weights ship for gsta-net; pass a weights file"),
        (("--model", "gsta-nett"), "unknown model 'gsta-nett'; did you mean gsta-net"),
        (("--model", "mmp-net"), "does not turn frames into frames"),
        (("--show", "0"), "--show must be a whole number from 1, got 0"),
        (("--at", "middle"), "--at must be the column and the row of a pixel"),
        (("--at", "64,0"), "--at 64,0 is outside of the frames of 64x48"),
        (("--at", "3,4"), "has no attention of pixels to pixels; leave --at out"),
        (("--frames", "3"), "frames=3 cannot be had"),
        (("--start", "99"), "no frame"),
        (("--device", "cuda:77"), "'cuda:77' was asked for"),
    ],
)
def test_mistakes_are_one_sentence_and_leave_nothing(mistake, weights, clip, tmp_path, arguments, sentence):
    own = () if "--model" in arguments else ("--weights", weights)
    assert sentence in mistake("inspect", clip, tmp_path / "out", *own, *arguments)
    assert os.listdir(tmp_path) == ["in.mp4"]


def test_a_failure_half_way_leaves_nothing(vdeblur, weights, clip, tmp_path, monkeypatch):
    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("vdeblur_fast.inspection.album.Album.finish", fail)
    code, _, error = vdeblur("inspect", clip, tmp_path / "out", "--weights", weights, "--show", 1)
    assert code == 2
    assert "the disk is full" in error
    assert os.listdir(tmp_path) == ["in.mp4"]
