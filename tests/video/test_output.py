"""The output appears only when it is whole, and nothing else is ever touched."""

import os
import signal
import subprocess
import sys
import textwrap
import time

import numpy as np
import pytest

from tests.video.clips import make_video, times_of
from vdeblur_fast.errors import UserError
from vdeblur_fast.video import InputError, OutputError, open_reader, open_writer, process
from vdeblur_fast.video.encoders import find_encoder, pixel_formats
from vdeblur_fast.video.planes import layout


@pytest.fixture
def reader(tmp_path):
    (tmp_path / "source").mkdir()
    make_video(tmp_path / "source" / "in.mp4", frames=8, audio=("aac",))
    return open_reader(tmp_path / "source" / "in.mp4")


def names(folder):
    return sorted(path.name for path in folder.iterdir() if path.name != "source")


def write_and_fail(path, reader, count, error):
    with open_writer(path, reader, overwrite=True) as writer:
        for frame in list(reader)[:count]:
            writer.write(frame)
        raise error


@pytest.mark.parametrize("name", ["out.mp4", "out"])
def test_it_appears_at_the_end(reader, tmp_path, name):
    frames = list(reader)
    with open_writer(tmp_path / name, reader) as writer:
        for frame in frames:
            writer.write(frame)
            (hidden,) = names(tmp_path)
            assert hidden.startswith(".out.part-")
    assert names(tmp_path) == [name]


@pytest.mark.parametrize("stage", ["at once", "in the middle", "at the end"])
@pytest.mark.parametrize("name", ["out.mp4", "out.mkv", "out"])
@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, SystemExit])
def test_nothing_stays_after_an_exception(reader, tmp_path, name, stage, error):
    count = {"at once": 0, "in the middle": 4, "at the end": 8}[stage]
    with pytest.raises(error):
        write_and_fail(tmp_path / name, reader, count, error)
    assert names(tmp_path) == []


def test_an_existing_file_stays_as_it_is(reader, tmp_path):
    (tmp_path / "out.mp4").write_text("precious")
    with pytest.raises(OutputError, match=r"out.mp4 exists already; add --overwrite"):
        open_writer(tmp_path / "out.mp4", reader)
    with pytest.raises(RuntimeError):
        write_and_fail(tmp_path / "out.mp4", reader, 1, RuntimeError)
    assert (tmp_path / "out.mp4").read_text() == "precious"
    process(reader, open_writer(tmp_path / "out.mp4", reader, overwrite=True), None)
    assert len(times_of(tmp_path / "out.mp4")) == 8
    assert names(tmp_path) == ["out.mp4"]


@pytest.mark.parametrize("link", ["itself", "symlink", "hardlink", "roundabout"])
def test_the_input_is_never_the_output(reader, tmp_path, link):
    target = {
        "itself": reader.path,
        "symlink": tmp_path / "link.mp4",
        "hardlink": tmp_path / "link.mp4",
        "roundabout": tmp_path / "source" / ".." / "source" / "in.mp4",
    }[link]
    if link == "symlink":
        target.symlink_to(reader.path)
    if link == "hardlink":
        os.link(reader.path, target)
    before = reader.path.read_bytes()
    with pytest.raises(OutputError, match="is the input itself"):
        open_writer(target, reader, overwrite=True)
    assert reader.path.read_bytes() == before


@pytest.mark.parametrize(
    ("name", "options", "sentence"),
    [
        ("missing/out.mp4", {}, r"the folder .*missing does not exist"),
        ("out.xyz", {}, r".xyz is no kind of video file that can be written"),
        ("out.mp4", {"codec": "h266"}, r"there is no encoder 'h266' here; use one of av1, ffv1, h264"),
        ("out.mp4", {"codec": "aac"}, r"'aac' encodes audio, not video"),
        ("out.webm", {"codec": "h264"}, r"webm files cannot hold h264 video"),
        ("out.mp4", {"codec": "vp8"}, r"mp4 files cannot hold vp8 video; use another extension or codec"),
        ("out.mp3", {}, r"mp3 files hold no video; use .mp4"),
        ("out.wav", {}, r"wav files hold no video; use .mp4"),
        ("out.srt", {}, r"srt files hold no video; use .mp4"),
        ("out.mp4", {"preset": "quickly"}, r"libx264 has no preset"),
        ("out.mov", {"codec": "prores", "crf": 20}, r"prores_ks has no crf"),
        ("out.mp4", {"pix_fmt": "yuv999p"}, r"libx264 has no pixel format 'yuv999p'; it has yuv420p"),
        ("out.mp4", {"codec": "hevc", "size": (8, 8)}, r"libx265 cannot make 8x8 video"),
        ("source", {"overwrite": True}, r"the input .*in.mp4 is in .*source, which would be replaced"),
        ("source/in.mp4/out.mp4", {}, r"in.mp4 is a file, not a folder; choose another name"),
    ],
)
def test_one_sentence_for_what_cannot_be_written(reader, tmp_path, name, options, sentence):
    with pytest.raises(OutputError, match=sentence) as caught:
        open_writer(tmp_path / name, reader, **options)
    assert "\n" not in str(caught.value)
    assert isinstance(caught.value, UserError)
    assert names(tmp_path) == []


def test_a_name_that_is_empty(reader, tmp_path, monkeypatch):
    """What a shell makes of a variable that is not set is not the folder one is in."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(OutputError, match="the name of the output is empty"):
        open_writer("", reader, overwrite=True)
    with pytest.raises(InputError, match="the name of the input is empty"):
        open_reader("")


@pytest.mark.parametrize(("name", "codec"), [("out.mov", "vp9"), ("out.mov", "vp8"), ("out.mxf", "hevc")])
def test_what_the_muxer_alone_refuses(reader, tmp_path, name, codec):
    writer = open_writer(tmp_path / name, reader, codec=codec)
    with pytest.raises(OutputError, match=r"files cannot hold (vp9|vp8|hevc) video"):
        process(reader, writer, None)
    assert names(tmp_path) == []


def test_devices_are_not_replaced(reader):
    with pytest.raises(OutputError, match="is not an ordinary file"):
        open_writer(_device_link(reader), reader, overwrite=True)


def _device_link(reader):
    link = reader.path.parent / "null.mp4"
    link.symlink_to("/dev/null")
    return link


def test_a_closed_folder(reader, tmp_path, monkeypatch):
    def closed(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", closed)
    with pytest.raises(OutputError, match="is not writable; choose another folder"):
        open_writer(tmp_path / "out.mp4", reader)


def test_no_frames_no_file(reader, tmp_path):
    with pytest.raises(OutputError, match="no frame was written"), open_writer(tmp_path / "out.mp4", reader):
        pass
    assert names(tmp_path) == []


def test_images_of_a_wrong_size(reader, tmp_path):
    frame = next(iter(reader))
    with (
        pytest.raises(ValueError, match=r"made for images of \(W, H\) = \(64, 48\), got \(10, 10\)"),
        open_writer(tmp_path / "out.mp4", reader) as writer,
    ):
        writer.write(frame.with_image(np.zeros((10, 10, 3), np.uint8)))


def run_script(tmp_path, text):
    script = tmp_path / "source" / "script.py"
    script.write_text(textwrap.dedent(text))
    return subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True, cwd=tmp_path)


FULL_DISK = """
    import resource, signal
    from vdeblur_fast.video import open_reader, open_writer, process
    reader = open_reader("source/in.mp4")
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    writer = open_writer("{name}", reader)
    resource.setrlimit(resource.RLIMIT_FSIZE, (500, 500))
    try:
        process(reader, writer, None)
    except Exception as error:
        print(type(error).__name__, error)
"""


@pytest.mark.parametrize("name", ["out.mp4", "out.mkv", "out"])
def test_a_full_disk(reader, tmp_path, name):
    output, _ = run_script(tmp_path, FULL_DISK.format(name=name)).communicate(timeout=60)
    assert output.startswith(f"OutputError the disk is full: {name} could not be finished and was removed")
    assert names(tmp_path) == []


SLOW = """
    import signal, sys, time
    from vdeblur_fast.video import open_reader, open_writer, process

    class Slow:
        def push(self, image):
            print("working", flush=True)
            time.sleep(0.2)
            return [image]
        def flush(self):
            return []

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    reader = open_reader("source/in.mp4")
    process(reader, open_writer("out.mp4", reader), Slow())
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_in_the_middle_leaves_nothing(reader, tmp_path, number):
    running = run_script(tmp_path, SLOW)
    assert running.stdout.readline() == "working\n"
    assert len(names(tmp_path)) == 1
    started = time.monotonic()
    running.send_signal(number)
    running.communicate(timeout=30)
    assert time.monotonic() - started < 10
    assert running.returncode != 0
    assert names(tmp_path) == []


@pytest.mark.parametrize(
    ("codec", "source", "want"),
    [
        ("h264", "yuv420p", "yuv420p"),
        ("h264", "yuv422p10le", "yuv422p10le"),
        ("h264", "yuv444p", "yuv444p"),
        ("h264", "yuv420p12le", "yuv420p10le"),
        ("h264", "gbrp", "yuv420p"),
        ("h264", "yuv440p", "yuv444p"),
        ("hevc", "yuv422p12le", "yuv422p12le"),
        ("av1", "yuv444p10le", "yuv420p10le"),
        ("prores", "yuv420p", "yuv422p10le"),
        ("ffv1", "gbrp16le", "gbrp16le"),
        ("ffv1", "gray", "gray"),
    ],
)
def test_depth_and_chroma_are_kept_where_the_encoder_can(codec, source, want):
    assert pixel_formats(find_encoder(codec), layout(source))[0] == want


@pytest.mark.parametrize("codec", ["h264", "hevc", "vp9", "av1", "ffv1", "prores", "mpeg4", "mjpeg", "libx264rgb"])
def test_codecs(reader, tmp_path, codec):
    writer = open_writer(tmp_path / "out.mkv", reader, codec=codec)
    process(reader, writer, None)
    assert writer.warnings == []
    for before, after in zip(reader, open_reader(tmp_path / "out.mkv"), strict=True):
        top, other = np.iinfo(before.image.dtype).max, np.iinfo(after.image.dtype).max
        assert abs(before.time - after.time) <= 0.0005
        assert np.abs(before.image / top - after.image / other).mean() < 0.02


def test_crf_and_preset_reach_the_encoder(reader, tmp_path):
    sizes = []
    for crf in (5, 45):
        process(reader, open_writer(tmp_path / f"{crf}.mkv", reader, crf=crf, preset="ultrafast"), None)
        sizes.append((tmp_path / f"{crf}.mkv").stat().st_size)
    assert sizes[0] > 1.3 * sizes[1]
