"""What the training steps of GSTA-Net compute (Suin and Rajagopalan, CVPR 2021, sections 3.1 and 3.2).

Both tasks restore the frame in the middle of a clip. The frames that take part are stacked along the batch, as in the
paper, and go through the neighbour path at once: a batch costs as many frames as were picked in it. Ours: all frames of
a clip at once, each with the others as its neighbours, which gives five times the images to learn from for less than
twice the work.
"""

from collections.abc import Callable
from typing import Any, Literal

import torch

from vdeblur_fast.errors import UserError
from vdeblur_fast.reference.modules import FrameSummary
from vdeblur_fast.reference.networks import EvaluationNetwork, GSTANet
from vdeblur_fast.reference.networks.frame_selection import FRAMES, select, thumbnail
from vdeblur_fast.reference.networks.gsta_net import Entry

from . import frame_selection
from .losses import blur_mask, charbonnier, mask_error, negative_psnr
from .tasks import Batch, Task, gains, psnr

NEAR = 2  # frames before and after that the network is first trained on


class RestorationTask(Task):
    """The middle frame of a clip of five from all of them, without any selection; with `ends` "replicate" every frame.

    Charbonnier, or with `fidelity` "psnr" `negative_psnr` with `psnr_floor`, and where the network has a gate,
    `mask_weight` times the cross entropy of its blur masks Q and |blurry - sharp| > `threshold`, for all frames that
    take part.

    Raises UserError for "replicate" with Net1, to which it is not the same which neighbour comes first.
    """

    inputs: tuple[str, ...] = ("blurry", "sharp")
    columns: tuple[str, ...] = ("psnr_blurry", "psnr_output", "gain")
    score = "gain"

    def __init__(
        self,
        network: GSTANet,
        mask_weight: float = 0.1,
        threshold: float = 0.04,
        ends: Literal["valid", "replicate"] = "valid",
        fidelity: Literal["charbonnier", "psnr"] = "charbonnier",
        psnr_floor: float = 1e-5,
    ):
        super().__init__(network)
        if ends == "replicate" and network.fusion == "none":
            raise UserError("without attention a network reads its neighbours in their order; train with ends=valid")
        self.ends, self.fidelity, self.psnr_floor = ends, fidelity, psnr_floor
        self.mask_weight = mask_weight if network.fusion == "gated" else 0.0
        self.threshold = threshold
        self.losses = ("loss", fidelity, *(("mask",) if self.mask_weight else ()))

    def forward(self, batch: Batch) -> dict[str, torch.Tensor]:
        if self.ends == "replicate":
            images, stacked = restore_all(self.network, batch["blurry"])
            return self.compare(images, batch["sharp"], stacked, batch)
        everyone = torch.ones(batch["blurry"].shape[:2], dtype=torch.bool)
        image, stacked = restore(self.network, batch["blurry"], everyone)
        return self.compare(image, middle(batch["sharp"]), stacked, batch)

    def compare(
        self,
        image: torch.Tensor,
        sharp: torch.Tensor,
        stacked: Entry,
        batch: Batch,
        picked: torch.Tensor | None = None,
    ) -> dict[str, torch.Tensor]:
        """The losses of the images, and of the masks of the picked frames: bool (B, T), None for all. All frames of a
        clip together count as much as those of any other."""
        if self.fidelity == "psnr":
            total = negative_psnr(image, sharp, self.psnr_floor)
        else:
            total = charbonnier(image, sharp, "mean")
        found = {self.fidelity: total}
        if self.mask_weight:
            frames = [batch[name] for name in ("blurry", "sharp")]
            blurry, truth = (part.flatten(0, 1) if picked is None else part[picked] for part in frames)
            mask = blur_mask(blurry, truth, self.threshold)
            found["mask"] = mask_error(self.network.blur_masks(stacked), mask, _shares(picked, len(mask)).to(mask))
            total = total + self.mask_weight * found["mask"]
        return {"loss": total, **found}

    def measure(self, network: GSTANet, batch: Batch) -> dict[str, float]:
        image, _ = restore(network, batch["blurry"], torch.ones(batch["blurry"].shape[:2], dtype=torch.bool))
        return gains(middle(batch["blurry"]), image, middle(batch["sharp"]))


class SelectionTask(RestorationTask):
    """The middle frame of a clip of 25 from those that the frame selection picks: restoration and selection together.

    us: the numbers u of which each clip gets one at random. alpha1, alpha2: of the reward (Eq. 9). restoration: what
    RestorationTask takes, but for `ends`. The critic, which only training needs, stays in the checkpoint.

    Reads "draws" (B, 26) beside the frames, random numbers in [0, 1) that decide what is picked and what u is.
    """

    inputs = ("blurry", "sharp", "draws")
    columns = ("psnr_blurry", "psnr_output", "gain", "picked")

    def __init__(
        self,
        network: GSTANet,
        us: tuple[int, ...],
        alpha1: float = 1.0,
        alpha2: float = 1.0,
        **restoration: Any,
    ):
        super().__init__(network, **restoration)
        self.us, self.alpha1, self.alpha2 = us, alpha1, alpha2
        self.critic = EvaluationNetwork()
        self.losses = (*self.losses, "policy", "critic", "reward", "picked")

    def forward(self, batch: Batch) -> dict[str, torch.Tensor]:
        blurry, chances = batch["blurry"], batch["draws"][:, :FRAMES]
        us = torch.tensor(self.us, device=blurry.device)
        u = us[(batch["draws"][:, FRAMES] * len(us)).long()]
        probabilities, state = self.network.selector(thumbnails(blurry), u)
        probabilities, state = probabilities.float(), state.float()
        free = frame_selection.free_agents(torch.ones(FRAMES, dtype=torch.bool, device=blurry.device))
        actions = frame_selection.sample_actions(probabilities.detach(), free, chances)
        image, stacked = restore(self.network, blurry, actions)
        sharp = middle(batch["sharp"])
        found = self.compare(image, sharp, stacked, batch, actions)
        with torch.no_grad():
            gained = psnr(image, sharp) - psnr(middle(blurry), sharp)
            picked = actions.sum(1) - 1
            reward = frame_selection.reward(gained, picked, u, self.alpha1, self.alpha2)
        advantage = frame_selection.counterfactual_advantage(self.critic, state.detach(), actions, probabilities)
        found["policy"] = frame_selection.policy_loss(probabilities, actions, advantage, free)
        found["critic"] = frame_selection.evaluation_loss(self.critic(state.detach(), actions), reward)
        found["loss"] = found["loss"] + found["policy"] + found["critic"]
        return {**found, "reward": reward.mean(), "picked": picked.float().mean()}

    def measure(self, network: GSTANet, batch: Batch) -> dict[str, float]:
        """With the most probable actions, and the u that the network is set to."""
        probabilities, _ = network.selector(thumbnails(batch["blurry"]), network.frames)
        actions = select(probabilities.float().cpu(), torch.ones(FRAMES, dtype=torch.bool), network.frames)
        image, _ = restore(network, batch["blurry"], actions)
        picked = actions.sum().item() / len(actions) - 1
        return {**gains(middle(batch["blurry"]), image, middle(batch["sharp"])), "picked": picked}


def restore(network: GSTANet, clip: torch.Tensor, picked: torch.Tensor) -> tuple[torch.Tensor, Entry]:
    """The middle frames (B, 3, H, W) of clips (B, T, 3, H, W), each with the help of the frames that it picked.

    picked: bool (B, T), the middle frames among them. Returns the entry of all picked frames beside, stacked along the
    batch: of the first clip, then of the second, and so on.
    """
    centre = clip.shape[1] // 2
    picked = picked.to(clip.device)
    stacked, _ = network.encode(clip[picked])
    spread = _spreader(picked)
    rows = picked.flatten().cumsum(0).unflatten(0, picked.shape)[:, centre] - 1
    own = stacked._replace(
        index=centre,
        summaries=tuple(_each(summary, lambda part: part[rows]) for summary in stacked.summaries),
        **{name: getattr(stacked, name)[rows] for name in ("frame", "skip", "features")},
    )
    everyone = [_each(summary, spread) for summary in stacked.summaries]
    others = [t for t in range(clip.shape[1]) if t != centre]
    neighbours = [
        own._replace(index=t, summaries=tuple(_each(summary, lambda part, t=t: part[:, t]) for summary in everyone))
        for t in others
    ]
    picks = None if picked.all() else picked[:, others].cpu()
    return network.restore(own, neighbours, picks), stacked


def restore_all(network: GSTANet, clip: torch.Tensor) -> tuple[torch.Tensor, Entry]:
    """All frames of clips (B, T, 3, H, W), each with the help of all the others, in any order: (B, T, 3, H, W), and
    the entry of all of them, stacked along the batch as `restore` stacks them."""
    stacked, _ = network.encode(clip.flatten(0, 1))
    neighbours = [
        stacked._replace(summaries=tuple(_each(summary, _later(clip.shape[:2], k)) for summary in stacked.summaries))
        for k in range(1, clip.shape[1])
    ]
    return network.restore(stacked, neighbours).unflatten(0, clip.shape[:2]), stacked


def _later(size: torch.Size, k: int) -> Callable[[torch.Tensor], torch.Tensor]:
    """Puts in the place of each of B * T frames the one that is k later in its clip; after the last comes the first."""
    return lambda part: part.unflatten(0, size).roll(-k, 1).flatten(0, 1)


def _spreader(picked: torch.Tensor) -> Callable[[torch.Tensor], torch.Tensor]:
    """Puts what is known of the picked frames, (N, ...), to their places: (B, T, ...), zeros for all others."""
    places = picked.flatten().nonzero()[:, 0]

    def spread(part: torch.Tensor) -> torch.Tensor:
        everything = part.new_zeros(picked.numel(), *part.shape[1:])
        return everything.index_copy(0, places, part).unflatten(0, picked.shape)

    return spread


def _each(summary: FrameSummary | torch.Tensor, change: Callable[[torch.Tensor], torch.Tensor]):
    """A summary with `change` made to its tensors."""
    if isinstance(summary, FrameSummary):
        return FrameSummary(change(summary.aggregate), change(summary.mean))
    return change(summary)


def _shares(picked: torch.Tensor | None, count: int) -> torch.Tensor:
    """How much each of `count` picked frames counts: 1 all together, as much in each clip."""
    if picked is None:
        return torch.full((count,), 1 / count)
    return (picked / picked.sum(1, keepdim=True))[picked] / len(picked)


def middle(clip: torch.Tensor) -> torch.Tensor:
    """(B, T, ...) -> (B, ...)"""
    return clip[:, clip.shape[1] // 2]


def thumbnails(clip: torch.Tensor) -> torch.Tensor:
    return thumbnail(clip.flatten(0, 1)).unflatten(0, clip.shape[:2])
