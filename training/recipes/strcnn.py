"""CNN, STRCNN and STRCNN+DTB (Kim et al., ICCV 2017, sections 3 and 5).

The paper's: 13 frames of 128 x 128 at one place, batch 8; squared error plus 1e-5 times the squared length of the
weights (Eq. 4); Adam, 1e-4 times 0.96 every 10,000 steps, 300,000 steps; blurry frames from tau in {7, 9, 11, 13, 15}
frames of a high-speed video every tau <= T < 2 tau. Ours: EMA, and the limit of the gradient's norm.

`*-short` are recipes of ours for the same networks, made for a CPU or an hour of a GPU: short clips of which all frames
are trained on, a start from the identity, what the picture passes through held as it is, Muon whose kernels keep their
mean and their size, the Charbonnier loss, and batch norms that are scales and shifts alone, which takes 2 seconds a
step where their statistics take 3.7 (two CPU cores).
"""

from dataclasses import replace

from .recipe import Recipe

PAPERS = [
    Recipe(
        name=name,
        network=name,
        source="STRCNN+DTB, sections 3 and 5.3",
        ours="ema, clip_norm",
        kind="squared",
        frames=13,
        crop=128,
        batch=8,
        steps=300_000,
        learning_rate=1e-4,
        schedule="staircase",
        decay=0.96,
        decay_every=10_000,
        weight_penalty=1e-5,
        magnitude_weight=0.0,
        gradient_weight=0.0,
        degraded=False,
        taus=(7, 9, 11, 13, 15),
    )
    for name in ("cnn", "strcnn", "strcnn-dtb", "strcnn-dtb-m2")
]
SHORT = [
    replace(
        recipe,
        name=f"{recipe.name}-short",
        ours="all but the network",
        kind="deblur",
        frames=5,
        crop=96,
        batch=16,
        steps=60_000,
        learning_rate=7e-4,
        schedule="cosine",
        warmup=60,
        clip_norm=0.5,
        ends="replicate",
        identity_start=True,
        hold_picture=True,
        optimizer="muon",
        centred_kernels=True,
        magnitude_weight=0.0,
        still_norms=True,
        weight_penalty=0.0,
        degraded=True,
        taus=(),
    )
    for recipe in PAPERS
]
RECIPES = PAPERS + SHORT
