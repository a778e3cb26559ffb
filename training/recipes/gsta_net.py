"""GSTA-Net in three stages (Suin and Rajagopalan, CVPR 2021, sections 3.1, 3.2 and 4).

The paper's: 256 x 256, batch 8, Adam, 1e-4 halved every 200 epochs; the network first without selection on +-2, its
blur masks trained towards |blurry - sharp| over a threshold; then frame selection and evaluation network, at most 5 of
+-12 (Net4); then u varies, 3, 5 or 7 (Table 4). The ablations Net1 to Net3 have the first stage only.

An epoch is the 2,103 pairs that GOPRO trains on, 263 steps. Ours, where the paper has no numbers: 600 epochs for the
first stage and 200 for each other; Charbonnier for the restoration, which goes on in all stages; the threshold 0.04 and
the masks' weight 0.1; alpha1 = alpha2 = 1 with dB for the restoration score; EMA and the limit of the gradient's norm.
Blurry frames are the mean of 7 to 13 frames, as GOPRO's, an odd number of them.

`gsta-net-small` is a network of ours, with a recipe of ours, made for a CPU or an hour of a GPU: small crops, in the
first stage all frames of each clip, Muon, and a start from the identity, as for `mmp-rnn-tiny`. Batches are small and
steps many: 480 steps of 2 clips took 0.56 % off the error of blurry ones, 240 of 4 0.41 (one seed, as all that
follows). The masks count little: with the weight 0.1 they are two thirds of the loss, and while the last convolution is
near zero nearly all that the other layers hear, to which Muon's steps are of one length; with 0.002 the Charbonnier
loss was 0.1 % lower after 125 steps of 4, the masks' own the same to a hundredth. A rate of 3e-3 with batches of 2
ended in NaN after 1,300 steps, the weights of some dense modules at three times the size they began with. The last
convolution, which writes the picture, is slower than the others: at the full rate the loss stood above that of the
input for the first hundred steps. Batch norms are scales and shifts: with the statistics of batches nearly sharp clips
lost up to 8 dB more in use, where statistics are fixed, than with those of their own. The PSNR loss is for the end: it
brings nearly sharp clips back. Kernels keep their mean and their size, and are centred at the start: without, nearly
half of the units at a quarter of the resolution had fallen silent after 35,500 samples. Its later stages train the
selection alone, at the paper's rate, for at 3e-3 it picked eleven neighbours of every clip with certainty after 25
steps; what restores stays as the first stage left it.
`gsta-net1-small` to `3` are trained as that first stage, on middle frames alone, for Net1 reads its neighbours in their
order.
"""

from dataclasses import replace
from typing import Any

from .recipe import Recipe, Start

EPOCH = 263

RESTORE = Recipe(
    name="restore",
    network="gsta-net3",
    source="GSTA, sections 3.2 and 4",
    ours="steps, ema, clip_norm, mask_weight, mask_threshold, alpha1, alpha2",
    kind="restoration",
    frames=5,
    crop=256,
    batch=8,
    steps=600 * EPOCH,
    learning_rate=1e-4,
    schedule="staircase",
    decay=0.5,
    decay_every=200 * EPOCH,
    magnitude_weight=0.0,
    gradient_weight=0.0,
    channels="mean",
    degraded=False,
    taus=(7, 9, 11, 13),
    frozen=("selector.*",),
)
SMALL = replace(
    RESTORE,
    ours=f"{RESTORE.ours}, crop, batch, learning_rate, schedule, warmup, ends, identity_start, skip_rate, optimizer, "
    "centred_kernels, still_norms",
    crop=96,
    batch=4,
    steps=60_000,
    learning_rate=1.5e-3,
    schedule="cosine",
    warmup=100,
    clip_norm=0.5,
    mask_weight=0.002,
    ends="replicate",
    identity_start=True,
    skip_rate=0.3,
    optimizer="muon",
    centred_kernels=True,
    still_norms=True,
    degraded=True,
    taus=(),
)
RESTORER = ("stem.*", "encoder*", "down*", "fuse*", "decoder*", "up*", "merge*", "head.*")
CHOOSE = {
    "learning_rate": 1e-4,
    "optimizer": "adam",
    "schedule": "constant",
    "warmup": 0,
    "steps": 3000,
    "crop": 64,
    "frozen": RESTORER,
}


def course(network: str, varying: bool = True, restore: Recipe = RESTORE, **later: Any) -> list[Recipe]:
    """later: settings of what follows the first stage."""
    select = replace(restore, network=network, kind="selection", frames=25, steps=restore.steps // 3, frozen=())
    select = replace(select, ends="valid", identity_start=False, **later)
    stages = [
        replace(restore, name=f"{network}/restore", network=network),
        replace(select, name=f"{network}/select", us=(5,), starts=(Start("restore"),)),
        replace(select, name=f"{network}/vary", us=(3, 5, 7), starts=(Start("select"),)),
    ]
    return stages if varying else stages[:2]


COURSES = {
    "gsta-net": course("gsta-net"),
    "gsta-net-small": course("gsta-net-small", restore=SMALL, **CHOOSE),
    "gsta-net4": course("gsta-net4", varying=False),
    "gsta-net5": course("gsta-net5", varying=False),
}
NETS = ("gsta-net1", "gsta-net2", "gsta-net3")
RECIPES = [replace(RESTORE, name=name, network=name) for name in NETS]
RECIPES += [replace(SMALL, name=f"{name}-small", network=f"{name}-small", ends="valid") for name in NETS]
