import os
from fractions import Fraction

import av
import numpy as np
import pytest

from tests.cli.conftest import frame_count, pictures, read_images, write_video


@pytest.fixture
def sharp(tmp_path):
    return write_video(tmp_path / "sharp.mkv", pictures(24), "ffv1")


def times(path) -> list[Fraction]:
    with av.open(str(path)) as container:
        return [frame.pts * frame.time_base for frame in container.decode(video=0)]


def test_averaging_gives_one_frame_for_every_period(vdeblur, sharp, tmp_path):
    blurry, truth = tmp_path / "blurry.mkv", tmp_path / "truth.mkv"
    arguments = ["--frames", "7", "--period", "8", "--sharp-out", truth, "--codec", "ffv1"]
    code, out, error = vdeblur("synthesize", sharp, blurry, *arguments)
    assert (code, error) == (0, "")
    assert out.startswith("3 frames in ")
    assert out.endswith(f"-> {blurry} and {truth}\n")
    assert times(blurry) == times(truth) == [Fraction(8 * n, 25) for n in range(3)]
    source = np.float32(read_images(sharp))
    for n, (soft, kept) in enumerate(zip(read_images(blurry), read_images(truth), strict=True)):
        assert np.abs(kept - source[8 * n + 3]).max() <= 4
        assert np.abs(soft - source[8 * n + 3]).mean() > 5


def test_shaking_keeps_every_frame(vdeblur, sharp, tmp_path):
    arguments = ["--mode", "shake", "--blur", "6", "--codec", "ffv1"]
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        code, *_ = vdeblur("synthesize", sharp, tmp_path / f"{name}.mkv", *arguments, "--seed", seed)
        assert code == 0
    assert times(tmp_path / "a.mkv") == times(sharp)
    a, b, c = (np.float32(read_images(tmp_path / f"{name}.mkv")) for name in "abc")
    assert np.array_equal(a, b)
    assert np.abs(a - c).mean() > 1


def test_a_pair_can_be_evaluated(vdeblur, sharp, tmp_path, weights):
    blurry, truth = f"{tmp_path}/blurry/", f"{tmp_path}/truth/"
    assert vdeblur("synthesize", sharp, blurry, "--sharp-out", truth, "--frames", "8", "--quiet") == (
        0,
        "",
        "",
    )
    code, out, _ = vdeblur("evaluate", "--blurry", blurry, "--sharp", truth, "--weights", weights)
    assert code == 0
    assert out.splitlines()[2].split()[:2] == ["blurry", "3"]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--frames", "30"), "has no scene of 30 frames to average; use fewer --frames"),
        (("--frames", "0"), "--frames must be a whole number from 1, got 0"),
        (("--period", "5"), "period must be at least the window of 11 frames, got 5"),
        (("--duty", "1.5"), "--duty must be a number from 0.01 to 1, got 1.5"),
        (("--blur", "nan"), "--blur must be a number from 0 to 1000, got nan"),
        (("--seed", "-1"), "--seed must be a whole number from 0, got -1"),
        (("--sharp-out", "{blurry}"), "give them two names"),
        (("--sharp-out", "{sharp}"), "is the input itself"),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_mistakes_leave_nothing(mistake, sharp, tmp_path, options, sentence):
    blurry = tmp_path / "out.mkv"
    options = [option.format(blurry=blurry, sharp=sharp) for option in options]
    assert sentence in mistake("synthesize", sharp, blurry, *options)
    assert os.listdir(tmp_path) == ["sharp.mkv"]


def test_an_existing_output_stays(mistake, sharp, tmp_path):
    (tmp_path / "out.mkv").write_bytes(b"precious")
    assert "exists already" in mistake("synthesize", sharp, tmp_path / "new.mkv", "--sharp-out", tmp_path / "out.mkv")
    assert (tmp_path / "out.mkv").read_bytes() == b"precious"
    assert not (tmp_path / "new.mkv").exists()
    assert frame_count(sharp) == 24
