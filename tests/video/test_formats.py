"""What kinds of files and which encoders are refused, in one sentence and before any work."""

from fractions import Fraction

import pytest

from tests.video.clips import make_video, times_of
from tests.video.test_timestamps import MS, copy
from vdeblur_fast.video import OutputError, open_reader, open_writer


@pytest.fixture
def reader(tmp_path):
    make_video(tmp_path / "in.mp4", frames=8, audio=("aac",))
    return open_reader(tmp_path / "in.mp4")


@pytest.mark.parametrize("ending", ["m3u8", "mpd", "chk", "pam"])
def test_what_would_be_many_files_is_refused(reader, tmp_path, monkeypatch, ending):
    """Nothing is written, beside the output or where one happens to be."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    with pytest.raises(OutputError, match=rf"\.{ending} is no kind of video file that can be written; use .mp4"):
        open_writer(tmp_path / f"out.{ending}", reader)
    assert list(folder.iterdir()) == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["here", "in.mp4"]


@pytest.mark.parametrize("ending", ["ffmeta", "yuv", "rgb", "y4m", "fits", "rm", "swf", "a64", "ogv"])
def test_what_would_not_give_the_video_back_is_refused(reader, tmp_path, ending):
    with pytest.raises(OutputError, match=rf"\.{ending} is no kind of video file that can be written; use .mp4"):
        open_writer(tmp_path / f"out.{ending}", reader)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"codec": "hevc", "size": (40, 24)}, "libx265 cannot make 40x24 video, only 64x16 pixels or more"),
        ({"codec": "hevc", "size": (48, 128)}, "libx265 cannot make 48x128 video, only 64x16 pixels or more"),
        ({"codec": "av1", "size": (64, 8)}, "libsvtav1 cannot make 64x8 video, only 16x16 pixels or more"),
        ({"codec": "h264_nvenc"}, "h264_nvenc needs a device or a driver that is not here; use the codec h264"),
        ({"codec": "hevc_qsv"}, "hevc_qsv needs a device or a driver"),
        ({"codec": "av1_amf"}, "av1_amf needs a device or a driver"),
        ({"codec": "rawvideo"}, "'rawvideo' does not say what pixels it takes; use h264, or ffv1"),
        ({"codec": "hevc", "crf": 60}, "libx265 takes a crf from 0 to 51, not 60"),
        ({"codec": "h264", "crf": 51.5}, "libx264 takes a crf from 0 to 51, not 51.5"),
        ({"codec": "av1", "preset": "slow"}, "libsvtav1 has no preset slow; use one of 0, 1, 2, .*, 13"),
        ({"codec": "av1", "preset": "99"}, "libsvtav1 has no preset 99; use one of 0, 1, 2, .*, 13"),
    ],
)
def test_what_an_encoder_cannot_do(reader, tmp_path, options, sentence):
    with pytest.raises(OutputError, match=sentence) as caught:
        open_writer(tmp_path / "out.mkv", reader, **options)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("codec", "preset"), [("hevc", "ultrafast"), ("av1", "13")])
def test_the_smallest_that_they_can(tmp_path, codec, preset):
    source, result = tmp_path / "in.mkv", tmp_path / "out.mkv"
    make_video(source, frames=3, size=(64, 16))
    assert copy(source, result, codec=codec, preset=preset) == (3, [])


@pytest.mark.parametrize(
    ("name", "codec"), [("out.wmv", None), ("out.mxf", None), ("out.mxf", "h264"), ("o.avi", "h264")]
)
def test_frames_stay_in_order_where_only_decode_times_are_stored(tmp_path, name, codec):
    source, result = tmp_path / "in.mp4", tmp_path / name
    make_video(source)
    assert copy(source, result, codec=codec) == (12, [])
    assert [frame.time for frame in open_reader(result)] == times_of(source)


def test_variable_times_in_wmv(tmp_path):
    source, result = tmp_path / "in.mkv", tmp_path / "out.wmv"
    make_video(source, times=[0, 33, 67, 133, 150, 400, 401], time_base=MS)
    assert copy(source, result) == (7, [])
    assert times_of(result) == times_of(source)


@pytest.mark.parametrize(
    ("ending", "codec"), [("wmv", "h264"), ("ts", "av1"), ("mpg", "mjpeg"), ("mpg", "h264"), ("wtv", "ffv1")]
)
def test_what_the_muxer_takes_and_no_reader_finds(reader, tmp_path, ending, codec):
    with pytest.raises(OutputError, match=f"files cannot hold {codec} video; use another extension or codec"):
        open_writer(tmp_path / f"out.{ending}", reader, codec=codec)


@pytest.mark.parametrize("ending", ["mxf", "h264", "m2v"])
def test_files_without_times_say_what_they_move(tmp_path, ending):
    source = tmp_path / "in.mkv"
    make_video(source, times=[0, 33, 67, 133, 150, 400, 401], time_base=MS, rate=Fraction(25))
    count, warnings = copy(source, tmp_path / f"out.{ending}")
    assert count == 7
    assert len(warnings) == 1
    assert "frames were moved by up to 200 ms" in warnings[0]
