"""A deeper network that gives what a shallower one gives."""

import pytest
import torch

from vdeblur_fast.errors import UserError, WeightsError
from vdeblur_fast.reference.modules import ResidualDenseNetwork
from vdeblur_fast.reference.networks.mmp_rnn import MMPRNN
from vdeblur_fast.training.export import export
from vdeblur_fast.training.grow import grow, main
from vdeblur_fast.weights.files import load_file


@pytest.mark.parametrize(("had", "has"), [(1, 1), (1, 3), (2, 4), (2, 5), (3, 4)])
def test_a_grown_chain_gives_the_same_and_can_learn(had, has):
    torch.manual_seed(0)
    shallow, deep = ResidualDenseNetwork(6, 4, had), ResidualDenseNetwork(6, 4, has)
    deep.load_state_dict(grow(deep, shallow.state_dict()))
    x = torch.randn(1, 6, 9, 11)
    torch.testing.assert_close(deep(x), shallow(x))
    deep(x).square().mean().backward()
    assert all(rdb.fuse.weight.grad.abs().max() > 0 for rdb in deep.blocks)


def networks_of(*blocks: tuple[int, int]) -> list[MMPRNN]:
    torch.manual_seed(1)
    return [MMPRNN(2, a, b, mmam=False).eval() for a, b in blocks]


def test_a_grown_network_gives_the_same():
    shallow, deep = networks_of((1, 2), (3, 3))
    clip = torch.rand(1, 5, 3, 12, 16)
    before = deep(clip)
    deep.load_state_dict(grow(deep, shallow.state_dict()))
    torch.testing.assert_close(deep(clip), shallow(clip))
    assert not torch.allclose(before, deep(clip))


def test_a_network_does_not_shrink():
    shallow, deep = networks_of((1, 1), (2, 1))
    with pytest.raises(UserError, match=r"the weights have 2 blocks in align\.blocks, the network 1; it can only grow"):
        grow(shallow, deep.state_dict())
    with pytest.raises(UserError, match="the weights have 0 blocks"):
        grow(shallow, {"weight": torch.zeros(1)})


def test_the_command_writes_weights_that_load(tmp_path, monkeypatch, capsys):
    shallow, deep = networks_of((1, 2), (2, 3))
    export(shallow, tmp_path / "shallow.safetensors", {"network": "shallow"})
    monkeypatch.setattr("vdeblur_fast.training.grow.build", lambda name: deep)
    out = tmp_path / "deep.safetensors"
    assert not main(["mmp-rnn-tiny", str(tmp_path / "shallow.safetensors"), str(out)])
    assert "with what" in capsys.readouterr().out
    (again,) = networks_of((2, 3))
    load_file(again, out, "mmp-rnn-tiny")
    load_file(shallow, tmp_path / "shallow.safetensors", "shallow")
    clip = torch.rand(1, 5, 3, 12, 16)
    torch.testing.assert_close(again(clip), shallow(clip), rtol=1e-3, atol=1e-3)  # the file is float16
    assert main(["mmp-rnn-tiny", str(tmp_path / "shallow.safetensors"), str(out)]) == 2
    assert "exists already" in capsys.readouterr().err


def test_the_command_says_what_does_not_fit(tmp_path, monkeypatch):
    shallow, deep = networks_of((1, 1), (1, 2))
    (wider,) = [MMPRNN(3, 1, 2, mmam=False)]
    with pytest.raises(WeightsError, match="does not fit deep"):
        load_file(wider, _exported(deep, tmp_path / "deep.safetensors"), "deep")
    monkeypatch.setattr("vdeblur_fast.training.grow.build", lambda name: wider)
    weights = _exported(shallow, tmp_path / "shallow.safetensors")
    assert main(["mmp-rnn-tiny", str(weights), str(tmp_path / "out.safetensors")]) == 2
    assert not (tmp_path / "out.safetensors").exists()


def _exported(network, path):
    export(network, path, {"network": path.stem})
    return path


def test_a_network_without_chains_is_said(tmp_path, capsys):
    assert main(["strcnn", str(tmp_path / "from.safetensors"), str(tmp_path / "out.safetensors")]) == 2
    assert "strcnn has no chains of residual dense blocks, so it cannot grow" in capsys.readouterr().err
