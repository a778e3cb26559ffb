"""YUV <-> RGB: the right matrix and range, and nothing lost on the way there and back."""

import av
import numpy as np
import pytest

from tests.video.clips import make_video, picture, yuv_frame
from vdeblur_fast.video import open_reader, open_writer, process
from vdeblur_fast.video.chroma import double, halve
from vdeblur_fast.video.colour import BT601, BT709, BT2020, FULL, LIMITED, Colour, from_rgb, to_rgb
from vdeblur_fast.video.planes import empty_frame, get_planes, layout, planar_equivalent

PRIMARIES = {BT709: (0.2126, 0.0722), BT601: (0.299, 0.114), BT2020: (0.2627, 0.0593)}
FORMATS = [
    "yuv420p",
    "yuv422p",
    "yuv440p",
    "yuv444p",
    "yuv420p10le",
    "yuv422p10le",
    "yuv444p12le",
    "yuva420p",
]


def codes_to_rgb(planes, matrix, full, bits):
    """The textbook formula, per pixel, in float64: RGB in 0..1."""
    red, blue = PRIMARIES[matrix]
    step = 2 ** (bits - 8)
    luma, cb, cr = (plane.astype(float) for plane in planes)
    if full:
        largest = 2**bits - 1
        luma, cb, cr = luma / largest, (cb - 128 * step) / largest, (cr - 128 * step) / largest
    else:
        luma, cb, cr = (
            (luma - 16 * step) / (219 * step),
            (cb - 128 * step) / (224 * step),
            (cr - 128 * step) / (224 * step),
        )
    r = luma + 2 * (1 - red) * cr
    b = luma + 2 * (1 - blue) * cb
    g = (luma - red * r - blue * b) / (1 - red - blue)
    return np.clip(np.stack((r, g, b), -1), 0, 1)


@pytest.mark.parametrize("span", [LIMITED, FULL], ids=["limited", "full"])
@pytest.mark.parametrize("matrix", [BT709, BT601, BT2020], ids=["bt709", "bt601", "bt2020"])
@pytest.mark.parametrize("pix_fmt", ["yuv444p", "yuv444p10le", "yuv444p12le"])
def test_to_rgb_matches_the_formula(pix_fmt, matrix, span):
    frame = yuv_frame(3, 40, 30, pix_fmt)
    form = layout(pix_fmt)
    want = codes_to_rgb(get_planes(frame, form), matrix, span == FULL, form.bits)
    got = to_rgb(frame, Colour(matrix=matrix, range=span))
    top = 255 if form.bits == 8 else 65535
    assert got.dtype == (np.uint8 if form.bits == 8 else np.uint16)
    assert np.abs(got / top - want).max() <= 0.51 / top


@pytest.mark.parametrize(("pix_fmt", "white"), [("yuv444p", 235), ("yuv444p10le", 940), ("yuv444p12le", 3760)])
def test_white_is_the_full_scale(pix_fmt, white):
    form = layout(pix_fmt)
    frame = empty_frame(pix_fmt, 6, 4)
    middle = 2 ** (form.bits - 1)
    for plane, value in zip(get_planes(frame, form), (white, middle, middle), strict=True):
        plane[:] = value
    rgb = to_rgb(frame, Colour(matrix=BT709, range=LIMITED))
    assert (rgb == np.iinfo(rgb.dtype).max).all()


@pytest.mark.parametrize("size", [(64, 48), (40, 131), (33, 17), (1, 8), (8, 1), (2, 2), (1, 1)], ids=str)
@pytest.mark.parametrize("pix_fmt", FORMATS)
def test_there_and_back_changes_nothing(pix_fmt, size):
    form = layout(pix_fmt)
    colour = Colour(hd=False)
    frame = yuv_frame(1, *size, pix_fmt)
    back = from_rgb(to_rgb(frame, colour), pix_fmt, colour, was_halved=True)
    whole = slice(0, -2) if min(size) > 8 else slice(0, 0)  # a half-covered last sample cannot be exact
    for number, (old, new) in enumerate(zip(get_planes(frame, form), get_planes(back, form), strict=True)):
        inside = (slice(None), slice(None)) if number == 0 else (whole, whole)
        assert np.abs(old.astype(int) - new.astype(int))[inside].max(initial=0) <= 1


@pytest.mark.parametrize("site", ["first", "middle"])
@pytest.mark.parametrize("axis", [0, 1])
def test_halving_undoes_doubling_exactly(axis, site):
    plane = np.random.default_rng(0).random((12, 10)).astype(np.float32)
    again = halve(double(plane, axis, site, 2 * plane.shape[axis]), axis, site, was_halved=True)
    np.testing.assert_allclose(again, plane, atol=1e-6)


@pytest.mark.parametrize("was_halved", [True, False])
@pytest.mark.parametrize("site", ["first", "middle"])
def test_halving_keeps_flat_colour(site, was_halved):
    np.testing.assert_allclose(halve(np.full((7, 9), 0.3, np.float32), 1, site, was_halved), 0.3, atol=1e-6)


PACKED = {
    "nv12": "yuv420p",
    "p010le": "yuv420p10le",
    "yuyv422": "yuv422p",
    "yuv411p": "yuv422p",
    "bgra": "gbrp",
    "pal8": "gbrp",
    "rgb48le": "gbrp16le",
    "ya8": "gray",
    "gray16be": "gray16le",
}


@pytest.mark.parametrize(("name", "planar"), PACKED.items())
def test_packed_formats_become_planar_ones(name, planar):
    assert planar_equivalent(name) == planar


def test_packed_rgb_is_read_exactly():
    image = picture(2, 20, 10)
    frame = av.VideoFrame.from_ndarray(image, format="rgb24")
    assert (to_rgb(frame, Colour()) == image).all()


@pytest.mark.parametrize(
    ("tags", "size"),
    [
        ({"colorspace": 1, "color_primaries": 1, "color_trc": 1, "color_range": 1}, (64, 48)),
        ({"colorspace": 9, "color_primaries": 9, "color_trc": 16, "color_range": 1}, (64, 48)),
        ({"colorspace": 9, "color_primaries": 9, "color_trc": 18, "color_range": 1}, (64, 48)),
        ({"colorspace": 6, "color_primaries": 6, "color_trc": 6, "color_range": 2}, (64, 48)),
        ({}, (64, 48)),
        ({}, (96, 720)),
    ],
    ids=["bt709", "pq", "hlg", "601-full", "untagged-sd", "untagged-hd"],
)
@pytest.mark.parametrize(
    ("container", "pix_fmt", "lossless"),
    [("mp4", "yuv420p", {"crf": 0}), ("mkv", "yuv420p10le", {"codec": "ffv1"})],
    ids=["mp4-8bit", "mkv-10bit"],
)
def test_tags_stay_and_pixels_are_neutral(tmp_path, tags, size, container, pix_fmt, lossless):
    source, result = tmp_path / f"in.{container}", tmp_path / f"out.{container}"
    make_video(source, frames=2, size=size, colour=tags, pix_fmt=pix_fmt)
    reader = open_reader(source)
    process(reader, open_writer(result, reader, **lossless), None)
    with av.open(str(source)) as before, av.open(str(result)) as after:
        for name in ("colorspace", "color_primaries", "color_trc", "color_range"):
            assert getattr(before.streams.video[0], name) == getattr(after.streams.video[0], name)
        for old, new in zip(before.decode(video=0), after.decode(video=0), strict=True):
            form = layout(old.format.name)
            for one, two in zip(get_planes(old, form), get_planes(new, form), strict=True):
                assert np.abs(one.astype(int) - two.astype(int)).max() <= 1


def test_untagged_means_bt709_for_hd_and_bt601_below():
    assert Colour(hd=True).red_blue == PRIMARIES[BT709]
    assert Colour(hd=False).red_blue == PRIMARIES[BT601]


@pytest.mark.parametrize(
    ("pix_fmt", "codec"),
    [("yuvj420p", "mjpeg"), ("gray", "ffv1"), ("gray10le", "ffv1"), ("gbrp10le", "ffv1")],
)
def test_other_families_keep_their_look(tmp_path, pix_fmt, codec):
    source, result = tmp_path / "in.mkv", tmp_path / "out.mkv"
    make_video(source, frames=2, codec=codec, pix_fmt=pix_fmt)
    reader = open_reader(source)
    process(reader, open_writer(result, reader, crf=1, pix_fmt="yuv444p10le"), None)
    for before, after in zip(reader, open_reader(result), strict=True):
        top, other = np.iinfo(before.image.dtype).max, np.iinfo(after.image.dtype).max
        assert np.abs(before.image / top - after.image / other).mean() < 0.004


def test_jpeg_video_has_the_colours_of_jpeg(tmp_path):
    source, result = tmp_path / "in.mkv", tmp_path / "out.mkv"
    make_video(source, frames=1, size=(48, 720), colour={"colorspace": 1}, options={"qp": "0"})
    reader = open_reader(source)
    process(reader, open_writer(result, reader, codec="mjpeg"), None)
    before, after = next(iter(reader)).image, next(iter(open_reader(result))).image
    assert np.abs(before.astype(int) - after).mean() < 3
