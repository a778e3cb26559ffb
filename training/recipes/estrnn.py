"""ESTRNN in both sizes of MMP-RNN's Table 2 (Zhong et al., ECCV 2020 and IJCV 2022).

From the authors' journal code: colour Charbonnier with the mean over channels, Adam, 5e-4 along a cosine to
1e-8, 8 frames of 256 x 256, batch 8, flips, 500 epochs of GoPro's 1949 clips of eight frames, which are
122,000 steps; the gradient's norm at most 20. Ours: EMA, and without GoPro blur of every kind.
"""

from vdeblur_fast.reference.networks import networks

from .recipe import Recipe

RECIPES = [
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
