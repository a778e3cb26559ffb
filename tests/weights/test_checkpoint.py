"""Files that are no checkpoints, or more than that: one sentence each, and nothing is run."""

import argparse
import collections
import io
import os
import pickle

import numpy as np
import pytest
import torch

from vdeblur_fast.errors import WeightsError
from vdeblur_fast.weights.checkpoint import read_checkpoint

WEIGHTS = {"state_dict": {"module.a.weight": torch.ones(3), "module.b.weight": torch.zeros(2)}}


class Trap:
    """Makes a file when it is unpickled."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return os.mkdir, (self.path,)


def saved(thing, **options) -> bytes:
    buffer = io.BytesIO()
    torch.save(thing, buffer, **options)
    return buffer.getvalue()


def sentence(path) -> str:
    with pytest.raises(WeightsError) as caught:
        read_checkpoint(path)
    said = str(caught.value)
    assert "\n" not in said
    assert str(path) in said
    return said


@pytest.mark.parametrize("zipped", [True, False])
def test_code_in_a_checkpoint_is_not_run(tmp_path, zipped):
    path, trap = tmp_path / "w.pth", tmp_path / "sprung"
    path.write_bytes(saved(WEIGHTS | {"extra": Trap(trap)}, _use_new_zipfile_serialization=zipped))
    assert "holds more than weights (posix.mkdir), and to load that could run code" in sentence(path)
    assert not trap.exists()


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_bare_pickle_is_not_run(tmp_path, protocol):
    path, trap = tmp_path / "w.pkl", tmp_path / "sprung"
    path.write_bytes(pickle.dumps(Trap(trap), protocol=protocol))
    sentence(path)
    assert not trap.exists()


def test_a_whole_module_is_named(tmp_path):
    path = tmp_path / "w.pth"
    path.write_bytes(saved(torch.nn.Linear(2, 2)))
    assert "(torch.nn.modules.linear.Linear)" in sentence(path)


@pytest.mark.parametrize(
    "content",
    [b"", b"nonsense" * 100, pickle.dumps({"a": 1}), saved(WEIGHTS)[:300], saved(WEIGHTS)[:-20], b"PK\x03\x04junk"],
)
def test_damage_is_named(tmp_path, content):
    for name in ("w.pth", "w.safetensors"):
        path = tmp_path / name
        path.write_bytes(content)
        assert "cannot be read: it is damaged, or no PyTorch checkpoint" in sentence(path)


@pytest.mark.parametrize("thing", [{"epoch": 3}, [1, 2], torch.ones(3), {}, {"state_dict": {"a": 3}}])
def test_a_file_without_weights_is_named(tmp_path, thing):
    path = tmp_path / "w.pth"
    path.write_bytes(saved(thing))
    assert "holds no weights where they are looked for" in sentence(path)


def test_a_wrapping_around_itself_ends(tmp_path):
    thing: dict = {}
    thing["model"] = thing
    path = tmp_path / "w.pth"
    path.write_bytes(saved(thing))
    sentence(path)


def test_a_file_that_is_not_there_is_named(tmp_path):
    assert "does not exist" in sentence(tmp_path / "none.pth")
    assert "is a folder" in sentence(tmp_path)


def test_what_trainers_keep_beside_the_weights_is_harmless(tmp_path):
    beside = {
        "best": np.float64(31.2),
        "rng": np.random.default_rng(0).integers(0, 9, 4),
        "args": argparse.Namespace(lr=1e-4),
        "scheduler": {"milestones": collections.Counter({200: 1})},
    }
    path = tmp_path / "w.pth"
    path.write_bytes(saved(WEIGHTS | beside))
    assert list(read_checkpoint(path)) == ["a.weight", "b.weight"]
