"""A folder is replaced only where that deletes nothing but what we have written, and never with the input in it."""

import os
import shutil
from pathlib import Path

import cv2
import pytest

from tests.video.clips import make_video, picture
from vdeblur_fast.video import OutputError, open_reader, open_writer, process


def copy(source, target, **options):
    reader = open_reader(source)
    process(reader, open_writer(target, reader, **options), None)


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture
def ours(tmp_path):
    """A folder of three images that we have written."""
    make_video(tmp_path / "clip.mp4", frames=3)
    copy(tmp_path / "clip.mp4", tmp_path / "ours")
    return tmp_path / "ours"


@pytest.fixture
def photos(tmp_path):
    """A folder of three images that somebody else has."""
    (tmp_path / "photos").mkdir()
    for index in range(3):
        assert cv2.imwrite(str(tmp_path / "photos" / f"{index:06d}.png"), picture(index, 64, 48))
    return tmp_path / "photos"


def test_what_we_have_written_is_replaced_when_asked(ours, photos):
    with pytest.raises(OutputError, match="exists already; add --overwrite"):
        copy(photos, ours)
    copy(photos / "000001.png", ours, overwrite=True)
    assert list(content(ours)) == ["000001.png"]
    assert sorted(path.name for path in ours.parent.iterdir()) == ["clip.mp4", "ours", "photos"]


@pytest.mark.parametrize("name", ["letter.doc", "000001.png", "holiday.jpg", ".hidden.png", "folder", "empty.png"])
def test_what_others_have_written_is_not(ours, photos, name):
    """Whatever it is called."""
    if name == "folder":
        (ours / name).mkdir()
    else:
        (ours / name).write_bytes(b"" if name == "empty.png" else (photos / "000001.png").read_bytes())
    before = sorted(os.listdir(ours))
    with pytest.raises(OutputError, match=rf"ours holds other things than this command writes \({name}\), so it is"):
        copy(photos, ours, overwrite=True)
    assert sorted(os.listdir(ours)) == before
    with pytest.raises(OutputError, match=r"holds other things than this command writes \(000000.png\)"):
        copy(ours.parent / "clip.mp4", photos, overwrite=True)


def test_an_empty_folder_is_taken(photos, tmp_path):
    (tmp_path / "new").mkdir()
    copy(photos, tmp_path / "new")
    assert len(content(tmp_path / "new")) == 3


@pytest.mark.parametrize(
    "source", ["ours/%06d.png", "ours/000001.png", "ours/../ours/%06d.png", "link/%06d.png", "one.png"]
)
@pytest.mark.parametrize("target", ["ours", "link", "relative"])
def test_a_folder_with_the_input_in_it_is_not_replaced(ours, tmp_path, monkeypatch, source, target):
    (tmp_path / "link").symlink_to(ours)
    (tmp_path / "one.png").symlink_to(ours / "000001.png")
    before = content(ours)
    monkeypatch.chdir(tmp_path)
    target = Path("ours") if target == "relative" else tmp_path / target
    with pytest.raises(OutputError, match=r"the input .*png is in .*, which would be replaced; choose another folder"):
        copy(tmp_path / source, target, overwrite=True)
    assert content(ours) == before


def test_a_folder_with_a_link_to_the_input_in_it_is_not_replaced(ours, photos):
    """The images are elsewhere, but the only list of them is the folder."""
    (ours / "a.png").symlink_to(photos / "000001.png")
    with pytest.raises(OutputError, match=r"the input .*a.png is in .*ours, which would be replaced"):
        copy(ours / "a.png", ours, overwrite=True)


@pytest.mark.parametrize("source", ["ours", "ours/%06d.png"])
def test_an_image_that_is_read_is_not_replaced(ours, source):
    reader = open_reader(ours.parent / source, end=0.01)
    with pytest.raises(OutputError, match=r"000000.png is the input itself"):
        open_writer(ours / "000000.png", reader, overwrite=True)


def test_the_folder_that_one_is_in_is_not_replaced(photos, tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    for name in (".", "./", tmp_path / "here", "../here"):
        with pytest.raises(OutputError, match="is the folder you are in and cannot be replaced; name a new folder in"):
            copy(photos, name, overwrite=True)
    with pytest.raises(OutputError, match=r"is in \.\., which would be replaced"):
        copy(photos, "..", overwrite=True)
    with pytest.raises(OutputError, match="/ is the top of a disk and cannot be replaced"):
        copy(photos, "/", overwrite=True)
    assert os.listdir(tmp_path / "here") == []


def test_standard_output_is_no_folder(photos, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(OutputError, match="the output -, standard output, is not supported; name a file or a folder"):
        copy(photos, "-")
    assert os.listdir(tmp_path) == ["photos"]


@pytest.mark.parametrize("name", ["映" * 81 + ".mp4", "é" * 120 + ".mkv", "é" * 127, "1." + "x" * 253 + "/"], ids=len)
def test_names_as_long_as_they_may_be(photos, tmp_path, name):
    copy(photos, f"{tmp_path}/{name}")
    assert sorted(os.listdir(tmp_path)) == sorted(["photos", name.rstrip("/")])


@pytest.mark.parametrize("overwrite", [False, True])
def test_what_is_put_into_the_folder_meanwhile_stays(ours, photos, overwrite):
    target = ours if overwrite else ours.parent / "new"
    reader = open_reader(photos)
    writer = open_writer(target, reader, overwrite=overwrite)
    target.mkdir(exist_ok=True)
    (target / "notes.txt").write_text("mine")
    before = content(target)
    (ours.parent / f"{target.name}-1").mkdir()
    said = rf"something has appeared at .*{target.name} and was kept; the result is in .*{target.name}-2"
    with pytest.raises(OutputError, match=said):
        process(reader, writer, None)
    assert content(target) == before
    assert len(content(ours.parent / f"{target.name}-2")) == 3
    assert not list(ours.parent.glob(".*"))


def test_a_file_that_appears_meanwhile_stays(photos, tmp_path):
    reader = open_reader(photos)
    writer = open_writer(tmp_path / "out.mp4", reader)
    (tmp_path / "out.mp4").write_text("mine")
    with pytest.raises(OutputError, match=r"out.mp4 and was kept; the result is in .*out-1.mp4"):
        process(reader, writer, None)
    assert (tmp_path / "out.mp4").read_text() == "mine"
    assert open_reader(tmp_path / "out-1.mp4").frames_estimate == 3
    assert sorted(os.listdir(tmp_path)) == ["out-1.mp4", "out.mp4", "photos"]


def test_the_old_folder_comes_back_where_the_new_one_cannot_be_put(ours, photos, monkeypatch):
    before, replace = content(ours), os.replace

    def failing(source, target):
        if Path(target) == ours and len(os.listdir(source)) == 1:
            raise PermissionError(13, "Permission denied")
        replace(source, target)

    monkeypatch.setattr(os, "replace", failing)
    with pytest.raises(OutputError, match="not writable"):
        copy(photos / "000001.png", ours, overwrite=True)
    assert content(ours) == before
    assert sorted(os.listdir(ours.parent)) == ["clip.mp4", "ours", "photos"]


def test_interrupted_while_the_old_folder_is_removed(ours, photos, monkeypatch):
    """It has been replaced, and nothing of it stays hidden."""
    remove = shutil.rmtree

    def interrupted(path, **options):
        monkeypatch.setattr(shutil, "rmtree", remove)
        os.remove(path / "000001.png")
        raise KeyboardInterrupt

    monkeypatch.setattr(shutil, "rmtree", interrupted)
    with pytest.raises(KeyboardInterrupt):
        copy(photos / "000001.png", ours, overwrite=True)
    assert list(content(ours)) == ["000001.png"]
    assert sorted(os.listdir(ours.parent)) == ["clip.mp4", "ours", "photos"]
