"""Courses: the stages of DAVID and GSTA-Net, one after another, by the recipes themselves on networks made tiny."""

import json

import pytest
import torch
from safetensors.torch import load_file

from tests.training.toys import tiny_gsta_net
from vdeblur_fast.errors import UserError
from vdeblur_fast.reference.networks import DAVID
from vdeblur_fast.reference.networks.registry import DAVID_PARTS, GSTA_NETS
from vdeblur_fast.training import recipes
from vdeblur_fast.training.__main__ import main
from vdeblur_fast.training.checkpoint import load_checkpoint
from vdeblur_fast.training.log import read
from vdeblur_fast.training.recipes import recipe as recipe_file

SMOKE = ["--smoke", "--workers", "0", "--quiet", "--device", "cpu", "--val-clips", "0", "--batch", "1"]


@pytest.fixture(autouse=True)
def tiny(monkeypatch):
    """The same networks with a few channels."""

    def build_tiny(name):
        if name in GSTA_NETS:
            return tiny_gsta_net(**GSTA_NETS[name])
        part = name.removeprefix("david-small").removeprefix("david")
        return DAVID(4, **DAVID_PARTS[part])

    monkeypatch.setattr(recipe_file, "build", build_tiny)


def train(name, pictures, out, *more):
    return main([name, "--data", str(pictures), "--out", str(out), *SMOKE, *more])


def network_of(folder):
    return load_checkpoint(folder / "checkpoint.pt")["network"]


def test_david_in_three_phases(pictures, tmp_path):
    out = tmp_path / "david"
    assert train("david", pictures, out, "--steps", "1") == 0
    stages = [stage.stage for stage in recipes.stages("david")]
    assert stages == [
        *("single1", "single3", "single5", "single7"),
        *("internal3-attention", "internal3", "internal7-attention", "internal7", "internal11-attention", "internal11"),
        *("external", "attentions", "everything"),
    ]
    assert {folder.name for folder in out.iterdir()} == set(stages)
    single5, attention = network_of(out / "single5"), network_of(out / "internal7-attention")
    internal, external = network_of(out / "internal7"), network_of(out / "external")
    name = "convs.3.weight"
    # The attention is trained on the backbones of phase 1, which stay; then all of it moves.
    assert torch.equal(attention[f"levels.0.branches.2.{name}"], single5[f"levels.0.branches.0.{name}"])
    assert any("branches" in key and not torch.equal(value, attention[key]) for key, value in internal.items())
    for key, value in internal.items():
        assert torch.equal(external[key.replace("levels.0.", "levels.1.")], value), key
    attentions, everything = network_of(out / "attentions"), network_of(out / "everything")
    moved = {key for key, value in attentions.items() if not torch.equal(value, external[key])}
    assert moved
    assert all("attention" in key for key in moved)
    assert any("branches" in key and not torch.equal(value, attentions[key]) for key, value in everything.items())
    card = json.loads((out / "everything" / "last.json").read_text())
    assert (card["network"], card["recipe"], card["steps"]) == ("david", "david/everything", 1)


def test_david_in_phases_of_a_small_budget(pictures, tmp_path):
    out = tmp_path / "david"
    assert train("david-small-phases", pictures, out, "--steps", "2") == 0
    stages = [stage.stage for stage in recipes.stages("david-small-phases")]
    levels = ["internal3", "internal7", "internal11"]
    assert stages == ["single7", "single5", "single3", "single1", *levels, "external"]
    whole = network_of(out / "external")
    for j, level in enumerate(levels):
        for key, value in network_of(out / level).items():
            assert torch.equal(whole[key.replace("levels.0.", f"levels.{j}.")], value), key
    backbone, kept = network_of(out / "single1"), set(load_file(out / "external" / "last.safetensors"))
    for i in range(20):  # what works at an eighth of the resolution stays as the backbones have it, and is kept once
        first, second = (whole[f"levels.{j}.branches.0.convs.{i}.weight"] for j in (0, 1))
        assert torch.equal(first, second) == (6 <= i <= 12)
        assert torch.equal(first, backbone[f"levels.0.branches.0.convs.{i}.weight"]) == (6 <= i <= 12)
        assert (f"levels.1.branches.0.convs.{i}.weight" in kept) == (not 6 <= i <= 12)


def test_fewer_frames_begin_with_the_kernels_of_those_in_the_middle(pictures, tmp_path):
    out = tmp_path / "david"
    assert train("david-small-phases/single7", pictures, out / "single7") == 0
    seven = network_of(out / "single7")
    for scale in (5, 3, 1):
        recipe = recipes.find(f"david-small-phases/single{scale}")
        task = recipe.make_task()
        recipe.take_over(task, out)
        for name, weight in task.network.state_dict().items():
            first = name.endswith("convs.0.weight")
            assert torch.equal(weight, seven[name][:, 9 - scale // 2 * 3 :][:, : 3 * scale] if first else seven[name])


def test_the_external_attention_stands_on_a_backbone_for_each_level(pictures, tmp_path):
    out = tmp_path / "external"
    assert train("david-external", pictures, out, "--steps", "1") == 0
    stages = [stage.stage for stage in recipes.stages("david-external")]
    assert stages == ["single7", "level3", "level7", "level11", "external", "everything"]
    external = network_of(out / "external")
    for j, level in enumerate((3, 7, 11)):
        for key, value in network_of(out / f"level{level}").items():
            assert torch.equal(external[key.replace("levels.0.", f"levels.{j}.")], value), key
    assert load_checkpoint(out / "everything" / "checkpoint.pt")["settings"]["network"] == "david-external"


@pytest.mark.parametrize("name", ["gsta-net", "gsta-net5"])
def test_gsta_in_its_stages(name, pictures, tmp_path):
    out = tmp_path / name
    assert train(name, pictures, out, "--steps", "2") == 0
    restored, selected = network_of(out / "restore"), network_of(out / "select")
    assert any(key.startswith("selector.") for key in restored)
    # Batch norm's counters show that the second stage went on from the first: as many batches again.
    counters = [key for key in selected if key.endswith("num_batches_tracked")]
    assert all(selected[key] == 2 * restored[key] for key in counters)
    assert "picked" in read(out / "select" / "log.csv")[0]
    if name == "gsta-net":
        critic = load_checkpoint(out / "select" / "checkpoint.pt")["beside"]["critic.value.weight"]
        varied = load_checkpoint(out / "vary" / "checkpoint.pt")["beside"]["critic.value.weight"]
        assert (critic - varied).abs().max() < 1e-3  # two steps of Adam from it
        assert not torch.equal(critic, varied)
    else:
        assert not (out / "vary").exists()


def test_a_course_goes_on_where_it_was_stopped(pictures, tmp_path, capsys):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    assert train("gsta-net", pictures, whole, "--steps", "2") == 0
    stops = 0
    while train("gsta-net", pictures, parts, "--steps", "2", "--minutes", "0") == 75:
        stops += 1
    assert stops == 3  # once in each stage, after its first step
    for stage in ("restore", "select", "vary"):
        for key in ("network", "ema", "beside"):
            one, other = (load_checkpoint(out / stage / "checkpoint.pt")[key] for out in (whole, parts))
            assert one.keys() == other.keys()
            assert all(torch.equal(value, other[name]) for name, value in one.items()), (stage, key)
    modified = (parts / "restore" / "checkpoint.pt").stat().st_mtime_ns
    assert train("gsta-net", pictures, parts, "--steps", "2") == 0
    assert (parts / "restore" / "checkpoint.pt").stat().st_mtime_ns == modified


def test_a_stage_by_itself_wants_the_ones_before(pictures, tmp_path, capsys):
    out = tmp_path / "course"
    assert train("gsta-net/select", pictures, out / "select") == 2
    assert "restore/checkpoint.pt, which does not exist; train that stage first" in capsys.readouterr().err
    assert train("gsta-net/restore", pictures, out / "restore", "--minutes", "0") == 75
    assert train("gsta-net/select", pictures, out / "select") == 2
    assert "is at step 1 of 4; finish that stage first" in capsys.readouterr().err
    assert train("gsta-net/restore", pictures, out / "restore") == 0
    assert train("gsta-net/select", pictures, out / "select", "--steps", "1") == 0
    assert train("david/internal3-attention", pictures, out / "select") == 2
    assert train("gsta-net", pictures, out, "--init", "some.safetensors") == 2
    assert "--init and --resume PATH are for one stage" in capsys.readouterr().err


def test_a_course_is_no_single_recipe():
    with pytest.raises(UserError, match="gsta-net is trained in stages; choose one of gsta-net/restore, "):
        recipes.find("gsta-net")


def test_starts_name_stages_of_their_course():
    for stages in recipes.COURSES.values():
        names = [stage.stage for stage in stages]
        for number, stage in enumerate(stages):
            assert all(start.stage in names[:number] for start in stage.starts), stage.name


def test_budget_is_a_part_of_the_steps(pictures, tmp_path):
    whole = recipes.find("strcnn-dtb")
    part = whole.scaled(0.01)
    assert (part.steps, part.decay_every) == (3000, 100)
    for done in (0, 0.4, 0.99):
        assert part.learning_rate_at(int(3000 * done)) == whole.learning_rate_at(int(300_000 * done))
    arguments = ["david-single1", "--data", str(pictures), "--out", str(tmp_path / "o"), *SMOKE[1:], "--crop", "16"]
    assert main([*arguments, "--budget", "0.00003"]) == 0
    assert load_checkpoint(tmp_path / "o" / "checkpoint.pt")["step"] == 2
