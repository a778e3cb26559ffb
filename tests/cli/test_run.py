import os
import resource
from pathlib import Path

import av
import numpy as np
import pytest
import torch

from tests.cli.conftest import frame_count, pictures, read_images, write_video
from vdeblur_fast import Deblurrer
from vdeblur_fast.cli import run


@pytest.fixture
def out(tmp_path) -> Path:
    folder = tmp_path / "out"
    folder.mkdir()
    return folder / "out.mp4"


@pytest.fixture
def sharpen(vdeblur, weights):
    """`vdeblur run` with weights that change nothing -> (stdout, stderr); it must succeed."""

    def sharpened(*arguments) -> tuple[str, str]:
        code, out, error = vdeblur("run", *arguments, "--weights", weights)
        assert code == 0, error
        return out, error

    return sharpened


@pytest.fixture
def refused(mistake, weights):
    """The sentence with which `vdeblur run` with good weights answers."""
    return lambda *arguments: mistake("run", *arguments, "--weights", weights)


def test_every_frame_comes_back_and_one_line_says_so(sharpen, clip, out):
    printed, error = sharpen(clip, out)
    assert printed.startswith("8 frames in ")
    assert "frames/s" in printed
    assert printed.endswith(f"-> {out}\n")
    assert error == ""
    assert frame_count(out) == 8
    assert os.listdir(out.parent) == ["out.mp4"]
    for before, after in zip(read_images(clip), read_images(out), strict=True):
        assert np.abs(before.astype(int) - after).mean() < 3


def test_quiet_prints_nothing(sharpen, clip, out):
    assert sharpen(clip, out, "--quiet") == ("", "")
    assert out.exists()


@pytest.mark.parametrize(("compare", "size"), [("side", (128, 48)), ("split", (64, 48))])
def test_before_and_after(sharpen, clip, out, compare, size):
    sharpen(clip, out, "--compare", compare)
    with av.open(str(out)) as container:
        assert (container.streams.video[0].width, container.streams.video[0].height) == size
    assert frame_count(out) == 8


def test_a_part_of_the_video(sharpen, clip, out):
    sharpen(clip, out, "--start", "0.08", "--end", "00:00:00.24")
    assert frame_count(out) == 4


def test_strength_zero_gives_the_source(sharpen, vdeblur, clip, tmp_path):
    from safetensors.torch import save_file

    from vdeblur_fast import build

    save_file(build("mmp-rnn-tiny").state_dict(), tmp_path / "random.safetensors")
    arguments = ["--weights", tmp_path / "random.safetensors", "--codec", "ffv1", "--strength"]
    for strength in "01":
        assert vdeblur("run", clip, tmp_path / f"{strength}.mkv", *arguments, strength)[0] == 0
    sharpen(clip, tmp_path / "same.mkv", "--codec", "ffv1")
    source, full, same = (read_images(tmp_path / f"{name}.mkv") for name in ("0", "1", "same"))
    assert np.abs(np.int32(source) - np.int32(same)).max() <= 1
    assert np.abs(np.int32(source) - np.int32(full)).mean() > 20


def test_windows_and_no_scene_cuts(sharpen, clip, out, monkeypatch):
    asked = {}
    monkeypatch.setattr(
        "vdeblur_fast.engine.Deblurrer", lambda *names, **options: asked.update(options) or Deblurrer(*names)
    )
    sharpen(clip, out, "--mode", "windows", "--no-scene-cuts", "--device", "cpu", "--precision", "fp32")
    wanted = {"mode": "windows", "scene_cuts": False, "device": "cpu", "precision": "fp32", "strength": 1.0}
    assert asked.items() >= wanted.items()


def test_threads(sharpen, clip, out, monkeypatch):
    asked = []
    monkeypatch.setattr(torch, "set_num_threads", asked.append)
    sharpen(clip, out, "--threads", "3")
    assert asked == [3]


def test_images_in_a_folder(sharpen, clip, tmp_path):
    sharpen(clip, f"{tmp_path}/frames/")
    assert len(list((tmp_path / "frames").glob("*.png"))) == 8
    sharpen(tmp_path / "frames", f"{tmp_path}/again/", "--end", "0.1")
    assert len(list((tmp_path / "again").glob("*.png"))) == 3


def test_codec_and_its_options(sharpen, clip, tmp_path):
    sizes = []
    for crf in (5, 45):
        path = tmp_path / f"{crf}.mkv"
        sharpen(clip, path, "--codec", "hevc", "--crf", crf, "--preset", "ultrafast")
        with av.open(str(path)) as container:
            assert container.streams.video[0].codec.canonical_name == "hevc"
        sizes.append(path.stat().st_size)
    assert sizes[0] > sizes[1] + 1000


def test_a_truncated_file_gives_what_decodes(sharpen, tmp_path, out):
    whole = write_video(tmp_path / "whole.mkv", pictures(40))
    cut = tmp_path / "cut.mkv"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size * 2 // 3])
    _, error = sharpen(cut, out, "--quiet")
    frames = frame_count(out)
    assert 10 < frames < 40
    assert error == f"vdeblur: cut.mkv is damaged: {frames} of about 40 frames could be decoded\n"


def test_files_that_are_no_videos(refused, tmp_path, out):
    assert "does not exist" in refused(tmp_path / "nowhere.mp4", out)
    (tmp_path / "text.mp4").write_text("not a video, but a text that is long enough to look at\n" * 20)
    assert "is not a video that can be read" in refused(tmp_path / "text.mp4", out)
    (tmp_path / "empty.mp4").touch()
    assert "is empty (0 bytes)" in refused(tmp_path / "empty.mp4", out)
    (tmp_path / "folder").mkdir()
    assert "has no images in it" in refused(tmp_path / "folder", out)
    assert os.listdir(out.parent) == []


def test_a_video_without_frames(refused, tmp_path, out):
    with av.open(str(tmp_path / "none.mkv"), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        container.start_encoding()
    assert "none.mkv" in refused(tmp_path / "none.mkv", out)
    assert not out.exists()


def test_outputs_that_cannot_be(refused, clip, tmp_path, out):
    content = clip.read_bytes()
    out.write_bytes(b"precious")
    assert "is the input itself" in refused(clip, clip)
    assert "is the input itself" in refused(clip, clip, "--overwrite")
    assert "exists already; add --overwrite" in refused(clip, out)
    assert "does not exist" in refused(clip, tmp_path / "nowhere" / "out.mp4")
    assert ".xyz is no kind of video file" in refused(clip, tmp_path / "out.xyz")
    assert "no encoder 'nonsense'" in refused(clip, tmp_path / "new.mp4", "--codec", "nonsense")
    assert clip.read_bytes() == content
    assert out.read_bytes() == b"precious"
    assert sorted(os.listdir(tmp_path)) == ["in.mp4", "out"]


def test_overwrite_replaces(sharpen, clip, out):
    out.write_bytes(b"not precious")
    sharpen(clip, out, "--overwrite")
    assert frame_count(out) == 8


def test_a_folder_that_may_not_be_written(refused, clip, tmp_path):
    folder = Path("/sys")  # even root may not write here
    if os.geteuid():
        folder = tmp_path / "closed"
        folder.mkdir(mode=0o555)
    assert "is not writable" in refused(clip, folder / "out.mp4")


def test_a_full_disk(refused, clip, out):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))  # what a full disk does, at 1000 bytes
    try:
        sentence = refused(clip, out)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert "the disk is full" in sentence
    assert os.listdir(out.parent) == []


@pytest.mark.parametrize(
    ("span", "sentence"),
    [
        (("--start", "9"), "no frame of .* in the chosen span"),
        (("--start", "0.2", "--end", "0.1"), "must lie after the start"),
        (("--start", "soon"), "cannot read the time 'soon'"),
        (("--end", "-1"), "cannot read the time '-1'"),
    ],
)
def test_impossible_spans(refused, clip, out, span, sentence):
    import re

    assert re.search(sentence, refused(clip, out, *span))


def test_networks_that_cannot_be_had(mistake, clip, out, tmp_path, weights):
    run = lambda *options: mistake("run", clip, out, *options)  # noqa: E731
    assert "unknown model 'mmp-rnn-tinny'; did you mean mmp-rnn-tiny" in run("--model", "mmp-rnn-tinny")
    assert "'mmp-net' does not turn frames into frames" in run("--model", "mmp-net")
    assert "no weights ship for estrnn-c90b10" in run("--model", "estrnn-c90b10")
    assert "does not exist" in run("--weights", tmp_path / "none.safetensors")
    assert "is a folder" in run("--weights", tmp_path)
    assert "does not fit estrnn-c70b7 (it says it is for mmp-rnn-tiny)" in run(
        "--weights", weights, "--model", "estrnn-c70b7"
    )
    damaged = tmp_path / "damaged.safetensors"
    damaged.write_bytes(weights.read_bytes()[:-100])
    assert "cannot be read" in run("--weights", damaged)
    assert "unknown device 'abacus'" in run("--weights", weights, "--device", "abacus")
    assert not out.exists()


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_no_gpu(refused, clip, out):
    assert "torch finds no GPU here" in refused(clip, out, "--device", "cuda")


def test_a_slow_precision_is_mentioned_once(sharpen, clip, out):
    from vdeblur_fast.device import cpu_is_fast_at

    if cpu_is_fast_at("fp16"):
        pytest.skip("this CPU is fast at fp16")
    _, error = sharpen(clip, out, "--precision", "fp16", "--end", "0.05", "--device", "cpu")
    assert error == "vdeblur: this CPU emulates fp16 and will be very slow; fp32 is faster here\n"
    assert sharpen(clip, out, "--precision", "fp16", "--end", "0.05", "--quiet", "--overwrite") == ("", "")


def test_memory_that_does_not_suffice(refused, clip, out, monkeypatch):
    def push(self, frame):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(Deblurrer, "push", push)
    assert "not enough GPU memory" in refused(clip, out)
    assert os.listdir(out.parent) == []


def test_a_bug_shows_its_traceback_and_leaves_nothing(vdeblur, clip, out, weights, monkeypatch):
    monkeypatch.setattr(Deblurrer, "push", lambda self, frame: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        vdeblur("run", clip, out, "--weights", weights)
    assert os.listdir(out.parent) == []


def test_what_the_writer_left_out_is_told(sharpen, clip, out, monkeypatch):
    import vdeblur_fast.video as video

    opened = video.open_writer

    def with_warning(*arguments, **options):
        writer = opened(*arguments, **options)
        writer.warnings.append("something was left out")
        return writer

    monkeypatch.setattr(video, "open_writer", with_warning, raising=False)
    assert sharpen(clip, out)[1] == "vdeblur: something was left out\n"
    assert sharpen(clip, out, "--quiet", "--overwrite") == ("", "")
    assert run.summary(1, 2.0, "x") == "1 frame in 2.0 s (0.50 frames/s) -> x"
