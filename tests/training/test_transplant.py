"""The paper's MMP-RNN with what the trained small one does."""

import pytest
import torch

from tests.training.toys import Clips
from vdeblur_fast.errors import UserError
from vdeblur_fast.reference.modules import ResidualDenseNetwork
from vdeblur_fast.reference.networks import MMPRNN, MMPNet
from vdeblur_fast.training import transplant as module
from vdeblur_fast.training.embedding import embed_chain
from vdeblur_fast.training.export import export
from vdeblur_fast.training.prepared import prepare
from vdeblur_fast.training.transplant import fit, main, places_of, transplant
from vdeblur_fast.weights.files import load_file

WIDTHS = (2, 2, 2, 2, 2)


def networks_of(features: int = 3, a: int = 4, b: int = 2) -> tuple[MMPRNN, MMPRNN]:
    torch.manual_seed(0)
    small = MMPRNN(2, 2, 2, magnitude_net=MMPNet(WIDTHS, scale=2), stem_stride=2)
    return MMPRNN(features, a, b, magnitude_net=MMPNet(WIDTHS)), small


@pytest.mark.parametrize("blocks", [2, 3, 5])
def test_a_chain_within_a_wider_one_gives_the_same_and_the_rest_can_learn(blocks):
    torch.manual_seed(0)
    small, large, places = ResidualDenseNetwork(3, 2, 2), ResidualDenseNetwork(5, 4, blocks), [0, 4, 2]
    embed_chain(large, small, places)
    x = torch.randn(1, 5, 9, 7)
    torch.testing.assert_close(large(x)[:, places], small(x[:, places]))
    large(x)[:, places].square().mean().backward()
    assert all(rdb.fuse.weight.grad.abs().max() > 0 for rdb in large.blocks)
    assert large.blocks[-1].dense[0].weight.grad[:2, [1, 3]].abs().max() > 0  # what does not matter yet


def test_what_both_have_gives_the_same():
    large, small = networks_of()
    transplant(large, small)
    places, own = places_of(large, small), range(small.features)
    assert places == [0, 1, 2, 3, 6, 7, 8, 9, 12, 13]
    state = torch.randn(1, 15, 8, 6)
    features, wanted = large.align(state), small.align(state[:, places])
    torch.testing.assert_close(features[:, places], wanted)
    torch.testing.assert_close(large.hidden(features)[:, own], small.hidden(wanted))
    window = [torch.randn(1, 15, 8, 6) for _ in range(5)]
    fused, wanted = large.fuse(*window), small.fuse(*(x[:, places] for x in window))
    torch.testing.assert_close(fused[:, places], wanted)
    up, wanted = (ends.up1(ends.rdn(x)) for ends, x in ((large.reconstruct, fused), (small.reconstruct, wanted)))
    torch.testing.assert_close(up[:, :4], wanted)
    seen, other = large.reconstruct.up2(up), torch.cat([up[:, :4], torch.randn_like(up[:, 4:])], 1)
    torch.testing.assert_close(large.reconstruct.up2(other), seen)
    frame = torch.rand(1, 3, 8, 8)
    torch.testing.assert_close(large.skip(frame), small.skip(frame))


FIRST = ("align.blocks.0.", "align.blocks.1.")
CHAIN = ("align.blocks.0.", "align.fuse.", "align.conv.")
ENDS = ("extract.", "reconstruct.up2.", "reconstruct.head.")


@pytest.mark.parametrize(
    ("blocks", "chains"), [((4, 2), FIRST), ((4, 1), (*FIRST, "reconstruct.rdn.")), ((1, 2), CHAIN)], ids=str
)
def test_the_rest_learns_what_the_small_one_gives_and_nothing_else_moves(blocks, chains):
    large, small = networks_of(3, *blocks)
    transplant(large, small)
    before = {name: value.clone() for name, value in large.state_dict().items()}
    arguments = (2, torch.device("cpu"), torch.float32)
    first = fit(large, small, Clips(), 1, *arguments)
    last = fit(large, small, Clips(), 60, *arguments)
    assert last[0] < 0.7 * first[0]
    assert last[1] < 0.5 * first[1]
    moved = {name for name, value in large.named_parameters() if not torch.equal(value, before[name])}
    assert all(any(name.startswith(part) for name in moved) for part in chains)
    assert all(name.startswith((*ENDS, *chains)) for name in moved)


def test_what_is_too_narrow_is_said():
    small = MMPRNN(3, 1, 2, magnitude_net=MMPNet(WIDTHS, scale=2), stem_stride=2)
    with pytest.raises(UserError, match="fewer channels than mmp-rnn-tiny"):
        transplant(networks_of(2, 1, 2)[0], small)


def test_the_command_writes_weights_that_load(tmp_path, monkeypatch, capsys):
    large, small = networks_of()
    given = {"mmp-rnn-a3b4c16": large, "mmp-rnn-tiny": small}
    monkeypatch.setattr(module, "build", given.get)
    monkeypatch.setattr(module.weights, "load", lambda network, name: None)
    export(large.magnitude_net, tmp_path / "magnitude.safetensors", {"network": "mmp-net"})
    prepare(Clips(), tmp_path / "pool", 4)
    out = tmp_path / "large.safetensors"
    files = ["--magnitude", str(tmp_path / "magnitude.safetensors"), "--prepared", str(tmp_path / "pool")]
    command = ["mmp-rnn-a3b4c16", str(out), *files, "--steps", "2", "--batch", "2", "--crop", "32"]
    assert not main(command)
    assert "of the features" in capsys.readouterr().out
    load_file(networks_of()[0], out, "mmp-rnn-a3b4c16")
    assert main(command) == 2
    assert "exists already" in capsys.readouterr().err
