"""Everything of a file besides the pixels comes along."""

import struct
import subprocess
import sys
from fractions import Fraction

import av
import cv2
import pytest

from tests.video.clips import CHAPTERS, make_video, packets_of, picture, times_of
from tests.video.test_timestamps import copy
from vdeblur_fast.video import open_reader, open_writer, process

TAGS = {"title": "A title", "comment": "said", "creation_time": "2020-01-02T03:04:05.000000Z"}


@pytest.fixture(params=["mp4", "mkv", "mov"])
def rich(request, tmp_path):
    """A file with everything its container can hold, and its copy."""
    form = request.param
    source, result = tmp_path / f"in.{form}", tmp_path / f"out.{form}"
    make_video(
        source,
        frames=25,
        audio=("aac", "pcm_s16le") if form == "mov" else ("aac", "flac"),
        subtitles="subrip" if form == "mkv" else "mov_text",
        chapters=True,
        metadata=TAGS,
        video_metadata={"language": "nor", "handler_name": "Camera"},
        rotation=-90,
        aspect=Fraction(4, 3),
        attachment=form == "mkv",
    )
    count, warnings = copy(source, result)
    assert (count, warnings) == (25, [])
    with av.open(str(source)) as before, av.open(str(result)) as after:
        yield source, result, before, after


def test_sound_is_identical(rich):
    source, result, *_ = rich
    assert packets_of(source) == packets_of(result)
    assert len(packets_of(source)) == 2


def test_subtitles_are_identical(rich):
    source, result, *_ = rich
    assert packets_of(source, "subtitle") == packets_of(result, "subtitle")


def test_tags_languages_and_dispositions_stay(rich):
    *_, before, after = rich
    for name, value in TAGS.items():
        assert {key.lower(): text for key, text in after.metadata.items()}[name] == value
    assert [s.type for s in before.streams] == [s.type for s in after.streams]
    assert [s.language for s in before.streams] == [s.language for s in after.streams]
    assert [s.disposition for s in before.streams] == [s.disposition for s in after.streams]


def test_chapters_stay(rich):
    *_, before, after = rich
    want = [(c["start"] * c["time_base"], c["end"] * c["time_base"], c["metadata"]) for c in CHAPTERS]
    for container in (before, after):
        found = [(c["start"] * c["time_base"], c["end"] * c["time_base"], c["metadata"]) for c in container.chapters()]
        assert found == want


def test_rotation_and_pixel_shape_stay(rich):
    *_, before, after = rich
    assert next(before.decode(video=0)).rotation == next(after.decode(video=0)).rotation == -90
    assert after.streams.video[0].sample_aspect_ratio == Fraction(4, 3)


@pytest.mark.parametrize("after", ["mp4", "mov", "mkv"])
@pytest.mark.parametrize("before", ["mp4", "mov", "mkv"])
def test_the_titles_of_tracks_stay(tmp_path, before, after):
    source, result = tmp_path / f"in.{before}", tmp_path / f"out.{after}"
    make_video(source, frames=2, audio=("aac",), video_metadata={"title": "Close-up"})
    copy(source, result)
    with av.open(str(result)) as container:
        tags = container.streams.video[0].metadata
    assert tags["title" if after == "mkv" else "name"] == "Close-up"
    assert "NAME" not in tags


@pytest.mark.parametrize(
    ("name", "codec", "kept"),
    [
        ("out.mkv", "hevc", True),
        ("out.mp4", "av1", True),
        ("out.gif", None, True),  # nearly
        ("out.mkv", "ffv1", False),
        ("out.mkv", "vp9", False),
        ("out.webm", "av1", False),
    ],
)
def test_the_pixel_shape_is_kept_or_named(tmp_path, name, codec, kept):
    source, result = tmp_path / "in.mp4", tmp_path / name
    make_video(source, frames=2, aspect=Fraction(16, 11))
    _, warnings = copy(source, result, codec=codec)
    shape = open_reader(result).sample_aspect_ratio or 1
    assert (float(shape) == pytest.approx(16 / 11, rel=0.01)) == kept
    assert len(warnings) == (not kept)
    assert kept or warnings[0].startswith("the shape of the pixels (16:11) was left out")


def test_unusual_tags_stay_in_mp4(tmp_path):
    source, result = tmp_path / "in.mp4", tmp_path / "out.mp4"
    make_video(source, metadata={"com.example.lens": "50mm", "title": "T"}, muxer={"movflags": "use_metadata_tags"})
    copy(source, result)
    with av.open(str(result)) as container:
        assert container.metadata["com.example.lens"] == "50mm"
        assert container.metadata["title"] == "T"


def test_attachments_stay_in_matroska_and_are_named_elsewhere(tmp_path):
    source = tmp_path / "in.mkv"
    make_video(source, attachment=True)
    copy(source, tmp_path / "out.mkv")
    with av.open(str(tmp_path / "out.mkv")) as container:
        (font,) = (s for s in container.streams if s.type == "attachment")
        assert (font.name, font.mimetype, font.data) == (
            "font.ttf",
            "application/x-truetype-font",
            bytes(range(256)) * 4,
        )
    _, warnings = copy(source, tmp_path / "out.mp4")
    assert warnings == [
        "the attachment track 1 (font.ttf) was left out, because mp4 files cannot hold it; an .mkv file may"
    ]


@pytest.mark.parametrize(
    ("before", "coding", "after"),
    [("mkv", "subrip", "mp4"), ("mkv", "ass", "mp4"), ("mp4", "mov_text", "mkv"), ("mkv", "subrip", "webm")],
)
def test_subtitles_are_converted_where_they_must(tmp_path, before, coding, after):
    source, result = tmp_path / f"in.{before}", tmp_path / f"out.{after}"
    make_video(source, frames=20, subtitles=coding)
    assert copy(source, result) == (20, [])
    words = [(time, data) for time, data in packets_of(result, "subtitle")[0] if b"Word" in data]
    assert [float(time) for time, _ in words] == [0.04, 0.28]
    assert b"Word 0" in words[0][1]
    assert b"Word 1" in words[1][1]


def test_sound_that_does_not_fit_is_named(tmp_path):
    source = tmp_path / "in.mp4"
    make_video(source, audio=("aac",))
    _, warnings = copy(source, tmp_path / "out.webm")
    assert warnings == ["the audio track 1 (aac) was left out, because webm files cannot hold it; an .mkv file may"]


@pytest.fixture
def covered(tmp_path):
    """A file with a cover picture before its video, and the picture."""
    source = tmp_path / "in.mp4"
    make_video(tmp_path / "plain.mp4", frames=5)
    jpeg = cv2.imencode(".jpg", picture(0, 200, 200))[1].tobytes()
    with av.open(str(tmp_path / "plain.mp4")) as plain, av.open(str(source), "w") as output:
        cover = output.add_stream("mjpeg", rate=1)
        cover.width = cover.height = 200
        cover.pix_fmt = "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic
        video = output.add_stream_from_template(plain.streams.video[0], opaque=True)
        packet = av.Packet(jpeg)
        packet.stream, packet.pts, packet.dts, packet.is_keyframe = cover, 0, 0, True
        output.mux(packet)
        for packet in plain.demux():
            if packet.size:
                packet.stream = video
                output.mux(packet)
    return source, jpeg


@pytest.mark.parametrize("form", ["mp4", "mkv"])
def test_the_cover_is_kept_and_is_not_the_video(tmp_path, covered, form):
    (source, jpeg), result = covered, tmp_path / f"out.{form}"
    assert open_reader(source).width == 64
    assert copy(source, result) == (5, [])
    with av.open(str(result)) as container:
        attached = [s for s in container.streams.video if s.disposition & av.stream.Disposition.attached_pic]
        assert len(attached) == 1
        assert next(bytes(p) for p in container.demux(attached[0]) if p.size) == jpeg


@pytest.mark.parametrize("form", ["mov", "avi"])
def test_a_cover_that_does_not_fit_is_named(tmp_path, covered, form):
    result = tmp_path / f"out.{form}"
    _, warnings = copy(covered[0], result)
    assert warnings == [
        f"the video track 1 (mjpeg) was left out, because {form} files cannot hold it; an .mkv file may"
    ]
    with av.open(str(result)) as container:
        assert len(container.streams.video) == 1


@pytest.mark.parametrize("rotation", [90, -90, 180])
def test_containers_without_rotation_get_upright_pixels(tmp_path, rotation):
    source, result = tmp_path / "in.mp4", tmp_path / "out.ts"
    make_video(source, frames=2, rotation=rotation)
    copy(source, result, crf=1)
    upright = next(iter(open_reader(source, upright=True)))
    copied = next(iter(open_reader(result)))
    assert upright.image.shape == copied.image.shape == ((64, 48, 3) if rotation != 180 else (48, 64, 3))
    assert abs(upright.image.astype(int) - copied.image).max() < 12


def test_hdr_mastering_data_stays(tmp_path):
    source, result = tmp_path / "in.mkv", tmp_path / "out.mkv"
    display = "mastering-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,1):cll=1000,400"
    make_video(source, frames=2, pix_fmt="yuv420p10le", options={"x264-params": display})
    for codec in ("h264", "hevc"):
        copy(source, result, codec=codec, overwrite=True)
        before, after = open_reader(source).side_data, open_reader(result).side_data
        assert before["CONTENT_LIGHT_LEVEL"] == after["CONTENT_LIGHT_LEVEL"]
        assert before["MASTERING_DISPLAY_METADATA"] == after["MASTERING_DISPLAY_METADATA"]


def test_hdr_mastering_data_is_kept_or_named(tmp_path):
    source, result = tmp_path / "in.mkv", tmp_path / "out.mkv"
    display = "mastering-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,1):cll=1000,400"
    make_video(source, frames=2, pix_fmt="yuv420p10le", options={"x264-params": display})
    assert copy(source, result, codec="av1", preset="13") == (2, [])
    before, after = open_reader(source).side_data, open_reader(result).side_data
    assert before["CONTENT_LIGHT_LEVEL"] == after["CONTENT_LIGHT_LEVEL"]
    old, new = (struct.unpack_from("=20i", data["MASTERING_DISPLAY_METADATA"]) for data in (before, after))
    for a, b, c, d in zip(old[::2], old[1::2], new[::2], new[1::2], strict=True):
        assert a / b == pytest.approx(c / d, abs=1e-4)
    _, warnings = copy(source, result, codec="ffv1", overwrite=True)
    assert warnings == ["the HDR mastering data was left out, which ffv1 cannot store; h264 and hevc can"]


def test_hdr_video_is_encoded_in_silence(tmp_path):
    source, result = tmp_path / "in.mkv", tmp_path / "out.mkv"
    make_video(source, frames=2, pix_fmt="yuv420p10le", options={"x264-params": "cll=1000,400"})
    script = f"from tests.video.test_timestamps import copy; copy({str(source)!r}, {str(result)!r}, codec='hevc')"
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ran.stdout + ran.stderr == ""


@pytest.mark.parametrize("frames", [1, 2, 3, 4, 9])
def test_short_hevc_videos_are_decoded_before_they_are_shown(tmp_path, frames):
    """x265 leaves the decode times of videos shorter than its run of B frames unset."""
    source, result = tmp_path / "in.mp4", tmp_path / "out.mp4"
    make_video(source, frames=frames)
    copy(source, result, codec="hevc")
    assert times_of(result) == times_of(source)
    with av.open(str(result)) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
    assert len(packets) == frames
    assert all(0 <= packet.pts - packet.dts <= 90_000 for packet in packets)


def test_truncated_sound_does_not_stop_the_video(tmp_path):
    source, result = tmp_path / "in.mkv", tmp_path / "out.mkv"
    make_video(source, frames=50, audio=("aac",))
    data = source.read_bytes()
    source.write_bytes(data[: len(data) * 2 // 3])
    reader = open_reader(source)
    count = process(reader, open_writer(result, reader), None)
    assert 0 < count == len(times_of(result)) < 50
    assert reader.problems[0].startswith("in.mkv is damaged: ")
