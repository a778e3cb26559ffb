"""Every frame comes back at its own time, whatever the container, size and number of frames."""

from fractions import Fraction

import av
import pytest

from tests.video.clips import make_video, packets_of, times_of
from vdeblur_fast.video import open_reader, open_writer, process

MS = Fraction(1, 1000)
CASES = {
    "plain": {},
    "ntsc": {"rate": Fraction(30000, 1001), "frames": 31},
    "film": {"rate": Fraction(24000, 1001), "time_base": Fraction(1, 24000)},
    "variable": {"times": [0, 33, 67, 133, 150, 400, 401], "time_base": MS},
    "late": {"times": [500 + 40 * i for i in range(12)], "time_base": MS, "audio": ("aac",)},
    "sound": {"audio": ("aac", "pcm_s16le"), "frames": 30},
    "no-b-frames": {"options": {"bf": "0"}},
    "many-b-frames": {"options": {"bf": "8", "b-adapt": "0"}, "frames": 40},
    "one": {"frames": 1},
    "two": {"frames": 2},
}


def copy(source, result, start=None, end=None, **options):
    """Sends a file through the whole pipeline unchanged; returns the number of frames and the warnings."""
    reader = open_reader(source, start, end)
    writer = open_writer(result, reader, **options)
    return process(reader, writer, None), writer.warnings


@pytest.mark.parametrize(("before", "after"), [("mp4", "mp4"), ("mkv", "mkv"), ("mkv", "mp4"), ("mov", "mov")])
@pytest.mark.parametrize("case", CASES)
def test_times_are_exact(tmp_path, case, before, after):
    source, result = tmp_path / f"in.{before}", tmp_path / f"out.{after}"
    make_video(source, **CASES[case])
    count, warnings = copy(source, result)
    assert warnings == []
    assert times_of(result) == times_of(source)
    assert len(times_of(result)) == count == len(CASES[case].get("times", range(CASES[case].get("frames", 12))))


@pytest.mark.parametrize("case", ["ntsc", "variable", "sound"])
def test_matroska_keeps_the_times_of_mp4_to_its_millisecond(tmp_path, case):
    source, result = tmp_path / "in.mp4", tmp_path / "out.mkv"
    make_video(source, **CASES[case])
    copy(source, result)
    old, new = times_of(source), times_of(result)
    assert len(old) == len(new)
    assert max(abs(a - b) for a, b in zip(old, new, strict=True)) <= MS / 2


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("in.webm", {"codec": "libvpx-vp9", "options": {"cpu-used": "8"}, "audio": ("libopus",)}),
        ("in.ts", {"audio": ("aac",)}),
        ("in.avi", {"codec": "mpeg4", "audio": ("pcm_s16le",)}),
    ],
)
def test_other_containers(tmp_path, name, options):
    source, result = tmp_path / name, tmp_path / f"out_{name}"
    make_video(source, **options)
    assert copy(source, result) == (12, [])
    assert times_of(result) == times_of(source)


def test_h264_in_avi_begins_with_its_sound(tmp_path):
    source, result = tmp_path / "in.avi", tmp_path / "out.mp4"
    make_video(source, options={"bf": "0"})
    copy(source, result)
    assert times_of(result) == [Fraction(i, 25) for i in range(12)]


@pytest.mark.parametrize("name", ["out.avi", "out.gif"])
def test_what_counts_otherwise_says_that_it_moves_frames(tmp_path, name):
    source = tmp_path / "in.mp4"  # its average rate is a fraction of large numbers
    make_video(source, times=[0, 3003, 6017, 12011, 13502, 36000, 36090], time_base=Fraction(1, 90_000))
    count, warnings = copy(source, tmp_path / name)
    assert len(times_of(tmp_path / name)) == count == 7
    assert "frames were moved by up to" in warnings[0]


def test_a_program_stream_has_a_time_for_every_frame(tmp_path):
    source, result = tmp_path / "in.mp4", tmp_path / "out.mpg"
    make_video(source)
    copy(source, result)
    new = times_of(result)
    assert [time - new[0] for time in new] == times_of(source)


def test_transport_streams_say_that_they_begin_later(tmp_path):
    source, result = tmp_path / "in.mp4", tmp_path / "out.ts"
    make_video(source)
    _, warnings = copy(source, result)
    assert "comes 80 ms later" in warnings[0]
    assert [time - Fraction(80, 1000) for time in times_of(result)] == times_of(source)


@pytest.mark.parametrize("size", [(1, 1), (1, 8), (8, 1), (33, 17), (48, 80), (17, 16), (2, 2)], ids=str)
def test_any_size_in_h264(tmp_path, size):
    source, result = tmp_path / "in.mkv", tmp_path / "out.mp4"
    make_video(source, frames=3, size=size, codec="ffv1", pix_fmt="yuv444p", options={"slices": "1", "level": "1"})
    assert copy(source, result) == (3, [])
    with av.open(str(result)) as container:
        frame = next(container.decode(video=0))
        assert (frame.width, frame.height) == size
        assert container.streams.video[0].codec_context.name == "h264"


def test_the_last_frame_keeps_its_duration(tmp_path):
    source, result = tmp_path / "in.mp4", tmp_path / "out.mp4"
    make_video(source, frames=4, durations=[1, 1, 1, 10], options={"bf": "0"})
    copy(source, result, preset="ultrafast")
    with av.open(str(source)) as before, av.open(str(result)) as after:
        assert after.streams.video[0].duration * after.streams.video[0].time_base == Fraction(13, 25)
        assert before.duration == after.duration


@pytest.mark.parametrize("codec", ["h264", "hevc"])
@pytest.mark.parametrize("name", ["out.mp4", "out.mov"])
def test_the_duration_reaches_the_end_of_a_long_last_frame(tmp_path, name, codec):
    """Frames of Matroska last as long as those before them, and B-frames come after the frame that is shown last."""
    source, result = tmp_path / "in.mkv", tmp_path / name
    times = [0, 33, 67, 100, 133, 167, 5000]
    make_video(source, times=times, durations=[33] * 7, rate=Fraction(30), time_base=MS, options={"bf": "0"})
    copy(source, result, codec=codec)
    assert times_of(result) == [time * MS for time in times]
    with av.open(str(result)) as container:
        stream = container.streams.video[0]
        assert any(packet.pts != packet.dts for packet in container.demux(stream) if packet.size)
        assert stream.duration * stream.time_base == 5033 * MS
        assert container.duration == 5_033_000


@pytest.mark.parametrize("form", ["mp4", "mkv"])
def test_a_part_begins_at_zero_and_stays_in_step(tmp_path, form):
    source, result = tmp_path / f"in.{form}", tmp_path / f"out.{form}"
    make_video(
        source,
        frames=100,
        audio=("flac",),
        subtitles="mov_text" if form == "mp4" else "subrip",
        chapters=True,
    )
    count, warnings = copy(source, result, start=0.3, end=2)
    whole, part = times_of(source), times_of(result)
    first = Fraction(8, 25)
    assert (count, warnings) == (42, [])
    assert part == [time - first for time in whole if first <= time < 2]
    sounds = {data: time for time, data in packets_of(source)[0]}
    copied = packets_of(result)[0]
    assert copied[0][0] < Fraction(1, 10)
    assert copied[-1][0] > Fraction(15, 10)
    for time, data in copied:
        assert abs(sounds[data] - first - time) <= MS
    with av.open(str(result)) as container:
        chapters = [
            (float(c["start"] * c["time_base"]), float(c["end"] * c["time_base"])) for c in container.chapters()
        ]
    assert chapters == [(0, pytest.approx(0.08)), (pytest.approx(0.08), pytest.approx(0.48))]


def test_parts_together_are_the_whole(tmp_path):
    source = tmp_path / "in.ts"
    make_video(source, frames=60, options={"g": "20"})
    whole = [frame.time for frame in open_reader(source)]
    parts = [(None, 0.5), (0.5, 1.7), (1.7, None)]
    assert [frame.time for part in parts for frame in open_reader(source, *part)] == whole
