"""The clock time of a camera goes on counting."""

from fractions import Fraction

import av
import pytest

from tests.video.clips import make_video
from tests.video.test_timestamps import copy
from vdeblur_fast.video.timecode import advanced

NTSC, DOUBLE = Fraction(30000, 1001), Fraction(60000, 1001)


@pytest.mark.parametrize(
    ("before", "frames", "rate", "after"),
    [
        ("01:02:03:04", 0, Fraction(25), "01:02:03:04"),
        ("01:02:03:04", 25, Fraction(25), "01:02:04:04"),
        ("23:59:59:24", 1, Fraction(25), "00:00:00:00"),
        ("00:00:59:29", 1, NTSC, "00:01:00:00"),
        ("00:00:59;29", 1, NTSC, "00:01:00;02"),
        ("00:09:59;29", 1, NTSC, "00:10:00;00"),
        ("00:01:59;28", 2, NTSC, "00:02:00;02"),
        ("00:00:00;00", 17982, NTSC, "00:10:00;00"),
        ("23:59:59;29", 1, NTSC, "00:00:00;00"),
        ("00:00:59;59", 1, DOUBLE, "00:01:00;04"),
        ("now", 1, NTSC, None),
    ],
)
def test_counting_on(before, frames, rate, after):
    assert advanced(before, frames / rate, rate) == after


@pytest.mark.parametrize(("start", "want"), [(None, "01:02:03:04"), (0.2, "01:02:03:09")])
@pytest.mark.parametrize(("before", "after"), [("mov", "mov"), ("mp4", "mov"), ("mov", "mp4"), ("mov", "mkv")])
def test_a_timecode_track_is_kept_and_is_that_of_the_first_frame(tmp_path, before, after, start, want):
    source, result = tmp_path / f"in.{before}", tmp_path / f"out.{after}"
    make_video(source, video_metadata={"timecode": "01:02:03:04"})
    assert copy(source, result, start=start) == (12 if start is None else 7, [])
    with av.open(str(result)) as container:
        tags = {key.lower(): value for key, value in container.streams.video[0].metadata.items()}
        tracks = [stream for stream in container.streams if stream.type == "data"]
    assert tags["timecode"] == want
    assert [track.metadata["timecode"] for track in tracks] == [want] * (after != "mkv")


def test_what_is_no_timecode_is_named(tmp_path):
    source, result = tmp_path / "in.mkv", tmp_path / "out.mkv"
    make_video(source, video_metadata={"timecode": "noon"})
    _, warnings = copy(source, result, start=0.2)
    assert warnings == ["the timecode 'noon' was left out, because it cannot be counted on from"]
