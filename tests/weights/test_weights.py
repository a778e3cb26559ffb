"""Weights files: those that fit are taken, all others are named."""

import hashlib
import json
import pickle

import pytest
import torch
from safetensors.torch import save_file

from vdeblur_fast import Deblurrer, build, weights
from vdeblur_fast.errors import WeightsError


@pytest.fixture
def network():
    torch.manual_seed(0)
    return build("mmp-rnn-tiny")


def save(network, path, name="mmp-rnn-tiny", **changed):
    tensors = {k: v.half() if v.is_floating_point() else v for k, v in network.state_dict().items()} | changed
    save_file({k: v for k, v in tensors.items() if v is not None}, path, metadata={"network": name})
    return path


def test_half_precision_weights_come_back_as_float32(network, tmp_path):
    path = save(network, tmp_path / "w.safetensors")
    other = build("mmp-rnn-tiny")
    weights.load_file(other, path)
    assert other.fuse.weight.dtype is torch.float32
    assert torch.equal(other.fuse.weight, network.fuse.weight.half().float())


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "_orig_mod.module.", "module._orig_mod."])
def test_names_of_a_network_within_another_are_its_own(network, tmp_path, prefix):
    """As DataParallel and torch.compile leave them."""
    tensors = {f"{prefix}{name}": value for name, value in network.state_dict().items()}
    save_file(tensors, path := tmp_path / "w.safetensors")
    other = build("mmp-rnn-tiny")
    weights.load_file(other, path)
    assert torch.equal(other.fuse.weight, network.fuse.weight)


def test_names_of_a_network_that_itself_has_a_module_stay(tmp_path):
    own, other = (torch.nn.ModuleDict({"module": torch.nn.Conv2d(3, 3, 1)}) for _ in range(2))
    save_file(own.state_dict(), path := tmp_path / "w.safetensors")
    weights.load_file(other, path)
    assert torch.equal(other["module"].weight, own["module"].weight)


def test_a_prefix_that_not_every_name_has_is_none(network, tmp_path):
    tensors = {f"module.{name}": value for name, value in network.state_dict().items()}
    save_file(tensors | {"more": torch.zeros(1)}, path := tmp_path / "w.safetensors")
    with pytest.raises(WeightsError, match=r"does not fit .* not of this network \(module\."):
        weights.load_file(network, path)


def test_a_name_with_a_file_works(network, tmp_path):
    engine = Deblurrer("mmp-rnn-tiny", save(network, tmp_path / "w.safetensors"), precision="fp32", device="cpu")
    assert torch.equal(engine.network.fuse.weight, network.fuse.weight.half().float())


def test_a_missing_file_is_named(network, tmp_path):
    with pytest.raises(WeightsError, match=r"none\.safetensors does not exist"):
        weights.load_file(network, tmp_path / "none.safetensors")


def test_a_folder_is_no_file(network, tmp_path):
    with pytest.raises(WeightsError, match="is a folder; give the path"):
        weights.load_file(network, tmp_path)


@pytest.mark.parametrize("content", [b"", b"nonsense" * 100, pickle.dumps({"a": 1})])
def test_what_is_no_safetensors_file_is_named(network, tmp_path, content):
    path = tmp_path / "w.pth"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=r"pickles .* are not read"):
        weights.load_file(network, path)


def test_a_file_cut_short_is_named(network, tmp_path):
    path = save(network, tmp_path / "w.safetensors")
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(WeightsError, match="cannot be read"):
        weights.load_file(network, path)


def test_weights_of_another_network_are_named_and_nothing_is_touched(tmp_path):
    path = save(build("estrnn-c70b7"), tmp_path / "w.safetensors", "estrnn-c70b7")
    network = build("mmp-rnn-tiny")
    before = network.fuse.weight.clone()
    with pytest.raises(
        WeightsError, match=r"does not fit mmp-rnn-tiny \(it says it is for estrnn-c70b7\): \d+ tensors"
    ):
        weights.load_file(network, path, "mmp-rnn-tiny")
    assert torch.equal(network.fuse.weight, before)


def test_whole_numbers_are_named(network, tmp_path):
    path = save(network, tmp_path / "w.safetensors", **{"skip.bias": network.skip.bias.detach().to(torch.int64)})
    with pytest.raises(WeightsError, match=r"whole numbers, 1 tensors not floating point \(skip\.bias\)"):
        weights.load_file(network, path)


def test_values_that_the_network_cannot_hold_are_named(network, tmp_path):
    huge = torch.full_like(network.skip.bias, 1e300, dtype=torch.float64)
    path = save(network, tmp_path / "w.safetensors", **{"skip.bias": huge})
    with pytest.raises(WeightsError, match=r"1 tensors not finite \(skip\.bias\)"):
        weights.load_file(network, path)


def test_values_that_are_not_finite_are_named(network, tmp_path):
    spoilt = torch.full_like(network.skip.bias, float("nan"))
    path = save(network, tmp_path / "w.safetensors", **{"skip.bias": spoilt})
    with pytest.raises(WeightsError, match=r"1 tensors not finite \(skip\.bias\)"):
        weights.load_file(network, path)


def test_missing_and_misshapen_tensors_are_named(network, tmp_path):
    path = save(network, tmp_path / "w.safetensors", **{"skip.bias": None, "fuse.bias": torch.zeros(7)})
    with pytest.raises(
        WeightsError, match=r"1 tensors missing \(skip\.bias\).*1 tensors of another shape \(fuse\.bias\)"
    ):
        weights.load_file(network, path)


@pytest.mark.parametrize("name", weights.available())
def test_what_ships_is_what_its_card_says(name):
    card = weights.card(name)
    assert {"network", "sha256", "data", "recipe", "commit", "steps", "settings", "validation"} <= set(card)
    assert {"psnr_before", "psnr_after", "gain", "least_gain", "what"} <= set(card["validation"])
    assert card["network"] == name
    weights.load(build(name), name)


def test_all_that_ship_stay_small_together():
    assert sum(path.stat().st_size for path in weights.FOLDER.glob("*.safetensors")) <= 40 * 2**20


def test_shipped_weights_that_changed_are_refused(network, tmp_path, monkeypatch):
    path = save(network, tmp_path / "mmp-rnn-tiny.safetensors")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    (tmp_path / "mmp-rnn-tiny.json").write_text(json.dumps({"sha256": digest}))
    monkeypatch.setattr(weights, "FOLDER", tmp_path)
    weights.available.cache_clear()
    try:
        weights.load(network, "mmp-rnn-tiny")
        path.write_bytes(path.read_bytes() + b"x")
        with pytest.raises(WeightsError, match="are damaged"):
            weights.load(network, "mmp-rnn-tiny")
        path.unlink()
        with pytest.raises(WeightsError, match="are missing from this installation"):
            weights.load(network, "mmp-rnn-tiny")
    finally:
        weights.available.cache_clear()
