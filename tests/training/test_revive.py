"""Weights whose silent units begin anew."""

import pytest
import torch
from torch.utils.data import Dataset

from vdeblur_fast.reference.networks import STRCNN, GSTANet, VideoNetwork
from vdeblur_fast.training.export import export
from vdeblur_fast.training.prepared import prepare
from vdeblur_fast.training.revive import layers, main, revive, silent_units
from vdeblur_fast.weights import load_file

CLIPS = torch.rand(2, 5, 3, 16, 20, generator=torch.Generator().manual_seed(0))


def made(kind: str) -> VideoNetwork:
    """A network some units of every layer of which say nothing."""
    torch.manual_seed(1)
    network = (STRCNN() if kind == "strcnn" else GSTANet((8, 8, 8), (4, 4, 4))).eval()
    if kind == "gsta":
        network.start_from_identity()
        torch.nn.init.normal_(network.head.weight)
    with torch.no_grad():
        for layer in layers(network):
            (layer.norm or layer.made).bias[1] = -1e3
    return network


@pytest.mark.parametrize(("kind", "count"), [("strcnn", 10), ("gsta", 33)])
@torch.no_grad()
def test_a_revived_network_gives_the_same_and_says_something_everywhere(kind, count):
    network = made(kind)
    assert len(list(layers(network))) == count
    before = network(CLIPS, ends="replicate")
    silent = silent_units(network, CLIPS, 0)
    assert all(1 in units for _, units in silent)
    revive(silent)
    torch.testing.assert_close(network(CLIPS, ends="replicate"), before, rtol=1e-3, atol=1e-5)
    again = silent_units(network, CLIPS, 0)
    assert sum(len(units) for _, units in again) < 0.2 * sum(len(units) for _, units in silent)


def test_what_was_revived_learns():
    network = made("gsta")
    revive(silent_units(network, CLIPS, 0))
    for _ in range(2):  # nothing hears it at first
        network.zero_grad()
        network(CLIPS, ends="replicate").square().mean().backward()
        with torch.no_grad():
            for weight in network.parameters():
                if weight.grad is not None:
                    weight -= 0.01 * weight.grad
    learns = [layer.made.weight.grad[1].abs().max() > 0 for layer in layers(network)]
    assert sum(learns) > 0.8 * len(learns)


@torch.no_grad()
def test_units_that_seldom_speak_can_be_chosen_too():
    network = made("strcnn")
    for _, few in silent_units(network, CLIPS, 0):
        assert few == [1] or 1 in few
    assert all(len(units) == layer.made.out_channels for layer, units in silent_units(network, CLIPS, 1))


class Noise(Dataset):
    def __getitem__(self, number: int) -> dict[str, torch.Tensor]:
        frames = torch.rand(5, 3, 32, 40, generator=torch.Generator().manual_seed(number))
        return {"blurry": frames, "sharp": frames.flip(-1), "mask": frames[:, :1]}


def test_the_command_writes_weights_that_load(tmp_path, monkeypatch, capsys):
    export(made("strcnn"), tmp_path / "before.safetensors", {"network": "strcnn-dtb"})
    prepare(Noise(), tmp_path / "made", 3)
    before, after = str(tmp_path / "before.safetensors"), str(tmp_path / "after.safetensors")
    arguments = ["--prepared", str(tmp_path / "made"), "--samples", "2", "--crop", "16"]
    assert not main(["strcnn-dtb", before, after, *arguments])
    assert " of 64 units begin anew" in capsys.readouterr().out
    network = STRCNN().eval()
    load_file(network, tmp_path / "after.safetensors", "strcnn-dtb")
    with torch.no_grad():
        torch.testing.assert_close(network(CLIPS), made("strcnn")(CLIPS), rtol=1e-2, atol=1e-2)  # the file is float16
    assert main(["strcnn-dtb", before, after, *arguments]) == 2
    assert "exists already; remove it or name another file" in capsys.readouterr().err


def test_mistakes_are_said(tmp_path, capsys):
    prepare(Noise(), tmp_path / "made", 1)
    out = [str(tmp_path / "from.safetensors"), str(tmp_path / "out.safetensors"), "--prepared", str(tmp_path / "made")]
    assert main(["mmp-rnn-tiny", *out]) == 2
    assert "mmp-rnn-tiny has no units behind ReLUs that this knows" in capsys.readouterr().err
    assert main(["strcnn", *out, "--crop", "15"]) == 2
    assert "--crop 15 must be a multiple of 2 for strcnn" in capsys.readouterr().err
    assert main(["strcnn", *out, "--crop", "16"]) == 2
    assert "from.safetensors does not exist" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["strcnn", *out, "--silent", "2"])
    assert "must be from 0 to 1, got 2" in capsys.readouterr().err
