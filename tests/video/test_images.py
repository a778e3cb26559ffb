"""Folders of images in and out: order, names, depth, transparency."""

from fractions import Fraction

import cv2
import numpy as np
import pytest

from tests.video.clips import make_video, picture, times_of
from vdeblur_fast.video import InputError, OutputError, open_reader, open_writer, process
from vdeblur_fast.video.images import read_image


def save(path, image):
    code = cv2.COLOR_RGBA2BGRA if image.shape[2] == 4 else cv2.COLOR_RGB2BGR
    assert cv2.imwrite(str(path), cv2.cvtColor(image, code))


@pytest.fixture
def folder(tmp_path):
    """Twelve 8-bit images whose natural order is not the alphabetical one."""
    place = tmp_path / "in"
    place.mkdir()
    for index in range(12):
        save(place / f"f{index}.png", picture(index, 20, 14))
    (place / "notes.txt").write_text("not an image")
    (place / ".hidden.png").write_text("neither")
    return place


def test_natural_order_and_times(folder):
    reader = open_reader(folder, frame_rate=Fraction(24))
    frames = list(reader)
    assert [frame.name for frame in frames] == [f"f{index}.png" for index in range(12)]
    assert [frame.time for frame in frames] == [Fraction(index, 24) for index in range(12)]
    assert all((frame.image == picture(index, 20, 14)).all() for index, frame in enumerate(frames))
    assert (reader.width, reader.height, reader.bit_depth, reader.frames_estimate) == (20, 14, 8, 12)


@pytest.mark.parametrize("extension", ["png", "jpg", "tif", "webp", "bmp", "ppm"])
def test_kinds_of_images(tmp_path, extension):
    save(tmp_path / f"a.{extension}", picture(0, 33, 17))
    (frame,) = open_reader(tmp_path)
    assert frame.image.shape == (17, 33, 3)
    assert np.abs(frame.image.astype(int) - picture(0, 33, 17)).mean() < 6


@pytest.mark.parametrize("extension", ["png", "tif"])
def test_16_bits_survive(tmp_path, extension):
    (tmp_path / "in").mkdir()
    image = picture(3, 20, 14, top=65535)
    save(tmp_path / "in" / f"a.{extension}", image)
    reader = open_reader(tmp_path / "in")
    assert reader.bit_depth == 16
    process(reader, open_writer(tmp_path / "out", reader), None)
    assert (read_image(tmp_path / "out" / "a.png") == image).all()


def test_the_same_names_come_out(folder, tmp_path):
    reader = open_reader(folder)
    process(reader, open_writer(f"{tmp_path}/out/", reader), None)
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == sorted(f"f{index}.png" for index in range(12))
    for index in range(12):
        assert (read_image(tmp_path / "out" / f"f{index}.png") == picture(index, 20, 14)).all()


def test_names_stay_apart(tmp_path):
    (tmp_path / "in").mkdir()
    for name in ("a.png", "a.jpg", "b.bmp"):
        save(tmp_path / "in" / name, picture(0, 20, 14))
    reader = open_reader(tmp_path / "in")
    process(reader, open_writer(tmp_path / "out", reader), None)
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["a.jpg.png", "a.png.png", "b.png"]


def test_no_name_is_given_twice(tmp_path):
    """Not even to two that differ in capitals, which are one file on some disks."""
    (tmp_path / "in").mkdir()
    for index, name in enumerate(("a.jpg", "a.png", "a.jpg.png", "A.bmp", "B.png", "b.PNG")):
        save(tmp_path / "in" / name, picture(index, 20, 14))
    reader = open_reader(tmp_path / "in")
    process(reader, open_writer(tmp_path / "out", reader), None)
    names = {path.name.casefold() for path in (tmp_path / "out").iterdir()}
    assert len(names) == 6
    assert {"a.jpg.png", "a.png.png", "a.jpg.png.png", "a.bmp.png"} <= names


def test_transparency_and_grey(tmp_path):
    (tmp_path / "in").mkdir()
    image = np.dstack((picture(0, 20, 14), np.arange(280, dtype=np.uint8).reshape(14, 20)))
    save(tmp_path / "in" / "a.png", image)
    cv2.imwrite(str(tmp_path / "in" / "b.png"), picture(1, 20, 14)[..., 0])
    reader = open_reader(tmp_path / "in")
    process(reader, open_writer(tmp_path / "out", reader), None)
    assert (read_image(tmp_path / "out" / "a.png") == image).all()
    assert (read_image(tmp_path / "out" / "b.png") == picture(1, 20, 14)[..., :1]).all()


def test_images_to_a_video_and_back(folder, tmp_path):
    reader = open_reader(folder, frame_rate=Fraction(25))
    process(reader, open_writer(tmp_path / "a.mkv", reader, codec="ffv1"), None)
    video = open_reader(tmp_path / "a.mkv")
    assert times_of(tmp_path / "a.mkv") == [Fraction(index, 25) for index in range(12)]
    process(video, open_writer(tmp_path / "out", video), None)
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [f"{index:06d}.png" for index in range(12)]
    for index in range(12):
        assert (read_image(tmp_path / "out" / f"{index:06d}.png") == picture(index, 20, 14)).all()


def test_images_to_mp4_play_everywhere(folder, tmp_path):
    reader = open_reader(folder)
    process(reader, open_writer(tmp_path / "a.mp4", reader), None)
    video = open_reader(tmp_path / "a.mp4")
    assert (video.codec, video.pix_fmt, video.colour.matrix) == ("h264", "yuv420p", 1)
    assert np.abs(next(iter(video)).image.astype(int) - picture(0, 20, 14)).mean() < 4


def test_frames_of_a_turned_video_come_out_upright(tmp_path):
    make_video(tmp_path / "a.mp4", frames=1, rotation=-90)
    reader = open_reader(tmp_path / "a.mp4")
    process(reader, open_writer(tmp_path / "out", reader), None)
    assert read_image(tmp_path / "out" / "000000.png").shape == (64, 48, 3)


def test_one_image_in_and_out(tmp_path):
    save(tmp_path / "a.png", picture(0, 20, 14))
    reader = open_reader(tmp_path / "a.png")
    process(reader, open_writer(tmp_path / "b.tif", reader), None)
    assert (read_image(tmp_path / "b.tif") == picture(0, 20, 14)).all()


def test_many_images_do_not_go_into_one(folder, tmp_path):
    with pytest.raises(OutputError, match=r"b.png is one image, but .*in has many; name a folder"):
        open_writer(tmp_path / "b.png", open_reader(folder))


def test_the_transparency_that_a_video_cannot_hold_is_told(tmp_path):
    save(tmp_path / "a.png", np.dstack((picture(0, 20, 14), picture(1, 20, 14)[..., 0])))
    reader = open_reader(tmp_path / "a.png")
    assert reader.has_alpha
    writer = open_writer(tmp_path / "a.mkv", reader, codec="ffv1")
    writer.abort()
    assert writer.warnings == ["the transparency of a.png was left out"]


def test_patterns(folder, tmp_path):
    assert [frame.name for frame in open_reader(folder / "f%d.png")] == [f"f{index}.png" for index in range(12)]
    with pytest.raises(InputError, match=r"no file matches .*g%03d.png"):
        open_reader(folder / "g%03d.png")


def test_parts_of_a_folder(folder):
    frames = list(open_reader(folder, start=0.1, end=0.2))
    assert [frame.name for frame in frames] == ["f3.png", "f4.png", "f5.png"]
    with pytest.raises(InputError, match=r"no image of .* in the chosen span"):
        open_reader(folder, start=5)


def test_damaged_images_are_counted(folder):
    (folder / "f4.png").write_bytes(b"\x89PNG broken")
    reader = open_reader(folder)
    assert len(list(reader)) == 11
    assert reader.problems == ["in is damaged: 11 of 12 images could be read (f4.png could not)"]


def test_a_deeper_image_after_the_first_is_told(folder):
    save(folder / "f5.png", picture(5, 20, 14, top=65535))
    reader = open_reader(folder)
    frames = list(reader)
    assert {frame.image.dtype for frame in frames} == {np.dtype(np.uint8)}
    assert np.abs(frames[5].image - picture(5, 20, 14).astype(int)).max() <= 1
    (problem,) = reader.problems
    assert problem.startswith("the first image has 8 bits, so the 16 bits of others were reduced to 8 (f5.png);")


def test_images_of_another_size_are_a_mistake(folder):
    save(folder / "f5.png", picture(0, 10, 10))
    with pytest.raises(InputError, match=r"f5.png is 10x10 but the images before it are 20x14"):
        list(open_reader(folder))
