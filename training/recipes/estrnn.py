"""ESTRNN in both sizes of MMP-RNN's Table 2 (Zhong et al., ECCV 2020 and IJCV 2022).

From the authors' journal code: colour Charbonnier with the mean over channels, Adam, 5e-4 along a cosine to
1e-8, 8 frames of 256 x 256, batch 8, flips, 500 epochs of GoPro's 1949 clips of eight frames, which are
122,000 steps; the gradient's norm at most 20. Ours: EMA, quarter turns beside the flips, and without GoPro blur of
every kind.

`*-short` are recipes of ours for the same networks, made for a CPU or an hour of a GPU, as that of `mmp-rnn-tiny` is:
short clips of which all frames are trained on, Muon, and a start from the identity. No skip joins the frame to the
image, so what the picture passes through is held as it is: steps of the usual size would disturb it by more than is
learned.
"""

from dataclasses import replace

from vdeblur_fast.reference.networks import networks

from .recipe import Recipe

PAPERS = [
    Recipe(
        name=name,
        network=name,
        source="ESTRNN, IJCV 2022, published code",
        ours="ema, varied",
        varied=True,
        frames=8,
        steps=122_000,
        gradient_weight=0.0,
        magnitude_weight=0.0,
        channels="mean",
    )
    for name in networks()
    if name.startswith("estrnn-")
]
SHORT = [
    replace(
        recipe,
        name=f"{recipe.name}-short",
        ours="all but the network",
        varied=False,
        frames=7,
        crop=112,
        batch=8,
        steps=60_000,
        learning_rate=1e-3,
        warmup=100,
        ends="replicate",
        clip_norm=0.5,
        identity_start=True,
        hold_picture=True,
        optimizer="muon",
    )
    for recipe in PAPERS
]
RECIPES = PAPERS + SHORT
