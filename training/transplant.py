"""`python -m vdeblur_fast.training.transplant NETWORK OUT --magnitude FILE --prepared FOLDER`: weights of one of the
paper's MMP-RNNs that does nearly what the trained `mmp-rnn-tiny` does, for a training to go on from.

At a quarter of the resolution, where nearly all blocks are, both have the same form, and the small one lies within the
large one exactly (embedding.py); blocks that the large one has more come first in each chain. Before and after that the
paper's networks work at full resolution and tiny at half. There the large one begins with what fits, and learns, from
blurry frames alone, to give what tiny gives: the features of a frame, by way of the blocks that come first, and the
image. A chain with fewer blocks than tiny's (A3B4C16) learns what comes out of tiny's, as a whole.
"""

import argparse
import sys
from dataclasses import replace
from pathlib import Path

import torch
from torch import nn
from torch.nn.functional import pad
from torch.utils.data import Dataset
from tqdm import trange

from vdeblur_fast import weights
from vdeblur_fast.errors import UserError, told
from vdeblur_fast.reference.modules import ResidualDenseNetwork
from vdeblur_fast.reference.networks import MMPRNN, build, networks

from .arguments import seed
from .embedding import embed, embed_block, embed_chain, pass_on
from .export import export, new_weights
from .gelu import compile_gradient
from .precision import choose_device, choose_precision
from .prepared import PreparedClips
from .recipes.mmp_rnn_tiny import TINY

SMALL = "mmp-rnn-tiny"
FRAMES = 5  # of a clip
RATE = 1.5e-3
WARMUP = 30
SMALLEST = 1e-3  # deviation of a channel


def places_of(large: MMPRNN, small: MMPRNN) -> list[int]:
    """Where the small one's features of a frame lie among the large one's: its own, those of the frame before, and what
    the cell remembers."""
    own, hidden = 2 * small.features, small.features
    starts = (0, own), (2 * large.features, own), (4 * large.features, hidden)
    return [start + i for start, count in starts for i in range(count)]


@torch.no_grad()
def transplant(large: MMPRNN, small: MMPRNN) -> None:
    """Sets all weights of `large` but its MMP-Net's. Raises UserError where `small` does not fit into it."""
    if large.features < small.features:
        raise UserError(f"the network has fewer channels than {SMALL}, which must fit into it")
    large.start_from_identity()
    places, own = places_of(large, small), range(small.features)
    twice = range(2 * small.features)
    for chain, given in chains_of(large, small):
        if holds(chain, given):
            embed_chain(chain, given, places)
    embed(large.hidden[0], small.hidden[0], own, places)
    embed_block(large.hidden[1], small.hidden[1], own)
    embed(large.hidden[2], small.hidden[2], own, own)
    for weight in (large.hidden[2].weight, large.hidden[2].bias):  # nothing else is remembered at first
        weight[small.features :] = 0
    large.reconstruct.up2.weight[2 * small.features :] = 0  # nor seen in the image
    frames = large.past + 1 + large.future
    embed(large.fuse, small.fuse, places, [5 * large.features * i + place for i in range(frames) for place in places])
    embed(large.reconstruct.up1, small.reconstruct.up1, twice, places)
    large.skip.load_state_dict(small.skip.state_dict())
    _begin_features(large, small)


def chains_of(large: MMPRNN, small: MMPRNN) -> list[tuple[ResidualDenseNetwork, ResidualDenseNetwork]]:
    """The blocks of the cell and those of the reconstructor, of the one and the other."""
    return [(large.align, small.align), (large.reconstruct.rdn, small.reconstruct.rdn)]


def holds(large: ResidualDenseNetwork, small: ResidualDenseNetwork) -> bool:
    """Whether a chain is long enough for another to lie within it."""
    return len(large.blocks) >= len(small.blocks)


def _begin_features(large: MMPRNN, small: MMPRNN) -> None:
    """The picture passes through full resolution, then comes what tiny does at half of it; of its last convolution, at
    a quarter, the middle alone."""
    to, given, colours = large.extract, small.extract, range(3)
    own, twice = range(small.features), range(2 * small.features)
    to.stem.weight[:3] = 0
    to.stem.weight[colours, colours, 2, 2] = 1
    to.stem.bias[:3] = 0
    pass_on(to.rdb1, colours)
    embed(to.down1, given.stem, own, colours)
    embed_block(to.rdb2, given.rdb1, own)
    embed(to.down2, given.down1, twice, own)
    middle = given.down2.weight[:, :, 2, 2]
    to.down2.weight[: len(twice), : len(own)] = torch.einsum("ab,bcij->acij", middle, given.down1.weight)


class Fitting(nn.Module):
    """What `large` learns from `small`: forward(clip (B, 5, 3, H, W), blurry) -> the two errors, as parts of what there
    is: of the middle frame's features (and the fused ones, where they are learnt), and of the image before the frame is
    added."""

    def __init__(self, large: MMPRNN, small: MMPRNN):
        super().__init__()
        self.network, self.small = large.train().requires_grad_(False), small.eval().requires_grad_(False)
        self.places, self.more = places_of(large, small), large.features - small.features
        exact = [holds(*chains) for chains in chains_of(large, small)]
        first = large.align.blocks[: len(large.align.blocks) - len(small.align.blocks)]
        # What reads the features of the frames, and what of the small one it learns to give: what the small one's
        # blocks read, where these lie within the large one's, and else what they make of it.
        self.cell = nn.Sequential(*first) if exact[0] else large.align
        self.cell_of_small = nn.Identity() if exact[0] else small.align
        self.learns_rdn = not exact[1]
        ends = large.reconstruct
        for part in (large.extract, self.cell, ends.up2, ends.head, *([ends.rdn] if self.learns_rdn else [])):
            part.requires_grad_(True)

    def forward(self, clip: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        middle = FRAMES // 2
        with torch.no_grad():
            owns, hidden, fused = self._taught(clip)
            deep = self.small.reconstruct.rdn(fused)
            before_head = self.small.reconstruct.up1(deep)
            image = self.small.reconstruct.head(before_head).float()
            wanted = self.cell_of_small(torch.cat([owns[1], owns[0], hidden], 1))
            magnitudes = [self.network.magnitude_net(clip[:, t]) for t in (middle - 1, middle)]
        before, own = (
            self.network.extract(clip[:, t] - 0.5, m) for t, m in zip((middle - 1, middle), magnitudes, strict=True)
        )
        features = self.cell(torch.cat([own, before, _wider(hidden, self.more)], 1))
        off = _off(features[:, self.places], wanted)
        ends = self.network.reconstruct
        if self.learns_rdn:
            x = ends.rdn(self._placed(fused))
            off = (off + _off(x[:, self.places], deep)) / 2
            before_head = ends.up1(x)
        else:
            before_head = _wider(before_head, 2 * self.more)
        found = ends.head(ends.up2(before_head)).float()
        return off, (found - image).square().mean() / image.square().mean()

    def _placed(self, x: torch.Tensor) -> torch.Tensor:
        """The small one's channels where they lie in the large one, zeros around them."""
        placed = x.new_zeros(len(x), 5 * self.network.features, *x.shape[2:])
        placed[:, self.places] = x
        return placed

    def _taught(self, clip: torch.Tensor) -> tuple[list[torch.Tensor], torch.Tensor, torch.Tensor]:
        """Of the small one: the features of the frame before the middle one and of that, what the cell remembers
        between them, and what is fused of all frames."""
        owns, remembered, entries, state = [], [], [], None
        for t in range(FRAMES):
            entry, state = self.small.encode(clip[:, t], state)
            entries.append(entry)
            owns.append(state[0])
            remembered.append(state[1])
        middle = FRAMES // 2
        return owns[middle - 1 : middle + 1], remembered[middle - 1], self.small.fuse(*(e.features for e in entries))


def _off(found: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """Squared error, each channel in units of its own variance."""
    wanted = wanted.float()
    size = wanted.std((0, 2, 3), keepdim=True) + SMALLEST
    return ((found.float() - wanted) / size).square().mean()


def _wider(x: torch.Tensor, more: int) -> torch.Tensor:
    """Zeros in so many channels after those of x."""
    return pad(x, [0, 0, 0, 0, 0, more])


def fit(
    large: MMPRNN, small: MMPRNN, clips: Dataset, steps: int, batch: int, device: torch.device, dtype: torch.dtype
) -> tuple[float, float]:
    """Trains what Fitting names -> the last step's errors, of the features and of the image."""
    fitting = Fitting(large, small).to(device, memory_format=torch.channels_last)
    compile_gradient(large, device, dtype)
    recipe = replace(TINY, steps=steps, learning_rate=RATE, final_learning_rate=1e-6, warmup=WARMUP)
    optimizer = recipe.make_optimizer(fitting)
    features = image = torch.tensor(float("nan"))
    bar = trange(steps, unit="step")
    for step in bar:
        for group in optimizer.param_groups:
            group["lr"] = recipe.learning_rate_at(step) * group["share"]
        clip = torch.stack([clips[step * batch + i]["blurry"] for i in range(batch)]).to(device)
        with torch.autocast(device.type, dtype, enabled=dtype != torch.float32):
            features, image = fitting(clip)
        optimizer.zero_grad(set_to_none=True)
        (features + image).backward()
        optimizer.step()
        bar.set_postfix_str(f"features {features.item():.4f}, image {image.item():.4f}", refresh=False)
    return features.item(), image.item()


@told("vdeblur")
def main(argv: list[str] | None = None) -> int | None:
    """Writes the weights; 0 when done, 2 for a mistake of the user's."""
    parser = argparse.ArgumentParser("python -m vdeblur_fast.training.transplant", description=__doc__.split("\n\n")[0])
    add = parser.add_argument
    add(
        "network", choices=[n for n in networks() if n.startswith("mmp-rnn-a")], metavar="NETWORK", help="the large one"
    )
    add("out", type=Path, metavar="OUT", help="the .safetensors to write, for --init of a training")
    add("--magnitude", type=Path, metavar="FILE", required=True, help="weights of the trained MMP-Net (mmp-net-short)")
    add("--prepared", type=Path, metavar="FOLDER", required=True, action="append", help="samples; may come again")
    add("--steps", type=int, default=1000, metavar="N", help="(1000)")
    add("--batch", type=int, default=8, metavar="N", help="clips of a step (8)")
    add("--crop", type=int, default=112, metavar="N", help="their side in pixels (112)")
    add("--seed", type=seed, default=0, metavar="N")
    arguments = parser.parse_args(argv)
    new_weights(arguments.out)
    torch.manual_seed(arguments.seed)
    large, small = build(arguments.network), build(SMALL)
    weights.load(small, SMALL)
    if large.magnitude_net is None:
        raise UserError(f"{arguments.network} has no MMP-Net; choose one that has")
    weights.load_file(large.magnitude_net, arguments.magnitude, "mmp-net")
    transplant(large, small)
    clips = PreparedClips(arguments.prepared, arguments.crop, FRAMES, arguments.seed)
    device = choose_device()
    errors = fit(large, small, clips, arguments.steps, arguments.batch, device, choose_precision("auto", device))
    export(large, arguments.out, {"network": arguments.network, "transplanted_from": SMALL})
    print(f"{arguments.out}: off by {errors[0]:.1%} of the features and {errors[1]:.1%} of the image of {SMALL}")


if __name__ == "__main__":
    sys.exit(main())
