"""Which choice of neighbours restores best."""

import pytest
import torch

from tests.training.toys import Clips, tiny_gsta_net
from vdeblur_fast.reference.networks import build
from vdeblur_fast.training.export import export
from vdeblur_fast.training.policies import main, measure, policies, table


@pytest.fixture
def network():
    torch.manual_seed(0)
    return tiny_gsta_net(selection=True).eval()


@pytest.mark.parametrize("u", [1, 5, 24])
def test_what_each_policy_picks(network, u):
    network.selector.decide.bias.data += torch.linspace(-8, 8, 25)  # the later half, the last ones most of all
    clip = Clips(frames=25)[0]["blurry"][None]
    picked = policies(network, clip, u, torch.rand(25, generator=torch.Generator().manual_seed(u)))
    assert all(picks.shape == (1, 25) and picks[0, 12] for picks in picked.values())
    assert picked["random"].sum() == u + 1
    assert picked["nearest"][0].nonzero().flatten().tolist() == [10, 11, 12, 13, 14]
    assert picked["none"].sum() == 1
    assert picked["selection"][0, 25 - min(u, 11) :].all()
    assert picked["selection"].sum() <= u + 1


def test_they_are_measured_on_the_same_clips(network):
    dataset = Clips(3, frames=25)
    clips = [{name: part[None] for name, part in dataset[number].items()} for number in range(3)]
    found = measure(network, clips, 5)
    assert list(found) == ["selection", "random", "nearest", "none"]
    assert found["nearest"]["picked"].tolist() == [4, 4, 4]
    assert found["random"]["picked"].tolist() == [5, 5, 5]
    assert found["none"]["gain"].shape == (3,)
    with torch.no_grad():
        alone = [network.restore(entry := network.encode(clip["blurry"][:, 12])[0], []) for clip in clips]
    assert entry.index == 0
    for clip, image, gain in zip(clips, alone, found["none"]["gain"], strict=True):
        errors = [(part[0, 12].clamp(0, 1).mul(255).round() / 255) for part in (clip["blurry"], clip["sharp"])]
        before = (errors[0] - errors[1]).square().mean()
        after = (image[0].clamp(0, 1).mul(255).round() / 255 - errors[1]).square().mean()
        assert gain.item() == pytest.approx(10 * torch.log10(before / after).item(), abs=1e-3)
    again = measure(network, clips, 5)
    assert all(torch.equal(found[name]["gain"], own["gain"]) for name, own in again.items())


def test_the_table():
    gains = {"selection": [1.0, 1.2], "nearest": [0.5, 0.9]}
    found = {name: {"picked": torch.tensor([3, 4]), "gain": torch.tensor(gain)} for name, gain in gains.items()}
    lines = table(found).splitlines()
    assert lines[2] == "| selection | 3.5 | +1.100 |  |"
    assert lines[3] == "| nearest | 3.5 | +0.700 | +0.400 ± 0.100 |"


def test_the_command(pictures, tmp_path, capsys):
    path = tmp_path / "small.safetensors"
    export(build("gsta-net-small"), path, {"network": "gsta-net-small"})
    arguments = ["gsta-net-small", "--weights", str(path), "--data", str(pictures), "--clips", "2", "--crop", "32"]
    assert main(arguments) == 0
    assert capsys.readouterr().out.count("\n") == 6
    assert main([*arguments, "--neighbours", "25"]) == 2
    assert "--neighbours must be at most 24, got 25" in capsys.readouterr().err
    assert main(["gsta-net3", *arguments[1:]]) == 2
    assert "gsta-net3 has no frame selection; choose gsta-net or gsta-net-small" in capsys.readouterr().err
    assert main([*arguments[:-4], "--clips", "1"]) == 2
    assert "--clips must be at least 2" in capsys.readouterr().err
