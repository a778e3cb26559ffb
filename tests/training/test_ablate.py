"""What STRCNN and the CNN begin with."""

import pytest
import torch

from vdeblur_fast import weights
from vdeblur_fast.reference.networks import STRCNN, build
from vdeblur_fast.training.ablate import ablate, main
from vdeblur_fast.weights.files import load_file


@torch.inference_mode()
def test_strcnn_is_what_the_whole_is_where_nothing_is_blended():
    torch.manual_seed(0)
    whole, network = STRCNN(), STRCNN(blending=False)
    ablate(network, whole)
    whole.blend.beta.fill_(1)  # min(1, |tanh| + 1): the current frame alone
    clip = torch.rand(1, 3, 3, 12, 16)
    torch.testing.assert_close(network.eval()(clip), whole.eval()(clip))


@torch.inference_mode()
def test_the_cnn_reads_the_same_features_and_small_new_ones():
    torch.manual_seed(0)
    whole, network = STRCNN(), STRCNN(recurrent=False, blending=False)
    ablate(network, whole)
    clip = torch.rand(1, 9, 12, 16)
    features, wanted = network.filter(clip), whole.filter(clip)
    torch.testing.assert_close(features[:, :32], wanted)
    assert 0 < features[:, 32:].std() < 0.5
    for name, value in network.state_dict().items():
        if not name.startswith("filter.2."):
            assert torch.equal(value, whole.state_dict()[name])


@pytest.mark.parametrize("name", ["strcnn", "cnn"])
def test_the_command_writes_weights_that_load(tmp_path, monkeypatch, capsys, name):
    monkeypatch.setattr(weights, "load", lambda network, name: None)
    out = tmp_path / "begun.safetensors"
    assert not main([name, str(out)])
    load_file(build(name), out, name)
    assert main([name, str(out)]) == 2
    assert "exists already; remove it or name another file" in capsys.readouterr().err
