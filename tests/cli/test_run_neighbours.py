"""`vdeblur run` with the networks that choose, and the options that steer them."""

import json
import os

import cv2
import numpy as np
import pytest

from tests.cli.conftest import frame_count, pictures, write_video


@pytest.fixture(scope="module")
def weights_of(tmp_path_factory):
    """weights_of(name): a file of random weights."""
    from safetensors.torch import save_file

    from vdeblur_fast import build

    folder, made = tmp_path_factory.mktemp("weights"), {}

    def make(name):
        if name not in made:
            made[name] = folder / f"{name}.safetensors"
            save_file(build(name).state_dict(), made[name], {"network": name})
        return made[name]

    return make


@pytest.mark.parametrize(
    "name", ["gsta-net-small", "gsta-net1", "gsta-net5", "david-small-internal", "cnn", "strcnn-dtb"]
)
@pytest.mark.parametrize(("frames", "options"), [(1, []), (3, []), (2, ["--ensemble", "2"])], ids=str)
def test_every_system_runs_on_odd_sizes(vdeblur, weights_of, tmp_path, name, frames, options):
    clip = write_video(tmp_path / "in.mkv", [image[:33, :46] for image in pictures(frames)], "ffv1")
    out, given = tmp_path / "out.mkv", ["--model", name, "--weights", weights_of(name), "--codec", "ffv1", *options]
    code, _, error = vdeblur("run", clip, out, *given)
    assert (code, error) == (0, "")
    assert frame_count(out) == frames


@pytest.mark.parametrize("name", ["gsta-net", "david", "strcnn-dtb-m2", "gsta-net5"])
def test_without_weights_one_sentence_says_so(mistake, clip, tmp_path, name):
    sentence = mistake("run", clip, tmp_path / "out.mp4", "--model", name, "--report", tmp_path / "report.json")
    assert f"no weights ship for {name}; pass a weights file" in sentence
    assert f"`python -m vdeblur_fast.training {name} --data DIR`" in sentence
    assert os.listdir(tmp_path) == ["in.mp4"]


def test_an_untrained_network_runs_where_it_is_asked_for(vdeblur, mistake, clip, weights, tmp_path):
    first, second = tmp_path / "1.mp4", tmp_path / "2.mp4"
    for out in (first, second):
        code, _, error = vdeblur("run", clip, out, "--model", "estrnn-c80b15", "--untrained")
        assert (code, error) == (0, "")
    assert frame_count(first) == 8
    assert first.read_bytes() == second.read_bytes()
    refused = mistake("run", clip, tmp_path / "3.mp4", "--untrained", "--weights", weights)
    assert "--untrained means random weights" in refused
    assert "does not turn frames into frames" in mistake(
        "run", clip, tmp_path / "3.mp4", "--untrained", "--model", "mmp-net"
    )


def test_the_report_says_who_was_chosen(vdeblur, weights_of, clip, tmp_path):
    model = ("--model", "gsta-net-small", "--weights", weights_of("gsta-net-small"))
    report = tmp_path / "report.json"
    limits = ("--frames", "2", "--lookahead", "1")
    code, _, error = vdeblur("run", clip, tmp_path / "out.mp4", *model, *limits, "--report", report)
    assert (code, error) == (0, "")
    found = json.loads(report.read_text())
    assert {key: found[key] for key in ("model", "frames", "lookahead")} == {
        "model": "gsta-net-small",
        "frames": 2,
        "lookahead": 1,
    }
    assert [image["frame"] for image in found["images"]] == list(range(8))
    for image in found["images"]:
        assert len(image["neighbours"]) <= 2
        assert all(0 <= n <= image["frame"] + 1 and n != image["frame"] for n in image["neighbours"])


def test_a_fixed_neighbourhood_is_reported_too(vdeblur, weights, clip, tmp_path):
    report = tmp_path / "report.json"
    assert vdeblur("run", clip, tmp_path / "out.mp4", "--weights", weights, "--report", report, "--end", "0.1")[0] == 0
    neighbours = {image["frame"]: image["neighbours"] for image in json.loads(report.read_text())["images"]}
    assert neighbours == {0: [1, 2], 1: [0, 2], 2: [0, 1]}


def test_reports_that_cannot_be(mistake, weights, clip, tmp_path):
    out, taken = tmp_path / "out.mp4", tmp_path / "taken.json"
    taken.write_text("precious")
    arguments = ("run", clip, out, "--weights", weights, "--report")
    assert "is the output itself" in mistake(*arguments, out)
    assert "is the input itself" in mistake(*arguments, clip, "--overwrite")
    assert "exists already; add --overwrite" in mistake(*arguments, taken)
    assert "does not exist" in mistake(*arguments, tmp_path / "nowhere" / "report.json")
    assert taken.read_text() == "precious"
    assert sorted(os.listdir(tmp_path)) == ["in.mp4", "taken.json"]


@pytest.mark.parametrize("given", ["", "%d.png"])
def test_a_report_never_takes_the_place_of_an_image(mistake, weights, tmp_path, given):
    images = tmp_path / "images"
    images.mkdir()
    for number in range(2):
        cv2.imwrite(str(images / f"{number}.png"), np.full((32, 32, 3), number, np.uint8))
    before = (images / "1.png").read_bytes()
    arguments = ("run", images / given, tmp_path / "out.mp4", "--weights", weights, "--overwrite", "--report")
    assert "is the input itself" in mistake(*arguments, images / "1.png")
    assert "--report is empty" in mistake(*arguments, "")
    assert (images / "1.png").read_bytes() == before


def test_a_failed_run_leaves_no_report(mistake, weights, clip, tmp_path):
    mistake("run", clip, tmp_path / "out.xyz", "--weights", weights, "--report", tmp_path / "report.json")
    assert os.listdir(tmp_path) == ["in.mp4"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--frames", "3"), "frames=3 cannot be had: MMPRNN always uses 2 frames before and 2 after"),
        (("--lookahead", "0"), "lookahead=0 cannot be had"),
        (("--frames", "-1"), "--frames must be a whole number from 0, got -1"),
        (("--tile", "128"), "tile=128 cannot be had: MMPRNN cannot be computed in tiles, for MMP-Net"),
        (("--tile", "0"), "--tile must be a whole number from 1, got 0"),
    ],
)
def test_what_cannot_be_chosen(mistake, weights, clip, tmp_path, arguments, sentence):
    assert sentence in mistake("run", clip, tmp_path / "out.mp4", "--weights", weights, *arguments)


def test_numbers_beyond_reach(mistake, weights_of, clip, tmp_path):
    model = ("--model", "gsta-net-small", "--weights", weights_of("gsta-net-small"))
    assert "frames must be from 0 to 24" in mistake("run", clip, tmp_path / "out.mp4", *model, "--frames", "25")
    assert "lookahead must be from 0" in mistake("run", clip, tmp_path / "out.mp4", *model, "--lookahead", "13")


def test_tiles_and_windows(vdeblur, weights_of, clip, tmp_path):
    model = ("--model", "gsta-net-small", "--weights", weights_of("gsta-net-small"))
    for number, arguments in enumerate((("--tile", "32"), ("--mode", "windows"))):
        assert vdeblur("run", clip, tmp_path / f"{number}.mp4", *model, *arguments)[0] == 0
