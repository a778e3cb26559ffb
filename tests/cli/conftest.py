"""Small videos, and weights that change nothing, made on the spot."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from vdeblur_fast.cli.main import main


def pictures(frames: int = 8, size: tuple[int, int] = (64, 48), seed: int = 0) -> list[np.ndarray]:
    """A smooth pattern that moves, (H, W, 3) uint8."""
    width, height = size
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    waves, phase = rng.uniform(0.05, 0.3, (2, 3)), rng.uniform(0, 6, 3)
    made = []
    for t in range(frames):
        pattern = np.sin(waves[0] * (x[..., None] + 2 * t) + waves[1] * y[..., None] + phase)
        made.append((127.5 + 100 * pattern).astype(np.uint8))
    return made


def write_video(path: Path, images: list[np.ndarray], codec: str = "libx264") -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=Fraction(25))
        stream.height, stream.width = images[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        stream.options = {"crf": "12", "preset": "ultrafast"} if codec == "libx264" else {}
        for image in images:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())
    return path


def frame_count(path: Path) -> int:
    with av.open(str(path)) as container:
        return sum(1 for _ in container.decode(video=0))


def read_images(path: Path) -> list[np.ndarray]:
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


@pytest.fixture(scope="session")
def weights(tmp_path_factory) -> Path:
    """Weights of mmp-rnn-tiny with which it gives back what it is given."""
    from safetensors.torch import save_file

    from vdeblur_fast import build

    network = build("mmp-rnn-tiny")
    network.start_from_identity()
    path = tmp_path_factory.mktemp("weights") / "identity.safetensors"
    save_file(network.state_dict(), path, {"network": "mmp-rnn-tiny"})
    return path


@pytest.fixture
def clip(tmp_path) -> Path:
    return write_video(tmp_path / "in.mp4", pictures())


@pytest.fixture
def vdeblur(capfd):
    """Runs the command in this process -> (exit code, stdout, stderr)."""

    def run(*arguments) -> tuple[int, str, str]:
        capfd.readouterr()
        code = main([str(argument) for argument in arguments])
        printed = capfd.readouterr()
        return code, printed.out, printed.err

    return run


@pytest.fixture
def mistake(vdeblur):
    """Runs the command and returns the one sentence that it must answer a user's mistake with."""

    def run(*arguments) -> str:
        code, out, error = vdeblur(*arguments)
        assert code == 2
        assert out == ""
        assert error.startswith("vdeblur: ")
        assert error.count("\n") == 1
        return error.removeprefix("vdeblur: ").strip()

    return run
