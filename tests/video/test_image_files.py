"""What one image file holds is read, written where the kind can hold it, and told where it cannot."""

import struct

import cv2
import numpy as np
import pytest

from tests.video.clips import make_video, picture
from vdeblur_fast.video import OutputError, open_reader, open_writer, process
from vdeblur_fast.video.image_file import read_image, read_image_file

ALPHA = np.arange(48 * 64, dtype=np.uint16).reshape(48, 64) % 200 + 55
HEADER = bytes(8) + b"mntrRGB XYZ " + bytes(12) + b"acsp" + bytes(28) + bytes.fromhex("0000f6d6 00010000 0000d32d")
TAG = (1).to_bytes(4) + b"desc" + (144).to_bytes(4) + (256).to_bytes(4) + bytes(range(256))
PROFILE = (400).to_bytes(4) + HEADER + bytes(48) + TAG


def encoded(image: np.ndarray, suffix: str, kind=None, data: bytes = b"") -> bytes:
    """An image file, perhaps with EXIF or a colour profile."""
    code = cv2.COLOR_RGBA2BGRA if image.shape[2] == 4 else cv2.COLOR_RGB2BGR
    image = cv2.cvtColor(image, code)
    if kind is None:
        return cv2.imencode(suffix, image)[1].tobytes()
    return cv2.imencodeWithMetadata(suffix, image, [kind], [np.frombuffer(data, np.uint8)])[1].tobytes()


def exif(turn: int, order: str) -> bytes:
    sign = b"MM\0*" if order == ">" else b"II*\0"
    return sign + struct.pack(order + "IHHHIHHI", 8, 1, 0x0112, 3, 1, turn, 0, 0)


@pytest.fixture
def convert(tmp_path):
    """Writes an image, sends it through reader and writer, and returns what was written and the warnings."""

    def converted(image: np.ndarray, name: str) -> tuple[np.ndarray, list[str]]:
        (tmp_path / "in.png").write_bytes(encoded(image, ".png"))
        reader = open_reader(tmp_path / "in.png")
        writer = open_writer(tmp_path / name, reader)
        process(reader, writer, None)
        return read_image(tmp_path / name), writer.warnings

    return converted


@pytest.mark.parametrize("suffix", ["png", "tif", "jp2", "ppm"])
def test_16_bits_are_kept(convert, suffix):
    image = picture(0, 64, 48, top=65535)
    written, warnings = convert(image, f"out.{suffix}")
    assert (written.dtype, warnings) == (np.uint16, [])
    assert np.abs(written.astype(int) - image).mean() < 300


@pytest.mark.parametrize("suffix", ["jpg", "jpeg", "jpe", "webp", "bmp", "dib", "avif", "JPG"])
def test_16_bits_are_rounded_to_8_where_a_file_holds_no_more(convert, suffix):
    written, warnings = convert(picture(0, 64, 48, top=65535), f"out.{suffix}")
    assert written.dtype == np.uint8
    assert np.abs(written.astype(int) - picture(0, 64, 48)).mean() < 3
    assert warnings == ["the colours were reduced from 16 to 8 bits"]


@pytest.mark.parametrize("suffix", ["png", "tif", "webp", "bmp", "avif"])
def test_transparency_is_kept(convert, suffix):
    image = np.dstack((picture(0, 64, 48), ALPHA.astype(np.uint8)))
    written, warnings = convert(image, f"out.{suffix}")
    assert warnings == []
    assert np.abs(written[..., 3].astype(int) - image[..., 3]).mean() < 3


@pytest.mark.parametrize("suffix", ["jpg", "ppm", "pnm"])
def test_transparency_that_a_file_cannot_hold_is_told(convert, suffix):
    image = np.dstack((picture(0, 64, 48), ALPHA.astype(np.uint8)))
    written, warnings = convert(image, f"out.{suffix}")
    assert warnings == ["the transparency of in.png was left out"]
    assert np.abs(written.astype(int) - image[..., :3]).mean() < 3


def test_transparency_that_before_and_after_cannot_have_is_told(tmp_path):
    (tmp_path / "in.png").write_bytes(encoded(np.dstack((picture(0, 64, 48), ALPHA.astype(np.uint8))), ".png"))
    reader = open_reader(tmp_path / "in.png")
    writer = open_writer(tmp_path / "out.png", reader, size=(128, 48))
    process(reader, writer, None, transform=lambda before, after: np.hstack((before, after)))
    assert writer.warnings == ["the transparency of in.png was left out"]


def test_what_a_video_cannot_have_of_a_later_image_is_told(tmp_path):
    image = picture(0, 64, 48)
    seen = np.dstack((image, ALPHA.astype(np.uint8)))
    (tmp_path / "0.png").write_bytes(encoded(image, ".png"))
    (tmp_path / "1.png").write_bytes(encoded(seen, ".png", cv2.IMAGE_METADATA_ICCP, PROFILE))
    (tmp_path / "2.png").write_bytes(encoded(seen, ".png"))
    reader = open_reader(tmp_path / "%d.png")
    writer = open_writer(tmp_path / "out.mp4", reader)
    process(reader, writer, None)
    lost = ["the transparency of %d.png was left out", "the colour profile of %d.png was left out"]
    assert [sentence for sentence in writer.warnings if "left out" in sentence] == lost


@pytest.mark.parametrize("name", [b"sRGB IEC61966-2.1", "sRGB".encode("utf-16-be")])
def test_a_profile_that_a_video_has_anyway_is_not_told(tmp_path, name):
    profile = PROFILE[: -len(name)] + name
    (tmp_path / "in.jpg").write_bytes(encoded(picture(0, 64, 48), ".jpg", cv2.IMAGE_METADATA_ICCP, profile))
    reader = open_reader(tmp_path / "in.jpg")
    writer = open_writer(tmp_path / "out.mp4", reader)
    process(reader, writer, None)
    assert not any("profile" in sentence for sentence in writer.warnings)


def test_the_transparency_of_a_video_is_told(tmp_path):
    make_video(tmp_path / "in.mp4", frames=1)
    reader = open_reader(tmp_path / "in.mp4")
    reader.has_alpha = True
    writer = open_writer(tmp_path / "out", reader)
    process(reader, writer, None)
    assert writer.warnings == ["the transparency of in.mp4 was left out"]


@pytest.mark.parametrize("suffix", ["pgm", "pbm"])
def test_kinds_without_colours_are_refused(convert, tmp_path, suffix):
    with pytest.raises(OutputError, match=rf"which .{suffix} files cannot hold; use .png"):
        convert(picture(0, 64, 48), f"out.{suffix}")
    assert [path.name for path in tmp_path.iterdir()] == ["in.png"]


def test_what_opencv_cannot_write_is_one_sentence_of_ours(convert, tmp_path, capfd):
    with pytest.raises(OutputError, match=r"out.jp2 cannot be written: no .jp2 file can be made of 9x9; use .png"):
        convert(picture(0, 9, 9), "out.jp2")
    assert [path.name for path in tmp_path.iterdir()] == ["in.png"]
    (tmp_path / "bad.png").write_bytes((tmp_path / "in.png").read_bytes()[:60])
    assert read_image(tmp_path / "bad.png") is None
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("suffix", [".png", ".webp"])
@pytest.mark.parametrize("turn", range(1, 9))
def test_photographs_come_upright_with_transparency_and_without(tmp_path, turn, suffix):
    image = picture(0, 64, 48)
    for name, stored in (("opaque", image), ("clear", np.dstack((image, ALPHA.astype(np.uint8))))):
        data = encoded(stored, suffix, cv2.IMAGE_METADATA_EXIF, exif(turn, "<>"[turn % 2]))
        (tmp_path / f"{name}{suffix}").write_bytes(data)
    opaque, clear = (read_image(tmp_path / f"{name}{suffix}") for name in ("opaque", "clear"))
    assert opaque.shape == ((64, 48, 3) if turn > 4 else (48, 64, 3))  # OpenCV turns these
    assert clear.shape == (*opaque.shape[:2], 4)
    assert np.abs(clear[..., :3].astype(int) - opaque).mean() < 3
    assert (turn == 1) == (clear.shape == (48, 64, 4) and (clear[..., 3] == ALPHA).all())


def test_damaged_exif_turns_nothing(tmp_path):
    image = np.dstack((picture(0, 64, 48), ALPHA.astype(np.uint8)))
    (tmp_path / "a.png").write_bytes(encoded(image, ".png", cv2.IMAGE_METADATA_EXIF, exif(6, ">")[:12]))
    assert (read_image(tmp_path / "a.png") == image).all()


@pytest.mark.parametrize("kind", [".png", ".jpg", ".webp"])
@pytest.mark.parametrize("target", ["out", "out.png", "out.jpg", "out.webp", "out.avif"])
def test_colour_profiles_are_kept(tmp_path, kind, target):
    data = encoded(picture(0, 64, 48), kind, cv2.IMAGE_METADATA_ICCP, PROFILE)
    (tmp_path / f"in{kind}").write_bytes(data)
    reader = open_reader(tmp_path / f"in{kind}")
    writer = open_writer(tmp_path / target, reader)
    process(reader, writer, None)
    assert writer.warnings == []
    written = tmp_path / target / "in.png" if target == "out" else tmp_path / target
    if target != "out.avif":  # of which OpenCV does not read it
        assert read_image_file(written).profile == PROFILE
    else:
        assert PROFILE in written.read_bytes()


@pytest.mark.parametrize(
    ("profile", "target"),
    [(PROFILE, "out.tif"), (PROFILE.replace(b"RGB ", b"GRAY"), "out.jpg"), (PROFILE[:-9], "out.png")],
)
def test_colour_profiles_that_are_lost_are_told(tmp_path, profile, target):
    (tmp_path / "in.jpg").write_bytes(encoded(picture(0, 64, 48), ".jpg", cv2.IMAGE_METADATA_ICCP, profile))
    reader = open_reader(tmp_path / "in.jpg")
    writer = open_writer(tmp_path / target, reader)
    process(reader, writer, None)
    assert writer.warnings == ["the colour profile of in.jpg was left out"]
    assert read_image(tmp_path / target).shape == (48, 64, 3)


@pytest.mark.parametrize(("name", "remedy"), [("a.png", "give it a name ending in .apng"), ("a.tif", "save each as")])
def test_files_of_several_images_are_told(tmp_path, name, remedy):
    images = [cv2.cvtColor(picture(index, 64, 48), cv2.COLOR_RGB2BGR) for index in range(3)]
    if name == "a.png":
        animation = cv2.Animation()
        animation.frames, animation.durations = images, np.full(3, 40)
        assert cv2.imwriteanimation(str(tmp_path / name), animation)
    else:
        assert cv2.imwritemulti(str(tmp_path / name), images)
    reader = open_reader(tmp_path / name)
    assert len(list(reader)) == 1
    (problem,) = reader.problems
    assert problem.startswith(f"only the first image was taken of files that hold several ({name}); for all, {remedy}")
    if name == "a.png":
        (tmp_path / name).rename(tmp_path / "a.apng")
        assert len(list(open_reader(tmp_path / "a.apng"))) == 3


def of_a_camera(turn: int) -> bytes:
    """EXIF with the maker, a turn, and a thumbnail."""
    maker = struct.pack("<HHI4s", 0x010F, 2, 4, b"Cam\0")
    return b"II*\0" + struct.pack("<IH", 8, 2) + maker + struct.pack("<HHIHHI", 0x0112, 3, 1, turn, 0, 38) + bytes(6)


@pytest.mark.parametrize("turn", [1, 6])
@pytest.mark.parametrize("before", ["jpg", "png"])
@pytest.mark.parametrize("after", ["png", "jpg", "webp", "avif"])
def test_date_and_camera_stay(tmp_path, before, after, turn):
    """And no viewer turns the image again, or shows the thumbnail of the one before."""
    exif = of_a_camera(turn)
    (tmp_path / f"in.{before}").write_bytes(encoded(picture(0, 64, 48), f".{before}", cv2.IMAGE_METADATA_EXIF, exif))
    reader = open_reader(tmp_path / f"in.{before}")
    writer = open_writer(tmp_path / f"out.{after}", reader)
    process(reader, writer, None)
    assert writer.warnings == []
    data = np.fromfile(tmp_path / f"out.{after}", np.uint8)
    image, kinds, values = cv2.imdecodeWithMetadata(data, cv2.IMREAD_UNCHANGED)
    assert image.shape == ((64, 48, 3) if turn == 6 else (48, 64, 3))
    held = dict(zip(kinds, values, strict=True))[cv2.IMAGE_METADATA_EXIF].tobytes()
    assert held.removeprefix(b"Exif\0\0") == of_a_camera(1)[:34] + bytes(10)


@pytest.mark.parametrize("name", ["out.tif", "out.bmp", "out.mp4"])
def test_date_and_camera_that_a_file_cannot_hold_are_told(tmp_path, name):
    data = encoded(picture(0, 64, 48), ".jpg", cv2.IMAGE_METADATA_EXIF, of_a_camera(1))
    (tmp_path / "in.jpg").write_bytes(data)
    reader = open_reader(tmp_path / "in.jpg")
    writer = open_writer(tmp_path / name, reader)
    process(reader, writer, None)
    assert writer.warnings == ["the EXIF data of in.jpg (date, camera) was left out"]
