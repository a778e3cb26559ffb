"""MMP-RNN in every size and ablation of the paper's tables (section 4.2, Tables 2 and 4).

The paper's: Charbonnier + 0.5 gradient + 1.0 motion magnitude, Adam, 5e-4 along a cosine, 10 frames of 256 x
256, batch 8, flips and quarter turns, 1000 epochs of GoPro's 1905 clips of ten frames, which are 238,000
steps. From the published code: the cosine's end at 1e-8, the limit 20 of the gradient's norm. Ours: EMA, and
without GoPro blur of every kind.

The MMP-Net is trained first (recipe mmp-net) and stays frozen; its weights are given with --magnitude. The
ablation without MMAM keeps the motion magnitude loss (Table 4 has it with the loss, 32.33, and without it, 32.25: --set
magnitude_weight=0); the one without non-deblurred features has none there, and reads no MMP-Net.
"""

from vdeblur_fast.reference.networks import networks

from .recipe import Recipe

RECIPES = [
    Recipe(
        name=name,
        network=name,
        source="MMP-RNN section 4.2",
        ours="ema, varied",
        varied=True,
        magnitude_network="mmp-net",
        magnitude_weight=0.0 if name.endswith("-no-ndf") else 1.0,
    )
    for name in networks()
    if name.startswith("mmp-rnn-a")
]
