"""A stream of frames: every one comes back, in order, and as if the clip had been processed whole."""

import gc
from fractions import Fraction

import numpy as np
import pytest
import torch
from torch.nn.functional import interpolate, pad

from vdeblur_fast import Deblurrer, build
from vdeblur_fast.engine.frame_format import FrameFormat
from vdeblur_fast.errors import DeviceError, NotFinite, UnknownNetwork, WeightsError
from vdeblur_fast.reference.networks import VideoNetwork


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return build("mmp-rnn-tiny").eval()


class Unchanging(VideoNetwork):
    """Gives back the frame: so the order shows."""

    past, future = 2, 2

    def encode(self, frame, state=None):
        return frame, state

    def decode(self, window, state=None):
        return window[2], state


def clip_of(frames, height, width, seed=0):
    return torch.rand(frames, 3, height, width, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("name", ["mmp-rnn-tiny", "estrnn-c70b7"])
@pytest.mark.parametrize(("height", "width"), [(33, 50), (1, 40), (64, 1), (36, 32)])
def test_a_streamed_clip_equals_the_clip_at_once(name, height, width):
    torch.manual_seed(0)
    network = build(name).eval()
    clip = clip_of(7, height, width)
    streamed = torch.stack(list(Deblurrer(network, precision="fp32", scene_cuts=False).stream(clip)))
    padded_height, padded_width = (-(-max(side, network.minimum) // 4) * 4 for side in (height, width))
    padded = pad(clip, [0, padded_width - width, 0, padded_height - height], mode="replicate")
    with torch.no_grad():
        whole = network(padded[None])[0, :, :, :height, :width]
    torch.testing.assert_close(streamed, whole, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", ["mmp-rnn-tiny", "estrnn-c70b7", "strcnn-dtb", "gsta-net-small"])
@pytest.mark.parametrize(("height", "width"), [(33, 50), (64, 1), (1, 40)])
@pytest.mark.filterwarnings("ignore:this CPU emulates bf16")
def test_bfloat16_stays_near_float32_at_every_size(name, height, width):
    """Widths of one column are where PyTorch's own convolutions go wrong on some CPUs."""
    torch.manual_seed(0)
    network, clip = build(name).eval(), clip_of(4, height, width)
    exact, fast = (
        torch.stack(list(Deblurrer(network, precision=precision, scene_cuts=False).stream(clip)))
        for precision in ("fp32", "bf16")
    )
    assert (fast - exact).square().mean().sqrt() <= 0.02 * exact.square().mean().sqrt()


@pytest.mark.parametrize("frames", [0, 1, 2, 3, 4, 5, 9])
@pytest.mark.parametrize("mode", ["stream", "windows"])
def test_every_frame_comes_back_in_order(network, frames, mode):
    engine = Deblurrer(Unchanging(), mode=mode, window=6, overlap=4)
    clip = [np.full((5, 7, 3), 20 * i, np.uint8) for i in range(frames)]
    for _ in range(2):  # and again with the same engine
        finished = list(engine.stream(clip))
        assert len(finished) == frames
        assert all(np.array_equal(a, b) for a, b in zip(finished, clip, strict=True))


def test_frames_come_out_after_the_latency_that_is_stated(network):
    engine = Deblurrer(network)
    counts = [len(engine.push(frame)) for frame in clip_of(6, 32, 32)]
    assert engine.latency == 2
    assert counts == [0, 0, 1, 1, 1, 1]
    assert len(engine.flush()) == 2
    assert engine.flush() == []


def test_each_frame_is_encoded_once_and_little_is_kept(network):
    encoded = []

    class Counting(VideoNetwork):
        past, future = 2, 2

        def encode(self, frame, state=None):
            encoded.append(1)
            return frame, state

        def decode(self, window, state=None):
            assert len(window) == 5
            return window[2], state

    engine = Deblurrer(Counting(), scene_cuts=False)
    for frame in clip_of(40, 8, 8):
        engine.push(frame)
        assert len(engine._scene._entries) <= 5
        assert len(engine._pending) <= 3
    assert len(encoded) == 40


def scenes_apart(network, first, second):
    engine = Deblurrer(network, scene_cuts=False)
    return [*engine.stream(first), *engine.stream(second)]


def test_a_scene_cut_resets_the_state(network):
    dark, bright = 0.1 + 0.1 * clip_of(5, 32, 48), 0.8 + 0.1 * clip_of(5, 32, 48, seed=1)
    together = list(Deblurrer(network).stream([*dark, *bright]))
    assert len(together) == 10
    for a, b in zip(together, scenes_apart(network, dark, bright), strict=True):
        torch.testing.assert_close(a, b)
    carried = list(Deblurrer(network, scene_cuts=False).stream([*dark, *bright]))
    assert not torch.allclose(carried[4], together[4])


def test_a_change_of_size_begins_a_scene(network):
    small, large = clip_of(3, 32, 32), clip_of(4, 40, 52)
    together = list(Deblurrer(network, scene_cuts=False).stream([*small, *large]))
    assert [tuple(frame.shape[1:]) for frame in together] == [(32, 32)] * 3 + [(40, 52)] * 4
    for a, b in zip(together, scenes_apart(network, small, large), strict=True):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize(("name", "settings"), [("gsta-net3-small", {"lookahead": 0}), ("strcnn", {"mode": "windows"})])
def test_a_change_of_size_begins_a_scene_where_nothing_waits(name, settings):
    """For `gsta-net3-small` each frame is finished when it comes; the windows of three are full when it changes."""
    torch.manual_seed(1)
    settings = {"scene_cuts": False, **settings, **({"window": 3, "overlap": 2} if "mode" in settings else {})}
    engine = Deblurrer(build(name).eval(), **settings)
    small, large = clip_of(3, 32, 32), clip_of(4, 40, 52)
    together = list(engine.stream([*small, *large]))
    for a, b in zip(together, [*engine.stream(small), *engine.stream(large)], strict=True):
        torch.testing.assert_close(a, b)


def test_windows_compute_what_the_papers_evaluate(network):
    clip = clip_of(10, 32, 32)
    windowed = list(
        Deblurrer(network, precision="fp32", mode="windows", window=6, overlap=4, scene_cuts=False).stream(clip)
    )
    with torch.no_grad():
        first, second = network(clip[None, 0:6])[0], network(clip[None, 2:8])[0]
        last = network(clip[None, 4:10])[0]
    expected = [*first[:4], *second[2:4], *last[2:]]
    for a, b in zip(windowed, expected, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-5)


def test_the_last_window_is_moved_back(network):
    clip = clip_of(9, 32, 32)  # windows at 0 and 2 leave one frame: the last one starts at 3
    windowed = list(
        Deblurrer(network, precision="fp32", mode="windows", window=6, overlap=4, scene_cuts=False).stream(clip)
    )
    with torch.no_grad():
        last = network(clip[None, 3:9])[0]
    torch.testing.assert_close(windowed[8], last[5], rtol=1e-5, atol=1e-5)


def test_strength_blends_with_the_source(network):
    clip = [np.asarray(frame.permute(1, 2, 0) * 255).astype(np.uint8) for frame in clip_of(3, 33, 35)]
    nothing = list(Deblurrer(network, strength=0).stream(clip))
    assert all(np.array_equal(a, b) for a, b in zip(nothing, clip, strict=True))
    floats = clip_of(3, 33, 35)
    full, half, more = (list(Deblurrer(network, strength=s).stream(floats)) for s in (1, Fraction(1, 2), 1.5))
    torch.testing.assert_close(half[1], (full[1] + floats[1]) / 2)
    torch.testing.assert_close(more[1], full[1] + (full[1] - floats[1]) / 2)
    bytes_ = list(Deblurrer(network, strength=2).stream(clip))  # what leaves the range is clamped, not wrapped
    once = list(Deblurrer(network).stream([np.float32(frame) / 255 for frame in clip]))
    wanted = [np.clip(2 * one - np.float32(frame) / 255, 0, 1) * 255 for one, frame in zip(once, clip, strict=True)]
    assert all(np.abs(np.float32(a) - b).max() <= 0.51 for a, b in zip(bytes_, wanted, strict=True))


@pytest.mark.parametrize(("shrink", "height", "width"), [(2, 68, 80), (2, 67, 81), (3, 64, 96), (4, 5, 200)])
def test_shrunk_frames_get_what_changes(network, shrink, height, width):
    clip = clip_of(5, height, width)
    size = [-(-height // shrink), -(-width // shrink)]
    small = [interpolate(frame[None], size, mode="area")[0] for frame in clip]
    sharp = list(Deblurrer(network, precision="fp32", shrink=shrink, strength=1.5).stream(clip))
    once = Deblurrer(network, precision="fp32").stream(small)
    changed = [a - b for a, b in zip(once, small, strict=True)]
    for got, source, change in zip(sharp, clip, changed, strict=True):
        assert got.shape == source.shape
        want = source + 1.5 * interpolate(change[None], [height, width], mode="bicubic")[0]
        torch.testing.assert_close(got, want, rtol=1e-4, atol=1e-5)


def test_what_a_shrunk_network_leaves_alone_is_left_alone(network):
    clip = [np.asarray(frame.permute(1, 2, 0) * 255).astype(np.uint8) for frame in clip_of(3, 70, 75)]
    same = list(Deblurrer(Unchanging(), shrink=2).stream(clip))
    assert all(np.array_equal(a, b) for a, b in zip(same, clip, strict=True))


@pytest.mark.parametrize("name", ["mmp-rnn-tiny", "strcnn-dtb"])
@pytest.mark.parametrize(("count", "views"), [(2, [(), (1, 2)]), (4, [(), (1, 2), (1,), (2,)])])
def test_an_ensemble_is_the_mean_over_mirror_images(name, count, views):
    torch.manual_seed(0)
    network, clip = build(name).eval(), clip_of(6, 33, 44)
    sharp = list(Deblurrer(network, precision="fp32", ensemble=count, scene_cuts=False).stream(clip))
    sides = 36 if name == "mmp-rnn-tiny" else 34
    padded = pad(clip, [0, 0, 0, sides - 33], mode="replicate")  # as the engine does it, before anything is turned
    alone = Deblurrer(network, precision="fp32", scene_cuts=False)
    want = [torch.stack([y.flip(axes) for y in alone.stream([x.flip(axes) for x in padded])]) for axes in views]
    torch.testing.assert_close(torch.stack(sharp), torch.stack(want).mean(0)[..., :33, :], rtol=1e-4, atol=1e-5)


def test_an_ensemble_of_an_unchanging_network_changes_nothing():
    clip = [np.asarray(frame.permute(1, 2, 0) * 255).astype(np.uint8) for frame in clip_of(5, 30, 43)]
    same = list(Deblurrer(Unchanging(), ensemble=4).stream(clip))
    assert all(np.array_equal(a, b) for a, b in zip(same, clip, strict=True))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.float64, np.float16])
def test_arrays_come_back_as_they_went_in(network, dtype):
    full = {np.uint8: 255, np.uint16: 65535}.get(dtype, 1)
    frame = (np.random.default_rng(0).random((33, 18, 3)) * full).astype(dtype)
    (sharp,) = Deblurrer(network, strength=0).stream([frame])
    assert isinstance(sharp, np.ndarray)
    assert sharp.dtype == dtype
    assert sharp.flags.c_contiguous
    np.testing.assert_allclose(sharp, frame, rtol=1e-3 if dtype == np.float16 else 1e-6)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.uint16, torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("layout", ["HWC", "CHW"])
def test_tensors_come_back_as_they_went_in(network, dtype, layout):
    full = {torch.uint8: 255, torch.uint16: 65535}.get(dtype, 1)
    shape = (33, 18, 3) if layout == "HWC" else (3, 33, 18)
    frame = (torch.rand(shape) * full).to(torch.int32 if full > 1 else dtype).to(dtype)
    (sharp,) = Deblurrer(network, strength=0).stream([frame])
    assert sharp.dtype == dtype
    assert sharp.shape == frame.shape
    assert torch.equal(sharp, frame)


def test_views_and_reused_buffers_are_safe(network):
    frames = [np.random.default_rng(i).random((40, 36, 3), dtype=np.float32) for i in range(4)]
    expected = list(Deblurrer(network, strength=0.5).stream(frames))
    buffer = np.empty((40, 72, 3), np.float32)[:, ::2]
    engine, finished = Deblurrer(network, strength=0.5), []
    for frame in frames:
        buffer[:] = frame
        finished += engine.push(buffer)
    finished += engine.flush()
    for a, b in zip(finished, expected, strict=True):
        np.testing.assert_array_equal(a, b)


def test_arrays_that_must_not_be_written_to_are_frames(network, recwarn):
    frame = np.random.default_rng(0).random((40, 36, 3), np.float32)
    frame.flags.writeable = False
    (sharp,) = Deblurrer(network, strength=0).stream([frame])
    np.testing.assert_array_equal(sharp, frame)
    assert not [warning for warning in recwarn if "not writable" in str(warning.message)]


def test_tensors_that_come_back_may_be_changed_and_learned_from(network):
    weight = torch.ones((), requires_grad=True)
    for sharp in Deblurrer(network).stream(clip_of(3, 32, 32)):
        (sharp.clamp_(0, 1) * weight).sum().backward()
    assert weight.grad > 0


@pytest.mark.parametrize("left", ["closed", "failed"])
def test_a_stream_that_is_left_early_leaves_nothing_behind(network, left):
    def failing():
        yield from clip_of(4, 32, 32)
        raise OSError("the camera is gone")

    engine = Deblurrer(network)
    if left == "closed":
        stream = engine.stream(clip_of(8, 32, 32))
        next(stream)
        stream.close()
    else:
        with pytest.raises(OSError, match="the camera is gone"):
            list(engine.stream(failing()))
    clip = clip_of(4, 32, 32, seed=1)
    for a, b in zip(engine.stream(clip), Deblurrer(network).stream(clip), strict=True):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_an_image_that_is_no_number_is_said(dtype):
    class Overflowing(Unchanging):
        def decode(self, window, state=None):
            return window[2] * float("inf"), state

    with pytest.raises(NotFinite, match=r"values that are not finite .*; use other weights, or precision fp32"):
        list(Deblurrer(Overflowing()).stream([np.zeros((8, 8, 3), dtype)] * 3))


@pytest.mark.parametrize("turned", [np.s_[..., ::-1], np.s_[::-1], np.s_[:, ::-1]])
def test_arrays_of_negative_strides_are_frames(network, turned):
    frame = np.random.default_rng(0).integers(0, 256, (40, 36, 3), np.uint8)  # as OpenCV gives it: BGR
    (sharp,) = Deblurrer(network).stream([frame[turned]])
    (expected,) = Deblurrer(network).stream([frame[turned].copy()])
    np.testing.assert_array_equal(sharp, expected)


def test_integer_frames_are_rounded_and_clamped():
    format_ = FrameFormat.of(np.zeros((1, 4, 3), np.uint8))
    image = torch.tensor([-0.2, 0.5004, 0.998, 1.7]).expand(1, 3, 1, 4)
    assert format_.to_frame(image)[0, :, 0].tolist() == [0, 128, 254, 255]


@pytest.mark.parametrize(
    ("frame", "error", "message"),
    [
        ("a.png", TypeError, "numpy array or a torch tensor, got str"),
        (np.zeros((4, 4), np.uint8), ValueError, r"got shape \(4, 4\); convert grey frames"),
        (np.zeros((4, 5, 4), np.uint8), ValueError, "drop the alpha channel"),
        (np.zeros((0, 5, 3), np.uint8), ValueError, r"got shape \(0, 5, 3\)"),
        (np.zeros((4, 5, 3), np.int32), TypeError, "uint8, uint16 or floating point in 0..1, got int32"),
        (np.zeros((4, 5, 3), bool), TypeError, "got bool"),
        (np.zeros((4, 5, 3), ">u2"), TypeError, "uint8, uint16 or floating point in 0..1, got >u2"),
        (np.full((4, 5, 3), 200, np.float32), ValueError, "got values from 200 to 200; divide"),
        (np.full((4, 5, 3), np.nan, np.float32), ValueError, "got values from nan to nan"),
    ],
)
def test_wrong_frames_are_named(network, frame, error, message):
    with pytest.raises(error, match=message):
        Deblurrer(network).push(frame)


def test_wrong_arguments_are_named(network):
    with pytest.raises(UnknownNetwork, match="unknown network 'mmp-rnn-tinny'; choose one of mmp-rnn-tiny"):
        Deblurrer("mmp-rnn-tinny")
    with pytest.raises(UnknownNetwork, match="'mmp-net' does not turn frames into frames"):
        Deblurrer("mmp-net")
    with pytest.raises(TypeError, match="a name or a VideoNetwork, got Conv2d"):
        Deblurrer(torch.nn.Conv2d(3, 3, 1))
    with pytest.raises(ValueError, match="strength must be between 0"):
        Deblurrer(network, strength=2.5)
    for shrink in (0, 1.5):
        with pytest.raises(ValueError, match="shrink must be a whole number from 1 on"):
            Deblurrer(network, shrink=shrink)
    for ensemble in (3, 2.0, "4"):
        with pytest.raises(ValueError, match=rf"ensemble must be one of 1, 2, 4 .*, got {ensemble}"):
            Deblurrer(network, ensemble=ensemble)
    for name, number in {"frames": 1.5, "lookahead": 2.5, "tile": "7", "window": 10.5, "overlap": "10"}.items():
        with pytest.raises(ValueError, match=f"{name} must be a whole number, got {number!r}"):
            Deblurrer(network, **{name: number})
    with pytest.raises(ValueError, match=r"strength must be between 0 .* got '1'"):
        Deblurrer(network, strength="1")
    assert Deblurrer(network, shrink=np.int64(2)).shrink == 2
    assert Deblurrer(network, mode="windows", window=np.int64(9), overlap=np.int64(4)).latency == 9
    with pytest.raises(ValueError, match='mode must be "stream" or "windows"'):
        Deblurrer(network, mode="window")
    with pytest.raises(ValueError, match="the overlap must be at least 4"):
        Deblurrer(network, mode="windows", window=20, overlap=2)
    with pytest.raises(DeviceError, match="unknown device 'tpu7'"):
        Deblurrer(network, device="tpu7")
    with pytest.raises(DeviceError, match="unknown precision 'int8'"):
        Deblurrer(network, precision="int8")
    with pytest.raises(WeightsError, match="no weights ship for mmp-rnn-a7b8c16-no-mmam; pass a weights file"):
        Deblurrer("mmp-rnn-a7b8c16-no-mmam")


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_a_missing_gpu_is_named(network):
    with pytest.raises(DeviceError, match="torch finds no GPU here"):
        Deblurrer(network, device="cuda")


def test_the_network_given_is_never_changed(network):
    before = {key: value.clone() for key, value in network.state_dict().items()}
    network.train()
    list(Deblurrer(network, precision="fp32").stream(clip_of(3, 32, 32)))
    assert network.training
    assert all(torch.equal(before[key], value) for key, value in network.state_dict().items())
    assert network.fuse.weight.requires_grad
    network.eval()


def test_memory_does_not_grow_with_the_video(network):
    engine = Deblurrer(network)
    peaks = []
    for frames in (10, 60):
        held = 0
        for i in range(frames):
            engine.push(np.full((32, 32, 3), i % 7, np.uint8))
            held = max(held, sum(type(x) is torch.Tensor for x in gc.get_objects()))
        engine.flush()
        peaks.append(held)
    assert peaks[1] <= peaks[0]
