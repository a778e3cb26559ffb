"""GSTA's training steps: frames stacked along the batch give what one clip after another gives."""

import pytest
import torch

from tests.training.toys import Clips, tiny_gsta_net, toy_clips
from vdeblur_fast.errors import UserError
from vdeblur_fast.training.gsta_task import RestorationTask, SelectionTask, restore, restore_all
from vdeblur_fast.training.losses import blur_mask, charbonnier, mask_error, negative_psnr
from vdeblur_fast.training.tasks import psnr


def batch_of(kind, count=2):
    return torch.utils.data.default_collate([toy_clips(kind)[i] for i in range(count)])


@pytest.mark.parametrize("fusion", ["gated", "ungated", "none", "non-local"])
def test_all_frames_give_what_the_network_gives(fusion):
    torch.manual_seed(0)
    network = tiny_gsta_net(fusion=fusion).eval()
    clips = batch_of("restoration")["blurry"]
    image, _ = restore(network, clips, torch.ones(2, 5, dtype=torch.bool))
    torch.testing.assert_close(image, network(clips, "valid")[:, 0])


@pytest.mark.parametrize("fusion", ["gated", "ungated", "non-local"])
def test_every_frame_hears_all_the_others(fusion):
    torch.manual_seed(0)
    network = tiny_gsta_net(fusion=fusion).eval()
    clips = batch_of("restoration")["blurry"]
    images, stacked = restore_all(network, clips)
    assert (images.shape, len(stacked.frame)) == (clips.shape, 10)
    for clip, found in zip(clips, images, strict=True):
        entries = [network.encode(frame[None])[0] for frame in clip]
        for t, image in enumerate(found):
            others = [entry for i, entry in enumerate(entries) if i != t]
            torch.testing.assert_close(network.restore(entries[t], others)[0], image)


def test_all_frames_may_be_trained_on():
    batch = batch_of("restoration")
    torch.manual_seed(0)
    task = RestorationTask(tiny_gsta_net(), ends="replicate", fidelity="psnr")
    found = task(batch)
    assert tuple(found) == task.losses == ("loss", "psnr", "mask")
    images, _ = restore_all(task.network, batch["blurry"])
    assert found["psnr"].item() == pytest.approx(negative_psnr(images, batch["sharp"]).item(), rel=1e-5)
    floored = RestorationTask(task.network, ends="replicate", fidelity="psnr", psnr_floor=0.01)(batch)["psnr"].item()
    assert floored == pytest.approx(negative_psnr(images, batch["sharp"], 0.01).item(), rel=1e-5)
    middles = RestorationTask(task.network, fidelity="psnr")(batch)  # its masks are of all frames too
    assert found["mask"].item() == pytest.approx(middles["mask"].item(), rel=1e-5)
    with pytest.raises(UserError, match="ends=valid"):
        RestorationTask(tiny_gsta_net(fusion="none"), ends="replicate")


def test_each_clip_hears_the_frames_that_it_picked():
    torch.manual_seed(0)
    network = tiny_gsta_net(selection=True).eval()
    clips = batch_of("selection", 3)["blurry"]
    picked = torch.rand(3, 25) < 0.2
    picked[0] = False
    picked[:, 12] = True
    image, stacked = restore(network, clips, picked)
    assert len(stacked.frame) == picked.sum()
    for clip, wanted, found in zip(clips, picked, image, strict=True):
        entries = {t: network.encode(clip[None, t])[0] for t in wanted.nonzero()[:, 0].tolist()}
        neighbours = [entry for t, entry in entries.items() if t != 12]
        torch.testing.assert_close(network.restore(entries[12], neighbours)[0], found)


def test_the_gradient_reaches_the_neighbours():
    network = tiny_gsta_net()
    clips = batch_of("restoration")["blurry"].requires_grad_()
    picked = torch.tensor([[True, True, True, False, True], [False, True, True, True, False]])
    restore(network, clips, picked)[0].square().sum().backward()
    assert torch.equal(clips.grad.abs().sum((2, 3, 4)) > 0, picked)


def test_masks_are_supervised_by_what_is_blurred():
    blurry, sharp = torch.zeros(2, 3, 4, 4), torch.zeros(2, 3, 4, 4)
    blurry[0, :, :2, :1] = 0.1
    blurry[1, 0] = 0.1  # a third of it on average
    truth = blur_mask(blurry, sharp, 0.04)
    assert truth.sum() == 2
    shares = torch.tensor([0.75, 0.25])
    estimate = torch.full((2, 1, 2, 2), 0.5)
    assert mask_error([estimate], truth, shares).item() == pytest.approx(0.6931, abs=1e-4)
    right = torch.tensor([[[[0.5, 0.0], [0.0, 0.0]]]]).expand(2, -1, -1, -1).clone()
    right[1] = 0
    assert mask_error([right], truth, shares).item() == pytest.approx(0.75 * 0.6931 / 4, abs=1e-4)
    diverged = right.clone().index_fill(0, torch.tensor([0]), torch.nan)
    assert mask_error([estimate, diverged], truth, shares).isnan()


def test_restoration_has_masks_where_there_is_a_gate():
    batch = batch_of("restoration")
    torch.manual_seed(0)
    task = RestorationTask(tiny_gsta_net(), mask_weight=0.3)
    found = task(batch)
    assert tuple(found) == task.losses == ("loss", "charbonnier", "mask")
    assert found["loss"].item() == pytest.approx((found["charbonnier"] + 0.3 * found["mask"]).item())
    found["mask"].backward()
    assert task.network.fuse3.attention.gate.weight.grad.abs().sum() > 0
    assert RestorationTask(tiny_gsta_net(fusion="ungated")).losses == ("loss", "charbonnier")


def test_selection_learns_from_its_reward():
    batch = batch_of("selection", 2)
    torch.manual_seed(0)
    task = SelectionTask(tiny_gsta_net(selection=True), us=(5,), alpha1=2.0, alpha2=0.5)
    found = task(batch)
    assert tuple(sorted(found)) == tuple(sorted(task.losses))
    chances, blurry = batch["draws"][:, :25], batch["blurry"]
    from vdeblur_fast.reference.networks.frame_selection import thumbnail

    small = thumbnail(blurry.flatten(0, 1)).unflatten(0, (2, 25))
    probabilities, state = task.network.selector(small, 5)
    actions = chances < probabilities
    actions[:, 12] = True
    image, _ = restore(task.network, blurry, actions)
    sharp = batch["sharp"][:, 12]
    picked = actions.sum(1) - 1
    gained = psnr(image, sharp) - psnr(blurry[:, 12], sharp)
    reward = 2 * gained / (picked + 1) + 0.5 * (picked < 5)
    assert found["reward"].item() == pytest.approx(reward.mean().item(), rel=1e-4)
    assert found["picked"].item() == picked.float().mean()
    critic = 0.5 * (task.critic(state, actions) - reward).square().mean()
    assert found["critic"].item() == pytest.approx(critic.item(), rel=1e-4)
    assert found["charbonnier"].item() == pytest.approx(charbonnier(image, sharp, "mean").item(), rel=1e-4)
    found["loss"].backward()
    for part in (task.network.selector.decide, task.critic.value, task.network.head):
        assert part.weight.grad.abs().sum() > 0


def test_u_is_one_of_those_asked_for(monkeypatch):
    task = SelectionTask(tiny_gsta_net(selection=True), us=(3, 5, 7))
    batch = batch_of("selection", 3)
    batch["draws"][:, 25] = torch.tensor([0.0, 0.34, 0.99])
    seen = []
    task.network.selector.register_forward_hook(lambda module, inputs, output: seen.append(inputs[1].tolist()))
    task(batch)
    assert seen == [[3, 5, 7]]


def test_measured_with_the_most_probable_actions():
    torch.manual_seed(0)
    task = SelectionTask(tiny_gsta_net(selection=True), us=(5,))
    network = task.network.eval()
    clip = Clips(frames=25)[0]
    found = task.measure(network, {name: value[None] for name, value in clip.items()})
    assert set(found) == set(task.columns)
    assert 0 <= found["picked"] <= 5
    whole = network(clip["blurry"][None])[0, 12]
    assert found["psnr_output"] == pytest.approx(psnr(whole, clip["sharp"][12]).item(), abs=0.02)
