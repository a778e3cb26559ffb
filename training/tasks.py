"""What a training step computes: a network, its loss, and how good it is.

A task is a module, so that data-parallel training and compilation see one forward pass with the loss inside.
A batch is a dict of float32 tensors: blurry and sharp (B, T, 3, H, W) in 0..1, magnitude (B, T, 1, H, W) in
0..1.
"""

from collections.abc import Callable
from typing import Literal

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from .losses import MMPLoss, magnitude_regression, match_size, squared_error, weight_penalty

Batch = dict[str, torch.Tensor]


class Task(nn.Module):
    """forward(batch) -> losses by name, "loss" the one to minimise.

    inputs: what of the batch `forward` reads. losses: the names of what it returns, once made. columns: what
    `measure` returns. score: the one of them that says which weights are best. best: max or min.
    `frozen_modules` stay in evaluation mode whatever happens, so that their batch norms do not drift; with
    `still_norms` all batch norms keep the statistics that they have, and only their scales and shifts are trained.
    """

    inputs: tuple[str, ...] = ()
    losses: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    score: str = ""
    best: Callable[..., float] = staticmethod(max)
    still_norms: bool = False

    def __init__(self, network: nn.Module):
        super().__init__()
        self.network = network

    def frozen_modules(self) -> list[nn.Module]:
        return []

    def train(self, mode: bool = True):
        super().train(mode)
        for module in self.frozen_modules():
            module.requires_grad_(False).eval()
        for module in self.network.modules():
            if self.still_norms and isinstance(module, _BatchNorm):
                module.eval()
        return self

    def forward(self, batch: Batch) -> dict[str, torch.Tensor]:
        raise NotImplementedError

    def measure(self, network: nn.Module, batch: Batch) -> dict[str, float]:
        """How good `network` (not always the one being trained) is on a batch of one clip."""
        raise NotImplementedError


class MagnitudeTask(Task):
    """Trains an MMP-Net: blurry frame -> motion magnitude, L1 (MMP-RNN section 4.1).

    Measures the L1 error, and beside it the mean magnitude, which is the error of a map of zeros.
    """

    inputs = ("blurry", "magnitude")
    losses = ("loss", "l1", "gradient")
    columns = ("l1", "mean_magnitude")
    score = "l1"
    best = staticmethod(min)

    def __init__(self, network: nn.Module, gradient_weight: float = 0.0):
        super().__init__(network)
        self.gradient_weight = gradient_weight

    def forward(self, batch: Batch) -> dict[str, torch.Tensor]:
        estimate = self.network(batch["blurry"].flatten(0, 1))
        return magnitude_regression(estimate, batch["magnitude"].flatten(0, 1), self.gradient_weight)

    def measure(self, network: nn.Module, batch: Batch) -> dict[str, float]:
        estimate = network(batch["blurry"].flatten(0, 1)).float()
        target = match_size(batch["magnitude"].flatten(0, 1), estimate)
        return {"l1": (estimate - target).abs().mean().item(), "mean_magnitude": target.mean().item()}


class VideoTask(Task):
    """Trains a video network: blurry clip -> sharp clip.

    ends: "valid" trains on the frames that have all their neighbours, as the papers do; "replicate" on all
    frames.

    Measures the PSNR of the blurry and of the output clip, all frames, as a user gets them, and the gain.
    """

    inputs = ("blurry", "sharp")
    columns = ("psnr_blurry", "psnr_output", "gain")
    score = "gain"

    def __init__(self, network: nn.Module, ends: Literal["valid", "replicate"] = "valid"):
        super().__init__(network)
        self.ends = ends

    def restored(self, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        """The network's clip and the sharp one, those of their frames that are trained on."""
        output, sharp = self.network(batch["blurry"], self.ends), batch["sharp"]
        if self.ends == "valid":
            sharp = sharp[:, self.network.past : sharp.shape[1] - self.network.future]
        return output, sharp

    def measure(self, network: nn.Module, batch: Batch) -> dict[str, float]:
        return gains(batch["blurry"], network(batch["blurry"]), batch["sharp"])


class SquaredTask(VideoTask):
    """STRCNN+DTB's Eq. 4: squared error plus `penalty` times the squared length of the weights; with none of it, the L2
    loss of DAVID."""

    def __init__(self, network: nn.Module, ends: Literal["valid", "replicate"] = "valid", penalty: float = 0.0):
        super().__init__(network, ends)
        self.penalty = penalty
        self.losses = ("loss", "squared", "weights") if penalty else ("loss", "squared")

    def forward(self, batch: Batch) -> dict[str, torch.Tensor]:
        squared = squared_error(*self.restored(batch))
        if not self.penalty:
            return {"loss": squared, "squared": squared}
        weights = weight_penalty(weight for weight in self.network.parameters() if weight.requires_grad)
        return {"loss": squared + self.penalty * weights, "squared": squared, "weights": weights}


class DeblurTask(VideoTask):
    """Any of the terms of MMP-RNN's Eq. 8.

    magnitude_net: a frozen MMP-Net for the motion magnitude loss; the network's own where it has one.
    """

    def __init__(
        self,
        network: nn.Module,
        ends: Literal["valid", "replicate"] = "valid",
        magnitude_net: nn.Module | None = None,
        **loss: float | str,
    ):
        super().__init__(network, ends)
        own = getattr(network, "magnitude_net", None)
        self.magnitude_net = magnitude_net if own is None else None
        self.loss = MMPLoss(own if own is not None else magnitude_net, **loss)
        self.losses = self.loss.names
        self.train()

    def frozen_modules(self) -> list[nn.Module]:
        nets = (getattr(self.network, "magnitude_net", None), self.magnitude_net)
        return [net for net in nets if net is not None]

    def forward(self, batch: Batch) -> dict[str, torch.Tensor]:
        return self.loss(*self.restored(batch))


def gains(blurry: torch.Tensor, output: torch.Tensor, sharp: torch.Tensor) -> dict[str, float]:
    """Mean PSNR of the frames before and after, and what was gained."""
    before, after = psnr(blurry, sharp).mean().item(), psnr(output, sharp).mean().item()
    return {"psnr_blurry": before, "psnr_output": after, "gain": after - before}


def psnr(image: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """PSNR in dB of each frame, (..., 3, H, W) -> (...), both rounded to 8 bits first; 100 where they are
    the same.

    Equivalent to:
        10 * log10(255 ** 2 / mse(uint8(image), uint8(truth)))
    """
    image, truth = (value.float().clamp(0, 1).mul(255).round() for value in (image, truth))
    mse = (image - truth).square().mean((-3, -2, -1))
    return 10 * torch.log10(255**2 / mse.clamp_min(255**2 * 1e-10))
