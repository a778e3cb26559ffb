"""MMP-Net: how far did each pixel move? (MMP-RNN, section 4.1)

The paper's: L1, Adam with 3e-4 halved half-way, batch 8, 512 x 512 crops, 400 epochs of half of 22,499 pairs,
which are 560,000 steps. Ours: one frame per sample, EMA, and the limit of the gradient's norm.
"""

from .recipe import Recipe

MMP_NET = Recipe(
    name="mmp-net",
    network="mmp-net",
    source="MMP-RNN section 4.1",
    ours="ema, clip_norm",
    kind="magnitude",
    frames=1,
    crop=512,
    batch=8,
    steps=560_000,
    learning_rate=3e-4,
    schedule="halve",
    gradient_weight=0.0,
)

RECIPES = [MMP_NET]
