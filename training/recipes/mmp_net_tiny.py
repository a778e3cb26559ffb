"""The small MMP-Net of `mmp-rnn-tiny`: everything here is ours but L1 and Adam.

Smaller crops and more of them, a cosine instead of one halving, a higher learning rate for the small network,
and the gradient term of the published code, which keeps the edges of moving objects.
"""

from dataclasses import replace

from .mmp_net import MMP_NET

MMP_NET_TINY = replace(
    MMP_NET,
    name="mmp-net-tiny",
    network="mmp-net-tiny",
    ours="crop, batch, steps, learning_rate, schedule, warmup, ema, gradient_weight, clip_norm",
    crop=128,
    batch=16,
    steps=10_000,
    learning_rate=2.5e-3,
    schedule="cosine",
    warmup=100,
    gradient_weight=0.5,
)

# the paper's network, trained as the small one is
MMP_NET_SHORT = replace(MMP_NET_TINY, name="mmp-net-short", network="mmp-net")

RECIPES = [MMP_NET_TINY, MMP_NET_SHORT]
