"""Checkpoints in the authors' layout against what the authors' code computes with them."""

import pytest
import torch
from safetensors.torch import save_file

import vdeblur_fast
from vdeblur_fast import Deblurrer, UserError, build, convert
from vdeblur_fast.reference.networks import ESTRNN, MMPRNN
from vdeblur_fast.weights import MisfitError

from . import published


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def save(tmp_path, checkpoint, name="model_best.pth.tar", **options):
    path = tmp_path / name
    torch.save(checkpoint, path, **options)
    return path


def filled(network, path, **options):
    """In double precision, for random weights make large numbers."""
    network.load_state_dict(convert(path, network, **options))
    return network.eval().double()


def exact(p):
    return {name: tensor.double() for name, tensor in p.items()}


@torch.no_grad()
@pytest.mark.parametrize("attention", [True, False])
def test_mmp_rnn_computes_what_the_published_code_computes(tmp_path, attention):
    p = published.mmp_rnn_weights(4, 2, 3)
    path = save(tmp_path, published.trainer_checkpoint(p))
    network = MMPRNN(4, 2, 3, shift=False, channel_attention=attention)
    if attention:
        filled(network, path)
    else:
        unused = r"MMPRNN has no use for 4 tensors \(fusion\.ca\.conv_du\.0\.weight, .*, …\)"
        with pytest.warns(UserWarning, match=unused):
            filled(network, path)
    clip = torch.rand(2, 7, 3, 20, 24).double()
    want = published.mmp_rnn(exact(p), clip - 0.5, attention) + 0.5
    torch.testing.assert_close(network(clip, ends="valid"), want)
    assert want.std() > 0.1


@torch.no_grad()
@pytest.mark.parametrize("activation", [torch.nn.functional.gelu, torch.relu])
def test_estrnn_computes_what_the_published_code_computes(tmp_path, monkeypatch, activation):
    monkeypatch.setattr(published, "gelu", activation)
    p = published.estrnn_weights(4, 2)
    network = filled(ESTRNN(4, 2, activation.__name__), save(tmp_path, published.trainer_checkpoint(p)))
    clip = torch.rand(2, 6, 3, 8, 12).double()
    want = published.estrnn(exact(p), clip - 0.5) + 0.5
    torch.testing.assert_close(network(clip, ends="valid"), want)
    assert want.std() > 0.1


@torch.no_grad()
@pytest.mark.parametrize("size", [(48, 64), (33, 47)])
def test_mmp_net_computes_what_the_published_code_computes(tmp_path, size):
    p = published.unet_weights()
    path = save(tmp_path, {"state_dict": p, "epoch": 3})
    assert convert(path, "mmp-net").keys() == convert(path, build("mmp-net")).keys()
    frame = torch.rand(2, 3, *size).double()
    torch.testing.assert_close(filled(build("mmp-net"), path)(frame), published.unet(exact(p), frame - 0.5))


@torch.no_grad()
def test_weights_for_bgr_frames_take_rgb_frames(tmp_path):
    clip = torch.rand(1, 5, 3, 16, 20).double()
    p = published.mmp_rnn_weights(4, 1, 1)
    network = MMPRNN(4, 1, 1, shift=False, channel_attention=True)
    filled(network, save(tmp_path, {"state_dict": p}), colours="bgr")
    want = published.mmp_rnn(exact(p), clip.flip(2) - 0.5).flip(2) + 0.5
    torch.testing.assert_close(network(clip, ends="valid"), want)
    p = published.estrnn_weights(4, 1)
    network = filled(ESTRNN(4, 1), save(tmp_path, {"state_dict": p}), colours="bgr")
    want = published.estrnn(exact(p), clip.flip(2) - 0.5).flip(2) + 0.5
    torch.testing.assert_close(network(clip, ends="valid"), want)
    with pytest.raises(ValueError, match="colours must be"):
        convert(tmp_path / "any", network, colours="yuv")


@pytest.mark.parametrize(
    ("name", "weights"),
    [
        ("mmp-rnn-a3b4c16-released", lambda: published.mmp_rnn_weights(16, 3, 4)),
        ("mmp-rnn-a9b10c18-released", lambda: published.mmp_rnn_weights(18, 9, 10)),
        ("estrnn-c70b7", lambda: published.estrnn_weights(14, 7)),
        ("estrnn-c80b15", lambda: published.estrnn_weights(16, 15)),
    ],
)
def test_the_published_sizes_have_their_names(tmp_path, name, weights):
    path = save(tmp_path, published.trainer_checkpoint(weights()))
    found = convert(path, name)
    save_file(found, tmp_path / "w.safetensors", {"network": name})
    if name in ("mmp-rnn-a3b4c16-released", "estrnn-c70b7"):
        engine = Deblurrer(name, tmp_path / "w.safetensors", precision="fp32", device="cpu")
        assert len(list(engine.stream([torch.rand(3, 18, 22)] * 3))) == 3


WRAPPINGS = {
    "bare": lambda p: p,
    "model": lambda p: {"model": p, "epoch": 1},
    "twice": lambda p: {"state": 1, "model": {"state_dict": p}},
    "compiled": lambda p: {"params": {f"module._orig_mod.{k}": v for k, v in p.items()}},
    "averaged": lambda p: {"n_averaged": torch.tensor(3), **{f"module.module.model.{k}": v for k, v in p.items()}},
    "counted": lambda p: {**p, "cell.total_ops": torch.zeros(1), "total_params": torch.zeros(1)},
    "half": lambda p: {"state_dict": {k: v.half() for k, v in p.items()}},
}


@pytest.mark.parametrize("kind", WRAPPINGS)
def test_wrappings_of_trainers_come_off(tmp_path, kind):
    p = published.estrnn_weights(4, 1)
    found = convert(save(tmp_path, WRAPPINGS[kind](p)), ESTRNN(4, 1))
    assert torch.allclose(found["extract.0.weight"], p["cell.F_B0.weight"], atol=1e-3)
    assert all(tensor.dtype is torch.float32 for tensor in found.values())


def test_the_old_file_format_and_safetensors_are_read(tmp_path):
    p = published.estrnn_weights(4, 1)
    old = save(tmp_path, published.trainer_checkpoint(p), _use_new_zipfile_serialization=False)
    save_file({published.PREFIX + name: tensor for name, tensor in p.items()}, tmp_path / "theirs.safetensors")
    for path in (old, tmp_path / "theirs.safetensors"):
        assert torch.equal(convert(path, ESTRNN(4, 1))["attention.fuse.bias"], p["fusion.fusion.bias"])


def test_our_own_layout_passes(tmp_path):
    network = ESTRNN(4, 1)
    found = convert(save(tmp_path, network.state_dict()), network)
    assert torch.equal(found["extract.0.weight"], network.state_dict()["extract.0.weight"])


def test_what_does_not_fit_is_listed(tmp_path):
    p = published.estrnn_weights(4, 1)
    del p["cell.F_B0.bias"]
    p["cell.F_R.conv1x1.bias"] = torch.zeros(7)
    p["fusion.condense.bias"] = torch.zeros(20, dtype=torch.int64)
    p["extra.weight"] = torch.zeros(2)
    path = save(tmp_path, {"state_dict": p})
    with pytest.raises(MisfitError) as caught:
        convert(path, ESTRNN(4, 1))
    assert str(caught.value) == (
        f"checkpoint {path} does not fit ESTRNN: 1 tensors missing (cell.F_B0.bias), "
        "1 not of this network (extra.weight), 2 of another shape or kind (cell.F_R.conv1x1.bias (7,) for (20,), "
        "fusion.condense.bias torch.int64 for torch.float32); choose the network that it was made for"
    )
    pairing = caught.value.pairing
    assert pairing.missing == ["cell.F_B0.bias"]
    assert pairing.unexpected == ["extra.weight"]
    assert set(pairing.misshapen) == {"cell.F_R.conv1x1.bias", "fusion.condense.bias"}


def test_the_network_that_it_fits_is_named(tmp_path):
    path = save(tmp_path, published.trainer_checkpoint(published.mmp_rnn_weights(18, 9, 10)))
    with pytest.raises(
        MisfitError, match=r"it fits mmp-rnn-a9b10c18-released and mmp-rnn-a9b10c18-released-no-attention$"
    ):
        convert(path, "mmp-rnn-a9b10c18")
    with pytest.raises(MisfitError, match="does not fit estrnn-c70b7"):
        convert(path, "estrnn-c70b7")


def test_values_that_are_not_finite_are_named(tmp_path):
    p = published.estrnn_weights(4, 1)
    p["fusion.condense.bias"][3] = torch.nan
    with pytest.raises(UserError, match=r"1 tensors not finite \(attention\.condense\.bias\); get it again"):
        convert(save(tmp_path, p), ESTRNN(4, 1))


def test_networks_that_nobody_has_published_are_named(tmp_path):
    with pytest.raises(UserError, match="no published checkpoints are known of 'strcnn'; those of MMPRNN, ESTRNN"):
        convert(tmp_path / "any.pth", "strcnn")
    with pytest.raises(UserError, match="unknown network 'estrn'"):
        convert(tmp_path / "any.pth", "estrn")
    with pytest.raises(TypeError, match="a name or a module, got int"):
        convert(tmp_path / "any.pth", 3)


@pytest.mark.parametrize(
    ("weights", "numbers"),
    [
        (lambda: published.mmp_rnn_weights(18, 9, 10), 4_079_940),
        (lambda: published.mmp_rnn_weights(16, 3, 4), 1_994_281),
        (lambda: published.estrnn_weights(14, 7), 1_170_907),
        (lambda: published.estrnn_weights(16, 15), 2_467_931),
        (published.unet_weights, 851_417),
    ],
)
def test_the_layout_is_as_large_as_the_published_code_was_measured(weights, numbers):
    statistics = ("running_mean", "running_var", "num_batches_tracked")
    assert sum(tensor.numel() for name, tensor in weights().items() if not name.endswith(statistics)) == numbers


def test_it_is_public():
    assert vdeblur_fast.convert is convert
