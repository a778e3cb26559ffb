"""The recipes: the papers' settings, and what is trained with what."""

import json
from dataclasses import replace

import pytest
import torch

from vdeblur_fast.errors import UserError
from vdeblur_fast.reference.networks import build, networks
from vdeblur_fast.training.recipes import COURSES, RECIPES, find, names, stages
from vdeblur_fast.training.tasks import DeblurTask, MagnitudeTask, SquaredTask


def test_every_network_has_a_recipe():
    assert set(networks()) <= set(names())
    assert all(name == recipe.name for name, recipe in RECIPES.items())
    assert all(stages(name)[-1].network == name.removesuffix("-phases") for name in COURSES)


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


def test_what_is_held_stays_and_everything_else_learns():
    torch.manual_seed(0)
    recipe = find("estrnn-c70b7-short")
    task = recipe.make_task()
    held, optimizer = task.network.picture_path(), recipe.make_optimizer(task)
    before = {name: weight.clone() for name, weight in task.network.named_parameters()}
    clip = {name: torch.rand(1, 5, 3, 16, 16) for name in ("blurry", "sharp")}
    for _ in range(3):
        optimizer.zero_grad()
        task(clip)["loss"].backward()
        optimizer.step()
    for name, weight in task.network.named_parameters():
        moved = weight != before[name]
        mask = held.get(name, torch.zeros_like(moved))
        assert not (moved & mask).any()
        assert mask.all() or (moved & ~mask).float().sum() > 0.9 * (~mask).sum()


def test_what_cannot_be_held_is_said():
    with pytest.raises(UserError, match="hold_picture: MMPRNN does not say where its picture passes; leave it out"):
        replace(find("mmp-rnn-tiny"), hold_picture=True).make_task()


def test_strcnn_is_trained_as_the_paper_says():
    recipe = find("strcnn-dtb")
    assert (recipe.frames, recipe.crop, recipe.batch, recipe.steps) == (13, 128, 8, 300_000)
    assert recipe.taus == (7, 9, 11, 13, 15)
    rates = [recipe.learning_rate_at(step) for step in (0, 9_999, 10_000, 299_999)]
    assert rates == pytest.approx([1e-4, 1e-4, 0.96e-4, 1e-4 * 0.96**29])
    task = recipe.make_task()
    assert isinstance(task, SquaredTask)
    torch.manual_seed(0)
    clip = {name: torch.rand(1, 5, 3, 16, 16) for name in ("blurry", "sharp")}
    found = task(clip)
    weights = sum(weight.square().sum() for weight in task.network.parameters())
    output = task.network(clip["blurry"], "valid")
    squared = (output - clip["sharp"][:, 1:-1]).square().sum() / 16**2
    torch.testing.assert_close(found["loss"], squared + 1e-5 * weights)
    with pytest.raises(UserError, match="has no use for an MMP-Net"):
        recipe.make_task(magnitude="some.safetensors")


def test_david_is_trained_as_the_paper_says():
    course = {stage.stage: stage for stage in stages("david")}
    assert {stage.batch for stage in course.values()} == {16}
    rates = {name: stage.learning_rate_at(stage.steps - 1) for name, stage in course.items()}
    assert {name: rate for name, rate in rates.items() if name.startswith("single")} == dict.fromkeys(
        ("single1", "single3", "single5", "single7"), 1e-4
    )
    alone = {name for name, rate in rates.items() if rate == 1e-5}
    assert alone == {"internal3-attention", "internal7-attention", "internal11-attention", "external"}
    assert all(rate == 2e-6 for name, rate in rates.items() if name not in alone and not name.startswith("single"))
    assert [course[f"internal{level}"].taus for level in (3, 7, 11)] == [(3,), (7,), (11,)]
    assert course["everything"].taus == (3, 7, 11, 15)


def trained_by(recipe):
    """The parts of the network that a recipe trains: names without numbers."""
    names = [name for name, weight in recipe.make_task().network.named_parameters() if weight.requires_grad]
    return {".".join(part for part in name.split(".") if part.isalpha() and part not in ("weight", "bias", "convs"))
            for name in names}  # fmt: skip


def test_david_trains_part_by_part():
    expected = {
        "single3": {"levels.branches"},
        "internal7-attention": {"levels.attention"},
        "internal7": {"levels.attention", "levels.branches"},
        "external": {"attention"},
        "attentions": {"attention", "levels.attention"},
        "everything": {"attention", "levels.attention", "levels.branches"},
    }
    for stage, parts in expected.items():
        assert trained_by(find(f"david-small/{stage}")) == parts, stage
    assert trained_by(find("david-small-external/external")) == {"attention"}
    assert trained_by(find("david-small-external/everything")) == {"attention", "levels.branches"}


def test_gsta_is_trained_as_the_paper_says():
    restore, select, vary = stages("gsta-net")
    for recipe in (restore, select, vary):
        assert (recipe.crop, recipe.batch) == (256, 8)
        epoch = recipe.decay_every // 200
        rates = [recipe.learning_rate_at(epoch * number) for number in (0, 199, 200, 400)]
        assert rates == [1e-4, 1e-4, 0.5e-4, 0.25e-4]
    assert (restore.frames, select.frames, vary.frames) == (5, 25, 25)
    assert (select.us, vary.us) == ((5,), (3, 5, 7))
    assert not any(name.startswith("selector") for name in trained_by(restore))
    assert any(name.startswith("selector") for name in trained_by(select))


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
