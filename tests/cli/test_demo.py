"""`vdeblur demo`: what `make demo` runs, with fewer frames, and with a clip of one's own."""

import cv2
import pytest

from tests.cli.conftest import frame_count, pictures, read_images, write_video
from vdeblur_fast.cli import demo
from vdeblur_fast.cli.main import main
from vdeblur_fast.weights import available

pytestmark = pytest.mark.skipif("mmp-rnn-tiny" not in available(), reason="the default network has no weights here")


def test_the_photograph_is_made_blurry_and_sharp_again(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(demo, "FRAMES", 4)
    assert main(["demo", "--output", str(tmp_path / "out")]) == 0
    out = tmp_path / "out"
    names = {"original.mp4", "blurry.mp4", "sharp.mp4", "before-after.mp4", "before-after.png"}
    assert {path.name for path in out.iterdir()} == {*names, demo.MARK}
    assert all(frame_count(out / name) == 4 for name in names if name.endswith(".mp4"))
    assert cv2.imread(str(out / "before-after.png")).shape == (512, 1024, 3)
    said = capsys.readouterr().out
    assert "$ vdeblur run" in said
    assert "PSNR, dB" in said


def test_a_clip_of_ones_own(tmp_path, capsys):
    clip = write_video(tmp_path / "in.mp4", pictures(3))
    before = clip.read_bytes()
    assert main(["demo", "--input", str(clip), "--output", str(tmp_path / "out")]) == 0
    assert frame_count(tmp_path / "out" / "sharp.mp4") == 3
    assert read_images(tmp_path / "out" / "before-after.mp4")[0].shape == (48, 64, 3)
    assert clip.read_bytes() == before
    assert main(["demo", "--input", str(clip), "--output", str(tmp_path / "out")]) == 0


@pytest.mark.parametrize("name", ["sharp.mp4", "before-after.mp4", "before-after.png"])
def test_what_was_in_the_folder_stays(tmp_path, capsys, name):
    clip = write_video(tmp_path / "in.mp4", pictures(3))
    mine = tmp_path / name
    mine.write_text("mine")
    command = ["demo", "--input", str(clip), "--output", str(tmp_path)]
    assert main(command) == 2
    assert mine.read_text() == "mine"
    assert sorted(tmp_path.iterdir()) == sorted([clip, mine])
    said = f"vdeblur: {mine} was there before; name another folder with --output, or add --overwrite to replace it\n"
    assert capsys.readouterr().err == said
    assert main([*command, "--overwrite"]) == 0
    assert mine.read_bytes() != b"mine"
    assert main(command) == 2


def test_what_is_no_clip_is_named(tmp_path, capsys):
    assert main(["demo", "--input", str(tmp_path / "none.mp4"), "--output", str(tmp_path / "out")]) == 2
    assert "none.mp4" in capsys.readouterr().err
    assert not (tmp_path / "out" / "sharp.mp4").exists()


def test_a_folder_that_cannot_be_made_is_named(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert main(["demo", "--output", str(tmp_path / "file" / "out")]) == 2
    assert "cannot be made" in capsys.readouterr().err
