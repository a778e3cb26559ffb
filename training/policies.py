"""`python -m vdeblur_fast.training.policies NETWORK --data DIR`: which choice of neighbours restores best (GSTA,
Table 4): the frame selection's, as many at random, or the nearest."""

import argparse
import sys
from pathlib import Path

import torch
from torch.utils.data import DataLoader

from vdeblur_fast import weights
from vdeblur_fast.errors import UserError, told
from vdeblur_fast.reference.networks import GSTANet, build, networks
from vdeblur_fast.reference.networks.frame_selection import FRAMES, REACH, select

from .arguments import positive
from .data import VALIDATION_SEED, clips_of
from .gsta_task import NEAR, middle, restore, thumbnails
from .recipes import COURSES
from .tasks import psnr

EVERYONE = torch.ones(FRAMES, dtype=torch.bool)


def policies(network: GSTANet, clip: torch.Tensor, u: int, chances: torch.Tensor) -> dict[str, torch.Tensor]:
    """Which frames of a clip (1, 25, 3, H, W) each policy picks, bool (1, 25), the one in the middle always.

    selection: what the network says, at most u. random: u neighbours by `chances` (25). nearest: those of +-2, which
    it was first trained on. none: the frame alone.
    """
    offsets = torch.arange(FRAMES) - REACH
    alone = offsets == 0
    drawn = alone.index_fill(0, chances.masked_fill(alone, -1.0).topk(u).indices, True)
    probabilities, _ = network.selector(thumbnails(clip), u)
    return {
        "selection": select(probabilities.float(), EVERYONE, u),
        "random": drawn[None],
        "nearest": (offsets.abs() <= NEAR)[None],
        "none": alone[None],
    }


@torch.no_grad()
def measure(network: GSTANet, clips: DataLoader, u: int, seed: int = 0) -> dict[str, dict[str, torch.Tensor]]:
    """For each policy the neighbours that it picked and the PSNR gained, in dB, one of each for each clip."""
    random = torch.Generator().manual_seed(seed)
    found: dict[str, dict[str, list[float]]] = {}
    for batch in clips:
        blurry, sharp = batch["blurry"], middle(batch["sharp"])
        for name, picked in policies(network, blurry, u, torch.rand(FRAMES, generator=random)).items():
            image, _ = restore(network, blurry, picked)
            own = found.setdefault(name, {"picked": [], "gain": []})
            own["picked"].append(picked.sum().item() - 1)
            own["gain"].append((psnr(image, sharp) - psnr(middle(blurry), sharp)).item())
    return {name: {key: torch.tensor(values) for key, values in own.items()} for name, own in found.items()}


def table(found: dict[str, dict[str, torch.Tensor]]) -> str:
    """Markdown: each policy, and how much less it gains than the selection, with the standard error over the clips."""
    lines = ["| policy | neighbours | gain, dB | under the selection, dB |", "|---|---|---|---|"]
    for name, own in found.items():
        under = found["selection"]["gain"] - own["gain"]
        error = under.std().item() / len(under) ** 0.5
        less = "" if name == "selection" else f"{under.mean().item():+.3f} ± {error:.3f}"
        lines.append(
            f"| {name} | {own['picked'].float().mean().item():.1f} | {own['gain'].mean().item():+.3f} | {less} |"
        )
    return "\n".join(lines) + "\n"


@told("vdeblur")
def main(argv: list[str] | None = None) -> int | None:
    """Prints the table; 0 when done, 2 for a mistake of the user's."""
    made = argparse.ArgumentParser(prog="python -m vdeblur_fast.training.policies", description=__doc__)
    add = made.add_argument
    add("network", choices=networks(), metavar="NETWORK", help="a GSTA-Net with frame selection")
    add("--weights", type=Path, metavar="FILE", help="its weights (default: those that ship)")
    add("--data", type=Path, required=True, metavar="DIR", help="folder of sharp clips and stills")
    add("--clips", type=positive, default=48, metavar="N", help="how many clips of its val part (default 48)")
    add("--crop", type=positive, default=128, metavar="N", help="their side in pixels (default 128)")
    add("--neighbours", type=positive, default=5, metavar="U", help="the most that may be picked (default 5)")
    options = made.parse_args(argv)
    network = build(options.network).eval()
    if getattr(network, "selector", None) is None:
        raise UserError(f"{options.network} has no frame selection; choose gsta-net or gsta-net-small")
    if options.neighbours > 2 * REACH:
        raise UserError(f"--neighbours must be at most {2 * REACH}, got {options.neighbours}")
    if options.clips < 2:
        raise UserError(f"--clips must be at least 2, got {options.clips}")
    weights.load(network, options.network, options.weights)
    recipe = COURSES[options.network][-1]
    clips = clips_of(options.data, "val", recipe, options.crop, VALIDATION_SEED, options.clips)
    loader = DataLoader(clips, 1, sampler=range(options.clips))
    print(table(measure(network, loader, options.neighbours)), end="")


if __name__ == "__main__":
    sys.exit(main())
