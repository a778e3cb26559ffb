"""Weights between two of one origin."""

import json

import torch

from vdeblur_fast.reference.networks import build
from vdeblur_fast.training.blend import blend, main
from vdeblur_fast.training.export import export
from vdeblur_fast.weights import load_file

NAME = "mmp-net-tiny"


def test_what_lies_between():
    before = {"a": torch.tensor([0.0, 4.0]), "n": torch.tensor(3)}
    after = {"a": torch.tensor([1.0, 2.0]), "n": torch.tensor(7)}
    mixed = blend(before, after, 0.25)
    assert torch.equal(mixed["a"], torch.tensor([0.25, 3.5]))
    assert mixed["n"] == 7
    assert all(torch.equal(blend(before, after, 1.0)[name], value) for name, value in after.items())
    assert torch.equal(blend(before, after, 0.0)["a"], before["a"])


def test_the_command_blends_and_refuses(tmp_path, capsys):
    torch.manual_seed(0)
    networks = [build(NAME) for _ in range(2)]
    paths = [str(tmp_path / f"{name}.safetensors") for name in ("before", "after", "out")]
    for network, path in zip(networks, paths, strict=False):
        export(network, tmp_path / path, {"network": NAME, "steps": 3})
    assert main([NAME, *paths]) == 0
    load_file(found := build(NAME), paths[2], NAME)
    want = blend(*(network.state_dict() for network in networks), 0.5)
    for name, value in found.state_dict().items():
        torch.testing.assert_close(value.float(), want[name].float(), rtol=2e-3, atol=1e-4)
    card = json.loads((tmp_path / "out.json").read_text())
    assert (card["steps"], card["blended"]["share"]) == (3, 0.5)
    assert main([NAME, *paths]) == 2
    assert "exists already" in capsys.readouterr().err
    (tmp_path / "results.json").write_text("mine")
    for name, said in (("x.txt", "must end in .safetensors"), ("results.safetensors", "results.json exists already")):
        assert main([NAME, paths[0], paths[1], str(tmp_path / name)]) == 2
        assert said in capsys.readouterr().err
        assert not (tmp_path / name).exists()
    assert (tmp_path / "results.json").read_text() == "mine"
    assert main([NAME, paths[0], paths[1], str(tmp_path / "x.safetensors"), "--share", "2"]) == 2
    assert "--share must be from 0 to 1" in capsys.readouterr().err
    assert main(["mmp-rnn-tiny", paths[0], paths[1], str(tmp_path / "x.safetensors")]) == 2
    assert not (tmp_path / "x.safetensors").exists()
