"""The recipes: the papers' settings, and what is trained with what."""

import json

import pytest
import torch

from vdeblur_fast.errors import UserError
from vdeblur_fast.reference.networks import build, networks
from vdeblur_fast.training.recipes import RECIPES, find
from vdeblur_fast.training.tasks import DeblurTask, MagnitudeTask


def test_every_network_has_a_recipe():
    missing = [name for name in networks() if name.startswith(("mmp-", "estrnn-")) and name not in RECIPES]
    assert not missing
    assert all(name == recipe.name for name, recipe in RECIPES.items())


def test_mmp_rnn_is_trained_as_the_paper_says():
    recipe = find("mmp-rnn-a9b10c18")
    assert (recipe.frames, recipe.crop, recipe.batch) == (10, 256, 8)
    assert (recipe.learning_rate, recipe.final_learning_rate, recipe.schedule) == (5e-4, 1e-8, "cosine")
    assert (recipe.gradient_weight, recipe.magnitude_weight) == (0.5, 1.0)
    assert (recipe.channels, recipe.distance, recipe.ends) == ("sum", "squared", "valid")
    assert recipe.clip_norm == 20


def test_mmp_net_is_trained_as_the_paper_says():
    recipe = find("mmp-net")
    assert (recipe.crop, recipe.batch, recipe.learning_rate, recipe.gradient_weight) == (512, 8, 3e-4, 0)
    assert recipe.learning_rate_at(0) == 3e-4
    assert recipe.learning_rate_at(recipe.steps - 1) == 1.5e-4
    assert isinstance(recipe.make_task(), MagnitudeTask)


def test_estrnn_has_the_charbonnier_alone():
    recipe = find("estrnn-c70b7")
    task = recipe.make_task()
    assert task.losses == ("loss", "charbonnier")
    assert recipe.frames == 8
    with pytest.raises(UserError, match="has no use for an MMP-Net"):
        recipe.make_task(magnitude="some.safetensors")


@pytest.mark.parametrize("name", RECIPES)
def test_settings_are_plain_json(name):
    settings = find(name).settings()
    assert json.loads(json.dumps(settings)) == settings


def test_ablation_without_mmam_keeps_the_loss():
    task = find("mmp-rnn-a3b4c16-no-mmam").make_task()
    assert isinstance(task, DeblurTask)
    assert "magnitude" in task.losses
    names = {name for name, weight in task.named_parameters() if weight.requires_grad}
    assert not any(name.startswith("magnitude_net") for name in names)


def test_magnitude_weights_are_loaded(tmp_path):
    from safetensors.torch import save_file

    torch.manual_seed(1)
    net = build("mmp-net-tiny")
    save_file(net.state_dict(), tmp_path / "net.safetensors")
    task = find("mmp-rnn-tiny").make_task(magnitude=tmp_path / "net.safetensors")
    for name, value in task.network.magnitude_net.state_dict().items():
        assert torch.equal(value, net.state_dict()[name])
    with pytest.raises(UserError, match="does not fit"):
        find("mmp-rnn-a3b4c16").make_task(magnitude=tmp_path / "net.safetensors")
    with pytest.raises(UserError, match="does not exist"):
        find("mmp-rnn-tiny").make_task(init=tmp_path / "other.safetensors")


def test_tiny_starts_from_the_identity():
    network = find("mmp-rnn-tiny").build_network()
    clip = torch.rand(1, 5, 3, 32, 32)
    torch.testing.assert_close(network(clip), clip, atol=1e-5, rtol=0)


def test_unknown_recipe():
    with pytest.raises(UserError, match="unknown recipe 'mmp-rnn-huge'; choose one of mmp-net, "):
        find("mmp-rnn-huge")
