"""Samples with what a trained network sees in them."""

import json

import numpy as np
import pytest
import torch
from torch.utils.data import Dataset

from vdeblur_fast.reference.networks import build
from vdeblur_fast.training.distil import main
from vdeblur_fast.training.export import export
from vdeblur_fast.training.prepared import ABOUT, PreparedClips, prepare
from vdeblur_fast.weights import load_file

NAME = "mmp-rnn-tiny"


class Noise(Dataset):
    def __init__(self, height: int = 32):
        self.height = height

    def __getitem__(self, number: int) -> dict[str, torch.Tensor]:
        random = torch.Generator().manual_seed(number)
        frames = torch.rand(3, 3, self.height, 40, generator=random)
        return {"blurry": frames, "sharp": frames.flip(-1), "mask": frames[:, :1]}


@pytest.fixture
def samples(tmp_path):
    prepare(Noise(), tmp_path / "made", 3, about={"recipe": "some"})
    return tmp_path / "made"


@pytest.fixture
def teacher(tmp_path):
    torch.manual_seed(0)
    path = tmp_path / "teacher.safetensors"
    export(build(NAME), path, {"network": NAME})
    return path


def test_the_teachers_images_are_the_sharp_frames(samples, teacher, tmp_path):
    arguments = [str(samples), str(tmp_path / "out"), "--weights", str(teacher)]
    before = (samples / "sharp.npy").read_bytes()
    assert main([NAME, *arguments]) == 0
    assert (samples / "sharp.npy").read_bytes() == before
    for name in ("blurry", "mask"):
        assert (tmp_path / "out" / f"{name}.npy").read_bytes() == (samples / f"{name}.npy").read_bytes()
    network = build(NAME).eval()
    load_file(network, teacher, NAME)
    blurry = np.load(samples / "blurry.npy")
    with torch.inference_mode():
        want = network(torch.from_numpy(blurry).permute(0, 1, 4, 2, 3) / 255, ends="replicate")
    found = np.load(tmp_path / "out" / "sharp.npy")
    want = want.clamp(0, 1).permute(0, 1, 3, 4, 2).numpy() * 255
    assert np.abs(found - want).mean() < 1  # a level: bfloat16, where that is fast, and rounding
    assert np.abs(np.load(samples / "sharp.npy") - want).mean() > 20
    assert json.loads((tmp_path / "out" / ABOUT).read_text()) == {
        "samples": 3,
        "backwards": True,
        "recipe": "some",
        "teacher": NAME,
    }
    assert PreparedClips(tmp_path / "out", crop=32, frames=3)[0]["sharp"].shape == (3, 3, 32, 32)


def test_mistakes_are_told(samples, teacher, tmp_path, capsys):
    out = tmp_path / "out"
    for arguments, told in (
        ([NAME, str(tmp_path), str(out)], "holds no prepared samples"),
        ([NAME, str(samples), str(samples)], "holds prepared samples already"),
        (["mmp-net-tiny", str(samples), str(out)], "makes no images"),
        (["david", str(samples), str(out)], "no weights ship for david"),
    ):
        assert main(arguments) == 2
        assert told in capsys.readouterr().err
        assert not out.exists()
    prepare(Noise(34), tmp_path / "odd", 1)
    assert main([NAME, str(tmp_path / "odd"), str(out), "--weights", str(teacher)]) == 2
    assert "34x40 and the teacher takes multiples of" in capsys.readouterr().err
    assert not out.exists()
