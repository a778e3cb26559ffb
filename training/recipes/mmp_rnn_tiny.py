"""MMP-RNN tiny: a network of ours, with a recipe of ours, made for a CPU or an hour of a GPU.

From the paper: the form of the loss, Adam and the cosine. Ours: short clips, of which all frames are trained
on (the network is used with replicated ends, and every frame's features are paid for anyway); absolute
gradients; a start from the identity, for a blurry frame is a good first guess, with a slow global skip; Muon, which
from the start gains 1.4 times as much as Adam in the same time; small gradients, for the first thousand steps depend
on a few clips; and no motion magnitude loss, which costs a tenth of the steps and, without a limit, rewards what fools
the small MMP-Net.
"""

from dataclasses import replace

from .recipe import Recipe

TINY = Recipe(
    name="mmp-rnn-tiny",
    network="mmp-rnn-tiny",
    source="MMP-RNN section 4.2",
    ours="frames, crop, batch, steps, learning_rate, warmup, clip_norm, ema, ends, distance, "
    "magnitude_weight, identity_start, skip_rate, optimizer",
    frames=5,
    crop=96,
    batch=6,
    steps=60_000,
    learning_rate=1e-3,
    warmup=200,
    clip_norm=0.5,
    ends="replicate",
    distance="absolute",
    magnitude_weight=0.0,
    magnitude_network="mmp-net-tiny",
    identity_start=True,
    skip_rate=0.01,
    optimizer="muon",
)
ABLATIONS = [replace(TINY, name=name, network=name) for name in ("mmp-rnn-tiny-no-mmam", "mmp-rnn-tiny-no-mmam-no-ndf")]
# the paper's networks, trained as ours is
SHORT = [
    replace(TINY, name=f"mmp-rnn-{size}-short", network=f"mmp-rnn-{size}", magnitude_network="mmp-net")
    for size in ("a3b4c16", "a9b10c18")
]
RECIPES = [TINY, *ABLATIONS, *SHORT]
