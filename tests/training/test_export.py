"""Weights to keep."""

import torch
from torch import nn

from vdeblur_fast.training.export import export
from vdeblur_fast.weights.checkpoint import read_checkpoint
from vdeblur_fast.weights.files import load_file


def chain() -> nn.Sequential:
    return nn.Sequential(*(nn.Conv2d(8, 8, 3) for _ in range(4)))


def test_equal_kernels_are_stored_once_and_come_back(tmp_path):
    torch.manual_seed(0)
    network, other = chain().half().float(), chain()
    export(network, tmp_path / "before.safetensors", {"network": "chain"})
    network[3].weight.data.copy_(network[1].weight)
    path = tmp_path / "after.safetensors"
    export(network, path, {"network": "chain"})
    assert path.stat().st_size < 0.85 * (tmp_path / "before.safetensors").stat().st_size
    load_file(other, path, "chain")
    for name, value in other.state_dict().items():
        assert torch.equal(value, network.state_dict()[name])
        assert torch.equal(value, read_checkpoint(path)[name].float())
    other[3].weight.data.zero_()
    assert other[1].weight.any()  # of one kernel in the file two have been made
