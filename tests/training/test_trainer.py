"""The trainer: it learns, it averages, it stops and continues as if nothing had happened."""

import json
import os
import signal

import pytest
import torch
from safetensors.torch import load_file

from tests.training.toys import tiny_magnitude_net, toy_clips
from vdeblur_fast.errors import UserError
from vdeblur_fast.training.log import read


def weights_of(trainer):
    return {**trainer.task.network.state_dict(), **{f"ema.{k}": v for k, v in averages_of(trainer).items()}}


def averages_of(trainer):
    return trainer.stepper.ema.network.state_dict()


def assert_same(first, second):
    assert first.keys() == second.keys()
    for name, value in first.items():
        assert torch.equal(value, second[name]), name


def rows_of(folder):
    return [{k: v for k, v in row.items() if k != "seconds"} for row in read(folder / "log.csv")]


def stop_after(trainer, steps, how):
    """Lets `trainer` do some steps, and then something happens to it."""
    stepper = trainer.stepper

    def step(parts):
        type(stepper).__call__(stepper, parts)
        if stepper.step == steps:
            how()

    trainer.stepper = type(
        "Watched",
        (),
        {"__call__": lambda self, parts: step(parts), "__getattr__": lambda self, n: getattr(stepper, n)},
    )()


class Killed(BaseException):
    pass


def kill():
    raise Killed


@pytest.mark.parametrize("kind", ["deblur", "magnitude", "guided", "recurrent", "branches", "restoration"])
def test_lowers_the_loss_on_a_fixed_batch(make_trainer, kind):
    rate, steps = (2e-3, 60) if kind == "branches" else (2e-2, 40)  # its ReLUs die at the higher rate
    trainer = make_trainer(kind, validate=False, steps=steps, learning_rate=rate, warmup=0)
    batch = torch.utils.data.default_collate([toy_clips(kind)[i] for i in range(4)])
    found = []
    for _ in range(steps):
        trainer.stepper([batch])
        found.append(trainer.stepper.averages()["loss"])
    assert found[-1] < 0.8 * found[0]


@pytest.mark.parametrize(
    "kind", ["deblur", "magnitude", "watched", "guided", "recurrent", "branches", "restoration", "selection"]
)
def test_continues_after_sigterm_as_if_nothing_had_happened(make_trainer, tmp_path, kind):
    whole = make_trainer(kind, run={"out": tmp_path / "whole"})
    assert whole.fit()
    first = make_trainer(kind, run={"out": tmp_path / "parts"})
    stop_after(first, 3, lambda: os.kill(os.getpid(), signal.SIGTERM))
    assert not first.fit()
    assert first.step == 3
    second = make_trainer(kind, run={"out": tmp_path / "parts"}, random=4)
    assert second.resume(second.checkpoint) == []
    assert second.step == 3
    assert second.fit()
    assert_same(weights_of(whole), weights_of(second))
    assert rows_of(tmp_path / "whole") == rows_of(tmp_path / "parts")
    assert whole.best == second.best


def test_continues_after_a_kill_as_if_nothing_had_happened(make_trainer, tmp_path):
    """A kill without warning, two steps after the last checkpoint: those steps are done again."""
    whole = make_trainer(run={"out": tmp_path / "whole", "log_every": 4})
    whole.fit()
    settings = {"out": tmp_path / "parts", "log_every": 4, "checkpoint_seconds": 0.0}
    first = make_trainer(run=settings)
    stop_after(first, 5, kill)
    save = first.save
    first.save = lambda: save() if first.step <= 3 else None
    with pytest.raises(Killed):
        first.fit()
    second = make_trainer(run=settings)
    second.resume(second.checkpoint)
    assert second.step == 3
    second.fit()
    assert_same(weights_of(whole), weights_of(second))
    assert rows_of(tmp_path / "whole") == rows_of(tmp_path / "parts")


def test_workers_and_parts_change_nothing(make_trainer, tmp_path):
    plain = make_trainer(run={"out": tmp_path / "plain"})
    plain.fit()
    loaded = make_trainer(run={"out": tmp_path / "loaded", "workers": 2})
    loaded.fit()
    assert_same(weights_of(plain), weights_of(loaded))
    parted = make_trainer(run={"out": tmp_path / "parted", "parts": 2})
    parted.fit()
    for name, value in weights_of(plain).items():
        torch.testing.assert_close(weights_of(parted)[name], value, atol=1e-5, rtol=1e-4)


def test_another_seed_gives_other_weights(make_trainer, tmp_path):
    """The toy network draws nothing at random, so a noise of its own shows the seed."""
    found = []
    for number, seed in enumerate((0, 0, 1)):
        trainer = make_trainer(validate=False, run={"out": tmp_path / str(number), "seed": seed})
        trainer.task.network.conv.register_forward_hook(lambda m, i, out: out + 0.1 * torch.randn_like(out))
        trainer.fit()
        found.append(trainer.task.network.conv.weight.detach())
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])


def test_frozen_magnitude_net_does_not_change(make_trainer):
    trainer = make_trainer("guided")
    net = trainer.task.network.magnitude_net
    before = {name: value.clone() for name, value in net.state_dict().items()}
    trainer.task.network.train()
    trainer.task.train()
    trainer.fit()
    assert not any(module.training for module in net.modules())
    assert trainer.task.network.training
    assert_same(before, net.state_dict())
    assert_same(before, trainer.stepper.ema.network.magnitude_net.state_dict())


def test_separate_magnitude_net_is_frozen_too():
    from tests.training.toys import Filter
    from vdeblur_fast.training.tasks import DeblurTask

    net = tiny_magnitude_net()
    task = DeblurTask(Filter(), magnitude_net=net).train()
    assert not net.training
    assert not any(weight.requires_grad for weight in net.parameters())
    batch = torch.utils.data.default_collate([toy_clips()[i] for i in range(2)])
    before = net.down[0][1].running_mean.clone()
    task(batch)["loss"].backward()
    assert torch.equal(before, net.down[0][1].running_mean)
    assert task.network.conv.weight.grad.abs().sum() > 0


def test_writes_weights_with_a_card(make_trainer):
    trainer = make_trainer("guided", run={"data": "toys"})
    trainer.fit()
    out = trainer.run.out
    for name in ("last", "best"):
        tensors = load_file(out / f"{name}.safetensors")
        assert tensors.keys() == trainer.task.network.state_dict().keys()
        buffers = {name for name, _ in trainer.task.network.named_buffers()}
        assert all(value.dtype == torch.float16 for key, value in tensors.items() if key not in buffers)
    last = load_file(out / "last.safetensors")
    for key, value in averages_of(trainer).items():
        torch.testing.assert_close(last[key].to(value.dtype), value, atol=1e-3, rtol=1e-3)
    card = json.loads((out / "last.json").read_text())
    assert (card["network"], card["recipe"], card["data"], card["steps"]) == ("guided", "toy", "toys", 6)
    assert card["validation"]["clips"] == 3
    assert card["validation"]["gain"] == pytest.approx(trainer.measured["gain"], abs=1e-3)
    assert card["settings"]["learning_rate"] == 1e-2
    assert not list(out.glob(".*"))


def test_best_is_the_best_validation(make_trainer):
    trainer = make_trainer(steps=8)
    trainer.fit()
    gains = {row["step"]: row["val_gain"] for row in read(trainer.run.out / "log.csv") if "val_gain" in row}
    assert set(gains) == {2, 4, 6, 8}
    assert gains[trainer.best["step"]] == max(gains.values())
    card = json.loads((trainer.run.out / "best.json").read_text())
    assert card["steps"] == trainer.best["step"]


def test_stops_when_time_is_up(make_trainer):
    trainer = make_trainer(run={"minutes": 0.0})
    assert not trainer.fit()
    assert trainer.step == 1
    assert trainer.checkpoint.exists()


def assert_the_third_step_is_kept(make_trainer):
    again = make_trainer(validate=False)
    again.resume(again.checkpoint)
    assert again.step == 3
    assert all(value.isfinite().all() for value in weights_of(again).values())


def test_loss_that_is_not_finite_keeps_the_last_good_checkpoint(make_trainer):
    trainer = make_trainer(validate=False, run={"checkpoint_seconds": 0.0})
    dataset = trainer.dataset
    trainer.dataset = type(
        "Spoilt",
        (),
        {"__getitem__": lambda s, n: {k: v * (float("nan") if n > 11 else 1) for k, v in dataset[n].items()}},
    )()
    with pytest.raises(UserError, match="not a finite number at step 4"):
        trainer.fit()
    assert_the_third_step_is_kept(make_trainer)


def test_gradients_that_are_not_finite_keep_the_last_good_checkpoint(make_trainer):
    """The loss of that step is finite; it is the last one, so no other can show what became of the weights."""
    trainer = make_trainer(steps=4, validate=False, run={"checkpoint_seconds": 0.0})
    weight = next(weight for weight in trainer.task.network.parameters() if weight.requires_grad)
    weight.register_hook(lambda gradient: gradient * (float("nan") if trainer.step == 3 else 1))
    with pytest.raises(UserError, match="gradient norm is not a finite number at step 4"):
        trainer.fit()
    assert_the_third_step_is_kept(make_trainer)


def test_resume_names_what_is_not_as_it_was(make_trainer):
    make_trainer(steps=2, validate=False).fit()
    other = make_trainer(steps=4, batch=8, validate=False, run={"seed": 5})
    assert other.resume(other.checkpoint) == ["batch 4 -> 8", "steps 2 -> 4", "seed 0 -> 5"]
    with pytest.raises(UserError, match="is at step 2 already; give more --steps"):
        make_trainer(steps=1, validate=False).resume(other.checkpoint)
    with pytest.raises(UserError, match="is a training of deblur, not of magnitude"):
        make_trainer("magnitude", validate=False).resume(other.checkpoint)


@pytest.mark.parametrize("changed", [{"optimizer": "adam"}, {"skip_rate": 1.0}])
def test_resume_says_that_the_optimizer_must_stay(make_trainer, changed):
    settings = {"steps": 2, "validate": False, "optimizer": "muon", "skip_rate": 0.5}
    make_trainer("branches", **settings).fit()
    other = make_trainer("branches", **{**settings, "steps": 4, **changed})
    with pytest.raises(UserError, match="leave optimizer, skip_rate, hold_picture and frozen as they were, or begin"):
        other.resume(other.checkpoint)


def test_a_training_goes_on_with_another_loss(make_trainer):
    first = make_trainer(steps=3, validate=False, run={"log_every": 2})
    first.fit()
    assert first.stepper.sums or first.step == 3
    other = make_trainer(steps=6, validate=False, fidelity="psnr", run={"log_every": 2})
    other.stepper.sums = {}
    state = first.stepper.state()
    state["sums"] = {"loss": torch.ones(()), "charbonnier": torch.ones(()), "count": torch.ones(())}
    other.stepper.load(state)
    assert not other.stepper.sums, "what was added up was of another loss"
    assert other.fit()
    assert {row["step"] for row in read(other.run.out / "log.csv") if "psnr" in row} == {4, 6}


def test_a_training_goes_on_with_other_settings_of_its_optimizer(make_trainer):
    first = make_trainer("branches", steps=2, validate=False, optimizer="muon", skip_rate=0.5)
    first.fit()
    changed = {"optimizer": "muon", "skip_rate": 0.1, "centred_kernels": True, "betas": (0.8, 0.9)}
    other = make_trainer("branches", steps=4, validate=False, **changed)
    fresh = [{k: v for k, v in group.items() if k != "params"} for group in other.stepper.optimizer.param_groups]
    assert {group["share"] for group in fresh} == {1.0, 0.1}
    other.resume(other.checkpoint)
    assert [{k: v for k, v in g.items() if k != "params"} for g in other.stepper.optimizer.param_groups] == fresh
    assert other.fit()


def test_still_norms_keep_their_statistics(make_trainer):
    trainer = make_trainer("recurrent", validate=False, still_norms=True, steps=2)
    norm = trainer.task.network.encoder[0].body[1]
    before, weight = norm.running_mean.clone(), norm.weight.clone()
    trainer.fit()
    assert torch.equal(norm.running_mean, before)
    assert not norm.training
    assert not torch.equal(norm.weight, weight)


@pytest.mark.parametrize("damage", ["cut", "text", "empty", "foreign", "missing"])
def test_damaged_checkpoint_is_one_sentence(make_trainer, damage):
    trainer = make_trainer(steps=1, validate=False)
    trainer.fit()
    path = trainer.checkpoint
    content = path.read_bytes()
    if damage == "missing":
        path.unlink()
    elif damage == "foreign":
        torch.save({"epoch": 3}, path)
    else:
        path.write_bytes({"cut": content[: len(content) // 2], "text": b"hello", "empty": b""}[damage])
    with pytest.raises(UserError) as caught:
        make_trainer(steps=1, validate=False).resume(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_batch_that_cannot_be_cut(make_trainer):
    with pytest.raises(UserError, match=r"--batch 4 cannot be shared by 1 processes in 3 parts each"):
        make_trainer(run={"parts": 3})
