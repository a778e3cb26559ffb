"""The losses of MMP-RNN (Wang et al., ECCV 2022, Eq. 5 to 8) and of its MMP-Net, of STRCNN+DTB and DAVID, of GSTA.

Images are RGB in 0..1 with any leading dimensions, (..., C, H, W); both arguments have the same shape. Half
precisions are widened to float32 first, and every function returns a scalar. Where the published code does
something else than the paper writes, the paper's form is the default and the code's is an argument.
"""

from collections.abc import Iterable, Sequence
from typing import Literal

import torch
from torch import nn
from torch.nn.functional import adaptive_avg_pool2d, avg_pool2d, binary_cross_entropy, l1_loss, pad

EPSILON = 1e-3


def charbonnier(output: torch.Tensor, target: torch.Tensor, channels: Literal["sum", "mean"] = "sum") -> torch.Tensor:
    """Colour Charbonnier loss: one root for the three channels of a pixel (Eq. 6, epsilon = 0.001).

    Equivalent to:
        ((output - target) ** 2).sum(channel).add(1e-6).sqrt().mean()

    channels: "sum" is the paper's Eq. 6; "mean" is the published code's, 1 / sqrt(3) of it but for epsilon.
    """
    _check("charbonnier", output, target)
    square = (_wide(output) - _wide(target)).square()
    over_channels = square.sum(-3) if channels == "sum" else square.mean(-3)
    return over_channels.add(EPSILON**2).sqrt().mean()


def squared_error(output: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Squared error of clips (B, T, C, H, W), as STRCNN+DTB sums it (Kim et al., ICCV 2017, Eq. 4, first term).

    Equivalent to:
        ((output - target) ** 2).sum((frames, channels)).mean((clips, pixels))
    """
    _check("squared_error", output, target)
    return (_wide(output) - _wide(target)).square().sum((1, 2)).mean()


def weight_penalty(weights: Iterable[torch.Tensor]) -> torch.Tensor:
    """The squared length of all weights together (Kim et al., ICCV 2017, Eq. 4, second term)."""
    return torch.stack([weight.float().square().sum() for weight in weights]).sum()


def blur_mask(blurry: torch.Tensor, sharp: torch.Tensor, threshold: float) -> torch.Tensor:
    """Where frames (B, 3, H, W) are blurred: 1 where the channels differ by more than `threshold` on average, else 0;
    (B, 1, H, W) (Suin and Rajagopalan, CVPR 2021, below Eq. 8)."""
    return (_wide(blurry) - _wide(sharp)).abs().mean(1, keepdim=True).gt(threshold).float()


def mask_error(masks: Sequence[torch.Tensor], truth: torch.Tensor, shares: torch.Tensor) -> torch.Tensor:
    """Cross entropy of blur masks (B, 1, h, w), each an estimate of (B, 1, H, W) `truth`, mean over the estimates.

    The truth is averaged down to each mask's size: the part of a pixel that is blurred. shares (B,): how much each
    frame counts; their sum is 1. NaN where a mask is NaN.
    """
    with torch.autocast(truth.device.type, enabled=False):
        found = []
        for mask in masks:
            small, mask = adaptive_avg_pool2d(truth.float(), mask.shape[-2:]), mask.float()
            # PyTorch refuses NaN with a traceback; a training that diverged says so itself, in a sentence.
            error = binary_cross_entropy(mask.nan_to_num(0.5), small, reduction="none")
            found.append(error.where(mask.isfinite(), mask).mean((1, 2, 3)))
        return (torch.stack(found).mean(0) * shares).sum()


def negative_psnr(output: torch.Tensor, target: torch.Tensor, floor: float = 1e-5) -> torch.Tensor:
    """Minus the PSNR of each picture, in bels, mean over the pictures (NAFNet's loss, Chen et al., ECCV 2022).

    Every picture counts by the ratio of its error, so a nearly sharp one is as much worth improving, and as bad to
    spoil, as a blurry one; but those with a squared error below `floor` count less (NAFNet's is 1e-8).

    Equivalent to:
        ((output - target) ** 2).mean((channel, row, column)).add(floor).log10().mean()
    """
    _check("negative_psnr", output, target)
    square = (_wide(output) - _wide(target)).square()
    return square.mean((-3, -2, -1)).add(floor).log10().mean()


def gradient_magnitude(image: torch.Tensor) -> torch.Tensor:
    """Strength of the image gradient in every channel: (..., C, H, W) -> (..., C, H + 2, W + 2).

    Central differences [-1, 0, 1] of the image with two rows and columns of zeros around it, as in the
    published code.

    Equivalent to:
        sqrt(dx ** 2 + dy ** 2 + 1e-6)
    """
    padded = pad(_wide(image), (2, 2, 2, 2))
    dx = padded[..., 1:-1, 2:] - padded[..., 1:-1, :-2]
    dy = padded[..., 2:, 1:-1] - padded[..., :-2, 1:-1]
    return (dx.square() + dy.square() + EPSILON**2).sqrt()


def gradient(
    output: torch.Tensor, target: torch.Tensor, distance: Literal["squared", "absolute"] = "squared"
) -> torch.Tensor:
    """Mean distance of the gradient magnitudes (Eq. 7).

    Equivalent to:
        ((gradient_magnitude(output) - gradient_magnitude(target)) ** 2).mean()

    distance: "squared" is the paper's Eq. 7; "absolute" is the published code's, and weighs weak edges more.
    """
    _check("gradient", output, target)
    difference = gradient_magnitude(output) - gradient_magnitude(target)
    return (difference.square() if distance == "squared" else difference.abs()).mean()


def motion_magnitude(output: torch.Tensor, magnitude_net: nn.Module) -> torch.Tensor:
    """How much motion a frozen MMP-Net still sees in the output (Eq. 5): 0 for an ideally sharp image.

    output (..., 3, H, W). The caller keeps `magnitude_net` in evaluation mode and its weights without
    gradients; the gradient goes through it to the output.

    Equivalent to:
        magnitude_net(output).mean()
    """
    return _wide(magnitude_net(output.flatten(0, -4))).mean()


def magnitude_regression(
    estimate: torch.Tensor, magnitude: torch.Tensor, gradient_weight: float = 0.0
) -> dict[str, torch.Tensor]:
    """The loss of MMP-Net (section 4.1): L1 between the estimated and the true motion magnitude.

    estimate (B, 1, h, w), magnitude (B, 1, H, W), both in 0..1; the truth is averaged down where the
    network's map is smaller. gradient_weight: 0 in the paper; 0.5 in the published code, which adds the L1
    distance of the gradients.

    Returns {"loss", "l1", "gradient"}.
    """
    target = match_size(magnitude, estimate)
    parts = {
        "l1": l1_loss(_wide(estimate), _wide(target)),
        "gradient": gradient(estimate, target, "absolute"),
    }
    return {"loss": parts["l1"] + gradient_weight * parts["gradient"], **parts}


def match_size(magnitude: torch.Tensor, estimate: torch.Tensor) -> torch.Tensor:
    """magnitude (B, 1, H, W) averaged over blocks of pixels to the size of estimate (B, 1, H / s, W / s)."""
    scale = magnitude.shape[-1] // estimate.shape[-1]
    return avg_pool2d(magnitude, scale) if scale > 1 else magnitude


class MMPLoss(nn.Module):
    """The loss of MMP-RNN (Eq. 8): charbonnier + 0.5 * gradient + 1.0 * motion magnitude.

    magnitude_net: the frozen MMP-Net, needed where its weight is not 0. It is kept by reference only: its
    weights are neither parameters of the loss nor in its state_dict. channels, distance: see `charbonnier`
    and `gradient`. fidelity: "psnr" takes `negative_psnr`, with `psnr_floor`, in the place of the Charbonnier term;
    ours.

    forward(output, target), both (..., 3, H, W) -> {"loss", the name of the fidelity, "gradient", "magnitude"}.
    """

    def __init__(
        self,
        magnitude_net: nn.Module | None = None,
        gradient_weight: float = 0.5,
        magnitude_weight: float = 1.0,
        channels: Literal["sum", "mean"] = "sum",
        distance: Literal["squared", "absolute"] = "squared",
        fidelity: Literal["charbonnier", "psnr"] = "charbonnier",
        psnr_floor: float = 1e-5,
    ):
        super().__init__()
        if magnitude_weight and magnitude_net is None:
            raise ValueError("MMPLoss: the motion magnitude loss needs magnitude_net; give one, or magnitude_weight=0")
        self.gradient_weight, self.magnitude_weight = gradient_weight, magnitude_weight
        self.channels, self.distance, self.fidelity, self.psnr_floor = channels, distance, fidelity, psnr_floor
        self._magnitude_net = (magnitude_net,)  # in a tuple, so that it is not a submodule

    @property
    def names(self) -> tuple[str, ...]:
        """What `forward` returns."""
        gradient_part = ("gradient",) if self.gradient_weight else ()
        magnitude_part = ("magnitude",) if self.magnitude_weight else ()
        return ("loss", self.fidelity, *gradient_part, *magnitude_part)

    def forward(self, output: torch.Tensor, target: torch.Tensor) -> dict[str, torch.Tensor]:
        if self.fidelity == "psnr":
            total = negative_psnr(output, target, self.psnr_floor)
        else:
            total = charbonnier(output, target, self.channels)
        parts = {self.fidelity: total}
        if self.gradient_weight:
            parts["gradient"] = gradient(output, target, self.distance)
            total = total + self.gradient_weight * parts["gradient"]
        if self.magnitude_weight:
            parts["magnitude"] = motion_magnitude(output, self._magnitude_net[0])
            total = total + self.magnitude_weight * parts["magnitude"]
        return {"loss": total, **parts}


def _wide(image: torch.Tensor) -> torch.Tensor:
    """At least float32: sums of many small terms are lost in less."""
    return image.float() if image.element_size() < 4 else image


def _check(name: str, output: torch.Tensor, target: torch.Tensor) -> None:
    if output.shape != target.shape:
        got = f"{tuple(output.shape)} and {tuple(target.shape)}"
        raise ValueError(f"{name}: output and target must have the same shape, got {got}")
