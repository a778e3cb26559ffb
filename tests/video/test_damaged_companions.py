"""Damaged sound and subtitles cost themselves, not the run."""

import av
import pytest

from tests.video.clips import make_video, packets_of, times_of
from tests.video.test_timestamps import copy


def damaged(source, target, kind: str, places: tuple[int, ...], damage) -> None:
    """A copy of the file in which the packets of a kind at these places have other bytes."""
    with av.open(str(source)) as before, av.open(str(target), "w") as after:
        targets = [after.add_stream_from_template(stream, opaque=True) for stream in before.streams]
        counted = -1
        for packet in before.demux():
            if not packet.size:
                continue
            new, stream = packet, before.streams[packet.stream_index]
            if stream.type == kind:
                counted += 1
                if counted in places:
                    new = av.Packet(damage(bytes(packet)))
                    new.pts, new.dts, new.duration = packet.pts, packet.dts, packet.duration
                    new.time_base, new.is_keyframe = packet.time_base, packet.is_keyframe
            new.stream = targets[stream.index]
            after.mux(new)


@pytest.mark.parametrize("place", [8, -1], ids=["inside", "at the end"])
@pytest.mark.parametrize(
    ("codec", "form", "damage"),
    [
        ("ac3", "mp4", lambda data: bytes(len(data))),
        ("eac3", "mov", lambda data: data[:1]),
        ("aac", "ts", lambda data: data[:1]),
    ],
    ids=["ac3", "eac3", "aac"],
)
def test_damaged_packets_of_sound_are_left_out(tmp_path, codec, form, damage, place):
    """Sound that waits in the muxer for its turn, after the picture has ended too."""
    make_video(tmp_path / "whole.mkv", frames=25, audio=(codec,))
    whole = packets_of(tmp_path / "whole.mkv")[0]
    places = (place % len(whole), place % len(whole) - 2)
    damaged(tmp_path / "whole.mkv", tmp_path / "in.mkv", "audio", places, damage)
    count, warnings = copy(tmp_path / "in.mkv", tmp_path / f"out.{form}")
    assert (count, len(times_of(tmp_path / f"out.{form}"))) == (25, 25)
    assert len(packets_of(tmp_path / f"out.{form}")[0]) == len(whole) - 2
    assert "2 damaged packets of the audio track 1 of in.mkv cannot be copied and were left out" in warnings


def test_a_lost_packet_of_a_broadcast(tmp_path):
    """Of 188 bytes, in the midst of some frames of AAC."""
    make_video(tmp_path / "whole.ts", frames=25, audio=("aac",))
    data = bytearray((tmp_path / "whole.ts").read_bytes())
    with av.open(str(tmp_path / "whole.ts")) as container:
        sound = container.streams.audio[0].id
    begins = range(0, len(data), 188)
    mine = [i for i in begins if int.from_bytes(data[i + 1 : i + 3]) & 0x5FFF == sound]
    data[mine[8] + 1 : mine[8] + 3] = b"\x1f\xff"  # a packet that belongs to nobody
    (tmp_path / "in.ts").write_bytes(data)
    count, _ = copy(tmp_path / "in.ts", tmp_path / "out.mp4")
    assert (count, len(times_of(tmp_path / "out.mp4"))) == (25, 25)
    assert len(packets_of(tmp_path / "out.mp4")[0]) > 20


@pytest.mark.parametrize("form", ["mp4", "webm", "mkv"])
def test_a_subtitle_that_is_no_unicode_is_left_out_where_it_must_be_read(tmp_path, form):
    make_video(tmp_path / "whole.mkv", frames=25, subtitles="subrip")
    damaged(tmp_path / "whole.mkv", tmp_path / "in.mkv", "subtitle", (0,), lambda _: b"caf\xe9")
    count, warnings = copy(tmp_path / "in.mkv", tmp_path / f"out.{form}")
    assert count == 25
    texts = b"".join(data for _, data in packets_of(tmp_path / f"out.{form}", "subtitle")[0])
    assert b"Word 1" in texts
    assert (b"caf\xe9" in texts) == (form == "mkv")
    left_out = ["1 damaged packet of the subtitle track 1 of in.mkv cannot be copied and was left out"]
    assert warnings == ([] if form == "mkv" else left_out)
