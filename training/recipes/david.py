"""DAVID in three phases (Wu et al., WACV 2020, sections 3.2 and 4.1).

The paper's: Challenging DVD, where 3, 7, 11 or 15 frames of a 240 Hz video are averaged, each number a level of blur of
its own; batch 16, L2, Adam. Phase 1: the backbones that read 1, 3, 5 and 7 frames, 1e-4. Phase 2: an internal module
for each of the levels 3, 7 and 11, begun with these backbones: its attention alone, 1e-5, 100 epochs, then all of it,
2e-6, "until convergence". Phase 3: begun with these modules, the external attention alone, 1e-5, then with the internal
attentions, 2e-6, then everything, 2e-6, 200 epochs each.

An epoch is the 5,708 pairs that DVD (Su et al., CVPR 2017) trains on, 357 steps. Windows do not overlap, and DVD keeps
every eighth frame, so windows of 11 and 15 begin every 16. Ours: crops of 256 (the paper gives no size; a backbone sees
122 pixels far), phase 1 on all levels in 200 epochs and the second half of phase 2 in 100 (it gives no numbers), EMA
and the limit of the gradient's norm, quarter turns beside the flips and clips backwards in time. The external
attention over single backbones, for which the paper has no training, goes the same way, without what it lacks: the
backbone of 7 frames, from it one for each level, the attention alone, and everything.

`*-short` are recipes of ours, made for a CPU or an hour of a GPU: from the identity, on blur of every length, with Muon
and the Charbonnier loss. They train a network whole, to compare the parts of `david-small`. The convolution that writes
the picture learns at a tenth of the rate. What lies before it is nineteen convolutions and ReLUs without norms, and two
things keep these alive. The picture passes through all levels at the start, for features that say nothing fall silent
within eighty steps. And the kernels stay centred and of their size: otherwise those of the deepest levels doubled in
1,800 steps, their signals grew from 1 to 150,000, and the loss was not a number 600 steps later.

`david-small-phases` trains `david-small` as the paper does, part by part: the backbone of 7 frames, from it those of 5,
3 and 1 (ours; their first convolution begins with the kernels of the frames that they have), a module of the four for
short, middling and long blur each, and then the external attention. In all modules the layers that work at an eighth of
the resolution or less, and the one that reads these, stay as the backbones have them: they are seven eighths of the
weights, and equal kernels are stored once. Its stages want samples of their own:
`python -m vdeblur_fast.training.prepare david-small-phases/internal3`, and so on.
"""

from dataclasses import replace

from .recipe import Recipe, Start

EPOCH = 357
LEVELS = (3, 7, 11)
SCALES = (1, 3, 5, 7)
BRANCHES = tuple(
    Start(f"single{scale}", "levels.0.branches.0.", f"levels.0.branches.{k}.") for k, scale in enumerate(SCALES)
)
MODULES = tuple(Start(f"internal{level}", "levels.0.", f"levels.{j}.") for j, level in enumerate(LEVELS))

BASE = Recipe(
    name="david",
    network="david",
    source="DAVID, sections 3.2 and 4.1",
    ours="crop, steps, ema, clip_norm",
    kind="squared",
    frames=7,
    crop=256,
    batch=16,
    schedule="constant",
    magnitude_weight=0.0,
    gradient_weight=0.0,
    degraded=False,
    taus=(3, 7, 11, 15),
    every=8,
)


def backbones(david: str, prefix: str) -> list[Recipe]:
    """Phase 1. david: the network's name; prefix: of the recipes' names."""
    first = replace(BASE, steps=200 * EPOCH, learning_rate=1e-4)
    return [
        replace(first, name=f"{prefix}single{scale}", network=f"{david}-single{scale}", frames=scale)
        for scale in SCALES
    ]


def internal(david: str, prefix: str, level: int) -> list[Recipe]:
    """Phase 2 for one level of blur."""
    name = f"internal{level}"
    one = replace(BASE, network=f"{david}-internal", taus=(level,), steps=100 * EPOCH)
    return [
        replace(
            one, name=f"{prefix}{name}-attention", learning_rate=1e-5, starts=BRANCHES, frozen=("levels.*.branches.*",)
        ),
        replace(one, name=f"{prefix}{name}", learning_rate=2e-6, starts=(Start(f"{name}-attention"),)),
    ]


def dual(david: str, prefix: str) -> list[Recipe]:
    """Phase 3."""
    one = replace(BASE, network=david, steps=200 * EPOCH)
    slow = replace(one, learning_rate=2e-6)
    return [
        replace(one, name=f"{prefix}external", learning_rate=1e-5, starts=MODULES, frozen=("levels.*",)),
        replace(slow, name=f"{prefix}attentions", starts=(Start("external"),), frozen=("levels.*.branches.*",)),
        replace(slow, name=f"{prefix}everything", starts=(Start("attentions"),)),
    ]


def course(david: str) -> list[Recipe]:
    prefix = f"{david}/"
    modules = [stage for level in LEVELS for stage in internal(david, prefix, level)]
    return [*backbones(david, prefix), *modules, *dual(david, prefix)]


def part(david: str) -> list[Recipe]:
    """An internal module by itself, for the level 11, which does best of the three on all levels (Table 1)."""
    prefix = f"{david}-internal/"
    return [*backbones(david, prefix), *internal(david, prefix, LEVELS[-1])]


def external(david: str) -> list[Recipe]:
    """The external attention over single backbones, each for a level of blur."""
    prefix, single = f"{david}-external/", backbones(david, f"{david}-external/")[-1]
    slow = replace(single, learning_rate=2e-6)
    levels = [
        replace(slow, name=f"{prefix}level{level}", taus=(level,), steps=100 * EPOCH, starts=(Start(single.stage),))
        for level in LEVELS
    ]
    modules = tuple(Start(stage.stage, "levels.0.", f"levels.{j}.") for j, stage in enumerate(levels))
    whole = replace(slow, network=f"{david}-external")
    return [
        single,
        *levels,
        replace(whole, name=f"{prefix}external", learning_rate=1e-5, starts=modules, frozen=("levels.*",)),
        replace(whole, name=f"{prefix}everything", starts=(Start("external"),)),
    ]


SHORT = replace(
    BASE,
    ours="all but the network",
    kind="deblur",
    crop=96,
    batch=8,
    steps=20_000,
    learning_rate=1.5e-3,
    schedule="cosine",
    warmup=100,
    identity_start=True,
    skip_rate=0.1,
    optimizer="muon",
    centred_kernels=True,
    clip_norm=0.5,
    degraded=True,
    taus=(),
    every=0,
)
WHOLE = [
    replace(SHORT, name=f"{network}-short", network=network)
    for network in ("david-small", "david-small-internal", "david-small-single7")
]
# an eighth of the resolution and less, and what reads it
DEEP = ("levels.*.branches.*.convs.[6-9].*", "levels.*.branches.*.convs.1[0-2].*")
EXPOSURES = {3: (3, 5), 7: (7, 9), 11: (11, 13, 15)}  # of the samples that each module learns from


def phases(david: str) -> list[Recipe]:
    """The paper's phases by the short recipe."""
    prefix, single = f"{david}-phases/", f"{david}-single7"
    first = replace(SHORT, name=f"{prefix}single7", network=single)
    later = replace(SHORT, steps=2_000, learning_rate=7e-4, fidelity="psnr")
    backbones = [
        replace(
            later,
            name=f"{prefix}single{scale}",
            network=f"{david}-single{scale}",
            frames=scale,
            starts=(Start("single7"),),
        )
        for scale in (5, 3, 1)
    ]
    modules = [
        replace(
            later,
            name=f"{prefix}internal{level}",
            network=f"{david}-internal",
            steps=1_000,
            taus=EXPOSURES[level],
            starts=BRANCHES,
            frozen=DEEP,
        )
        for level in LEVELS
    ]
    external = replace(
        later, name=f"{prefix}external", network=david, steps=1_000, starts=MODULES, frozen=("levels.*",)
    )
    return [first, *backbones, *modules, external]


COURSES = {
    name: stages
    for david in ("david", "david-small")
    for name, stages in (
        (david, course(david)),
        (f"{david}-internal", part(david)),
        (f"{david}-external", external(david)),
    )
} | {"david-small-phases": phases("david-small")}
RECIPES = [recipe for david in ("david", "david-small") for recipe in backbones(david, f"{david}-")] + WHOLE
