"""What frames carry besides pixels is not lost without a word."""

import av
import pytest

from tests.video.clips import make_video
from tests.video.test_timestamps import copy
from vdeblur_fast.video import open_reader, open_writer, process
from vdeblur_fast.video.side_data import LOST

START = b"\0\0\1"
CAPTION = bytes([0xB5, 0, 0x31]) + b"GA94" + bytes([3, 0x41, 0xFF, 0xFC, 0x94, 0x2C, 0xFF])
SUPPLEMENT = START + bytes([6, 4, len(CAPTION)]) + CAPTION + b"\x80"


def captioned(source, target) -> None:
    """A copy of the H.264 file with a closed caption before each picture."""
    with av.open(str(source)) as before, av.open(str(target), "w", format="h264") as after:
        stream = after.add_stream_from_template(before.streams.video[0])
        for packet in before.demux(video=0):
            if packet.size:
                data = bytes(packet)
                picture = max(data.find(START + bytes([kind])) for kind in (0x65, 0x41, 0x61, 0x01))
                new = av.Packet(data[:picture] + SUPPLEMENT + data[picture:])
                new.pts, new.dts, new.time_base, new.stream = packet.pts, packet.dts, packet.time_base, stream
                after.mux(new)


def test_closed_captions_are_told(tmp_path):
    make_video(tmp_path / "whole.ts", frames=6, options={"bf": "0"})
    captioned(tmp_path / "whole.ts", tmp_path / "in.h264")
    count, warnings = copy(tmp_path / "in.h264", tmp_path / "out.mp4")
    assert count == 6
    assert "the closed captions in the picture of in.h264 were left out" in warnings


@pytest.mark.parametrize(("packing", "told"), [(3, True), (6, False)], ids=["side by side", "no 3D"])
def test_three_dimensions_are_told(tmp_path, packing, told):
    make_video(tmp_path / "in.mp4", frames=2, options={"x264-params": f"frame-packing={packing}"})
    _, warnings = copy(tmp_path / "in.mp4", tmp_path / "out.mp4")
    assert (LOST["STEREO3D"].format("in.mp4") in warnings) == told


@pytest.mark.parametrize("kind", LOST)
def test_everything_is_told(tmp_path, kind):
    make_video(tmp_path / "in.mp4", frames=2)
    reader = open_reader(tmp_path / "in.mp4")
    reader.lost_kinds = {kind}
    writer = open_writer(tmp_path / "out.mp4", reader)
    process(reader, writer, None)
    assert writer.warnings == [LOST[kind].format("in.mp4")]
    assert hasattr(av.sidedata.sidedata.Type, kind)
