"""The names, and what stands behind each."""

import pytest
import torch

from vdeblur_fast import build, networks
from vdeblur_fast.reference.networks import VideoNetwork


def test_every_configuration_of_the_papers_tables_has_its_name():
    sizes = ("a3b4c16", "a7b8c16", "a8b9c18", "a9b10c18")
    wanted = {f"mmp-rnn-{size}{ablation}" for size in sizes for ablation in ("", "-no-mmam", "-no-mmam-no-ndf")}
    wanted |= {"mmp-net", "mmp-rnn-tiny", "estrnn-c70b7", "estrnn-c90b10"}
    assert wanted <= set(networks())


@pytest.mark.parametrize("name", networks())
def test_every_network_builds_and_describes_itself(name):
    network = build(name)
    assert type(network).__doc__
    if isinstance(network, VideoNetwork):
        assert network.minimum >= 1
        with torch.no_grad():
            side = -(-network.minimum // network.multiple) * network.multiple
            assert network.eval()(torch.rand(1, 2, 3, side, side)).shape == (1, 2, 3, side, side)


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(ValueError, match=r"unknown network 'mmp'; choose one of mmp-rnn-tiny, "):
        build("mmp")
