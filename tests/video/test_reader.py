"""What is read: every depth, parts of a video, damaged files; and one sentence for what is no video."""

import re
from fractions import Fraction

import av
import numpy as np
import pytest

from tests.video.clips import make_video, yuv_frame
from vdeblur_fast.errors import UserError
from vdeblur_fast.video import InputError, open_reader, open_writer, process
from vdeblur_fast.video.colour import Colour, to_rgb


@pytest.mark.parametrize(
    ("name", "codec", "pix_fmt", "depth", "dtype"),
    [
        ("a.mp4", "libx264", "yuv420p", 8, np.uint8),
        ("a.mp4", "libx264", "yuv420p10le", 10, np.uint16),
        ("a.mkv", "libx265", "yuv422p12le", 12, np.uint16),
        ("a.mkv", "ffv1", "gray16le", 16, np.uint16),
        ("a.mkv", "ffv1", "gbrp14le", 14, np.uint16),
        ("a.webm", "libvpx-vp9", "yuv444p", 8, np.uint8),
        ("a.webm", "libsvtav1", "yuv420p10le", 10, np.uint16),
        ("a.mov", "prores_ks", "yuv422p10le", 10, np.uint16),
        ("a.avi", "mpeg4", "yuv420p", 8, np.uint8),
        ("a.ts", "mpeg2video", "yuv420p", 8, np.uint8),
    ],
)
def test_depths_and_codecs(tmp_path, name, codec, pix_fmt, depth, dtype):
    make_video(tmp_path / name, frames=12, codec=codec, pix_fmt=pix_fmt)
    reader = open_reader(tmp_path / name)
    frames = list(reader)
    assert len(frames) == 12
    assert (reader.width, reader.height, reader.bit_depth) == (64, 48, depth)
    assert {(f.image.shape, f.image.dtype.type) for f in frames} == {((48, 64, 3), dtype)}
    want = to_rgb(yuv_frame(2, 64, 48, pix_fmt), reader.colour).astype(float)
    error = np.abs(frames[2].image - want).mean() / np.iinfo(dtype).max
    assert error < 0.02


def test_gif_is_a_video(tmp_path):
    with av.open(str(tmp_path / "a.gif"), "w") as container:
        stream = container.add_stream("gif", rate=10)
        stream.width, stream.height, stream.pix_fmt = 16, 12, "rgb8"
        for index in range(3):
            frame = av.VideoFrame.from_ndarray(np.full((12, 16, 3), 80 * index, np.uint8))
            container.mux(stream.encode(frame.reformat(format="rgb8")))
        container.mux(stream.encode(None))
    frames = list(open_reader(tmp_path / "a.gif"))
    assert [frame.time for frame in frames] == [0, Fraction(1, 10), Fraction(1, 5)]
    assert [int(frame.image[5, 5, 0]) // 60 for frame in frames] == [0, 1, 2]


def test_what_the_reader_says(tmp_path):
    make_video(tmp_path / "a.mp4", frames=50, rate=Fraction(30000, 1001))
    reader = open_reader(tmp_path / "a.mp4")
    assert reader.frame_rate == Fraction(30000, 1001)
    assert reader.frames_estimate == 50
    assert abs(reader.duration - 50 * Fraction(1001, 30000)) < Fraction(1, 1000)
    assert open_reader(tmp_path / "a.mp4", end=1).frames_estimate == 30
    assert len(list(reader)) == len(list(reader)) == 50
    assert reader.problems == []


@pytest.mark.parametrize("form", ["mp4", "mkv", "ts", "avi"])
def test_a_part_of_a_video(tmp_path, form):
    path = tmp_path / f"a.{form}"
    make_video(path, frames=60, codec="mpeg4" if form == "avi" else "libx264", options={"g": "12"})
    whole = list(open_reader(path))
    origin = whole[0].time
    part = list(open_reader(path, start=0.5, end=1.1))
    assert [f.time for f in part] == [f.time for f in whole if 0.5 <= f.time - origin < 1.1 + 1e-9]
    assert (part[0].image == whole[13].image).all()


@pytest.mark.parametrize("rotation", [90, -90, 180])
def test_upright(tmp_path, rotation):
    make_video(tmp_path / "a.mp4", frames=1, rotation=rotation, aspect=Fraction(4, 3))
    lying, upright = (open_reader(tmp_path / "a.mp4", upright=choice) for choice in (False, True))
    assert (lying.width, lying.height) == (64, 48)
    assert upright.orientation is None
    assert upright.sample_aspect_ratio == (Fraction(3, 4) if abs(rotation) == 90 else Fraction(4, 3))
    want = np.rot90(next(iter(lying)).image, rotation // 90)
    got = next(iter(upright)).image
    assert (upright.width, upright.height) == got.shape[1::-1]
    assert (got == want).all()


def test_the_frame_size_may_change_on_the_way(tmp_path):
    small, large = tmp_path / "a.ts", tmp_path / "b.ts"
    make_video(small, frames=5)
    make_video(large, frames=5, size=(96, 64), times=[5 + i for i in range(5)])
    both = tmp_path / "both.ts"
    both.write_bytes(small.read_bytes() + large.read_bytes())
    reader = open_reader(both)
    frames = list(reader)
    assert {frame.image.shape for frame in frames} == {(48, 64, 3)}
    assert len(frames) == 10
    assert reader.problems[-1:] == ["both.ts changes its size: 5 of its frames were scaled to that of the first"]


def test_what_an_edit_list_hides_is_not_missed(tmp_path):
    make_video(tmp_path / "whole.mp4", frames=40, options={"g": "5"})
    with av.open(str(tmp_path / "whole.mp4")) as whole, av.open(str(tmp_path / "a.mp4"), "w") as output:
        stream = output.add_stream_from_template(whole.streams.video[0], opaque=True)
        for packet in whole.demux():
            if packet.size:
                shift = round(Fraction(8, 25) / packet.time_base)
                packet.pts, packet.dts, packet.stream = packet.pts - shift, packet.dts - shift, stream
                output.mux(packet)
    reader = open_reader(tmp_path / "a.mp4")
    assert [frame.time for frame in reader] == [Fraction(index, 25) for index in range(32)]
    assert reader.problems == []


def test_frames_at_the_same_time_come_one_after_the_other(tmp_path):
    times = [0, 0, 40, 40, 40, 120]
    with av.open(str(tmp_path / "a.mkv"), "w") as container:
        stream = container.add_stream("ffv1", rate=25, time_base=Fraction(1, 1000))
        stream.width, stream.height, stream.pix_fmt = 16, 12, "yuv420p"
        for index, time in enumerate(times):
            frame = yuv_frame(index, 16, 12, "yuv420p")
            frame.pts, frame.time_base = index * 40, Fraction(1, 1000)
            for packet in stream.encode(frame):
                packet.pts = packet.dts = time
                container.mux(packet)
    reader = open_reader(tmp_path / "a.mkv")
    assert [frame.pts for frame in reader] == [0, 1, 40, 41, 42, 120]
    assert reader.problems == ["a.mkv has 3 frames without a time of their own; they got the next one"]
    assert process(reader, open_writer(tmp_path / "b.mp4", reader), None) == 6


@pytest.mark.parametrize("name", ["a:b.mp4", "100%d.mp4", "-x.mp4", "ünï 'q\".mp4"])
def test_strange_names(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    make_video("plain.mp4", frames=2)
    (tmp_path / "plain.mp4").rename(name)
    reader = open_reader(name)
    process(reader, open_writer(f"out {name}", reader), None)
    assert len(list(open_reader(f"out {name}"))) == 2


def cut(path, part):
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * part)])


def test_truncated_files_give_what_decodes(tmp_path):
    for name, muxer in (("clip.mp4", {"movflags": "faststart"}), ("clip.mkv", {})):
        path = tmp_path / name
        make_video(path, frames=100, options={"g": "10", "bf": "0"}, muxer=muxer)
        cut(path, 0.6)
        reader = open_reader(path)
        count = len(list(reader))
        assert 30 < count < 90
        assert reader.problems == [f"{name} is damaged: {count} of about 100 frames could be decoded"]


@pytest.mark.parametrize(
    ("form", "codec"), [("flv", "flv"), ("nut", "libx264"), ("asf", "wmv2"), ("wtv", "mpeg2video")]
)
def test_sound_that_is_longer_than_the_picture_is_no_damage(tmp_path, form, codec):
    """In files that say only how long they are in all."""
    path = tmp_path / f"clip.{form}"
    make_video(path, frames=50, codec=codec, audio=("mp2" if form == "wtv" else "aac",), audio_seconds=6)
    reader = open_reader(path)
    assert len(list(reader)) == 50
    assert reader.problems == []


def test_what_is_cut_off_with_the_sound_is_missed(tmp_path):
    path = tmp_path / "clip.flv"
    make_video(path, frames=150, audio=("aac",), codec="flv")
    cut(path, 0.6)
    reader = open_reader(path)
    count = len(list(reader))
    assert 60 < count < 120
    (problem,) = reader.problems
    assert re.fullmatch(rf"clip.flv is damaged: {count} of about 1[45]\d frames could be decoded", problem)


def test_the_empty_frames_of_avi_are_not_missed(tmp_path):
    times = [time for time in range(100) if time % 7]
    make_video(tmp_path / "a.avi", codec="mpeg4", times=times, size=(320, 240))
    reader = open_reader(tmp_path / "a.avi")
    assert len(list(reader)) == len(times)
    assert reader.problems == []
    cut(tmp_path / "a.avi", 0.6)
    reader = open_reader(tmp_path / "a.avi")
    list(reader)
    assert any("is damaged" in sentence for sentence in reader.problems)


def test_holes_in_a_file_are_counted(tmp_path):
    path = tmp_path / "clip.mp4"
    make_video(path, frames=100, options={"g": "10"})
    data = bytearray(path.read_bytes())
    third = len(data) // 3
    data[third : third + 300] = bytes(value ^ 0x5A for value in data[third : third + 300])
    path.write_bytes(data)
    reader = open_reader(path)
    count = len(list(reader))
    assert 50 < count <= 100
    assert any("is damaged" in sentence for sentence in reader.problems)


def test_holes_in_a_transport_stream_are_counted(tmp_path):
    path = tmp_path / "clip.ts"
    make_video(path, frames=60, size=(160, 120), options={"g": "12"})
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + len(data) // 10] = np.random.default_rng(0).bytes(len(data) // 10)
    path.write_bytes(data)
    reader = open_reader(path)
    count = len(list(reader))
    assert 40 < count < 60
    assert reader.problems == [f"clip.ts is damaged: {count} of about 60 frames could be decoded"]


def _text(path):
    path.write_text("this is not a video\n" * 50)


def _no_index(path):
    make_video(path, frames=60)
    cut(path, 0.5)


def _only_sound(path):
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=48000)
        frame = av.AudioFrame.from_ndarray(np.zeros((2, 1024), np.float32), format="fltp", layout="stereo")
        frame.sample_rate = 48000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def _nothing_decodes(path):
    make_video(path, frames=10, options={"bf": "0"})
    with av.open(str(path)) as container:
        places = [(p.pos, p.size) for p in container.demux(video=0) if p.size]
    data = bytearray(path.read_bytes())
    for position, size in places:
        data[position : position + size] = b"\xff" * size
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda path: None, "does not exist"),
        (lambda path: path.touch(), r"is empty \(0 bytes\)"),
        (_text, "is not a video that can be read"),
        (_no_index, "moov atom not found"),
        (_only_sound, "has no video in it, only audio"),
        (_nothing_decodes, "not one of its frames could be decoded"),
        (lambda path: path.mkdir(), "has no images in it"),
    ],
    ids=["missing", "empty", "text", "no-index", "only-sound", "nothing-decodes", "empty-folder"],
)
def test_one_sentence_for_what_is_no_video(tmp_path, make, sentence):
    path = tmp_path / "clip.mp4"
    make(path)
    with pytest.raises(InputError, match=sentence) as caught:
        open_reader(path)
    assert "clip.mp4" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert isinstance(caught.value, UserError)


@pytest.mark.parametrize(
    ("start", "end", "sentence"),
    [
        (-1, None, "the start is -1 s"),
        (2, 1, r"the end \(1 s\) must lie after the start \(2 s\)"),
        (None, 0, "must lie after"),
        (100, None, r"no frame of .*a.mp4 in the chosen span \(100 s to the end\), which lasts 0.48 s"),
    ],
)
def test_impossible_parts(tmp_path, start, end, sentence):
    make_video(tmp_path / "a.mp4")
    with pytest.raises(InputError, match=sentence):
        open_reader(tmp_path / "a.mp4", start, end)


def test_untagged_frames_are_read_by_their_height():
    frame = yuv_frame(0, 8, 8, "yuv444p")
    assert (to_rgb(frame, Colour(hd=True)) != to_rgb(frame, Colour(hd=False))).any()


@pytest.mark.parametrize("codec", ["vp8", "vp9", "av1"])
def test_a_rate_that_is_that_of_the_clock_is_not_believed(tmp_path, codec):
    source, result = tmp_path / "in.mkv", tmp_path / "out.mkv"
    times = [33 * index for index in range(8)]
    make_video(source, rate=30_000, time_base=Fraction(1, 1000), times=times, durations=[33] * 8)
    with av.open(str(source)) as container:
        assert container.streams.video[0].average_rate == 30_000
    reader = open_reader(source)
    assert reader.frame_rate == 30
    assert process(reader, open_writer(result, reader, codec=codec), None) == 8


@pytest.mark.parametrize("time", [1e20, float("inf"), float("nan")])
@pytest.mark.parametrize("name", ["start", "end"])
def test_times_that_no_video_has(tmp_path, name, time):
    make_video(tmp_path / "a.mp4", frames=2)
    with pytest.raises(InputError, match=f"the {name} is .* s, more than any video lasts; choose an earlier time"):
        open_reader(tmp_path / "a.mp4", **{name: time})


def test_a_turn_that_is_no_quarter_is_named(tmp_path):
    make_video(tmp_path / "tilted.mp4", frames=2, rotation=30)
    make_video(tmp_path / "upright.mp4", frames=2, rotation=0)
    tilted, upright = open_reader(tmp_path / "tilted.mp4"), open_reader(tmp_path / "upright.mp4")
    assert len(list(tilted)) == len(list(upright)) == 2
    assert tilted.problems == ["tilted.mp4 is to be shown tilted or stretched; only quarter turns are kept"]
    assert upright.problems == []
