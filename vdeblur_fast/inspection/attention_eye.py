"""What there is to see in GSTA-Net: blur masks and attention maps at the three places where frames meet."""

from collections.abc import Sequence
from typing import NamedTuple

import torch

from .figures import Figure, Table, separate
from .maps import blur_mask, heard, heard_from, most_blurred, pixel_attention, spatial_attention, temporal_attention
from .watching import Eye

PLACES = ("encoder at 1/2", "encoder at 1/4", "decoder's skip at 1/2")


class Place(NamedTuple):
    """What a frame shows the others at one of the places, on the CPU."""

    spatial: torch.Tensor  # A_s, (M, h, w); bfloat16, for those of every neighbour are kept
    mask: torch.Tensor | None  # Q, (h, w)


class AttentionEye(Eye):
    """The blur mask (GSTA's Fig. 8), the three attentions, and where one pixel listens (Fig. 7).

    size: height and width of the frames. at: (x, y), that pixel; None takes the most blurred region's middle, and the
    frame's where there is no mask.
    """

    def __init__(self, size: tuple[int, int], at: tuple[int, int] | None):
        self.size = size
        self.at = at

    def watched(self, network):
        return [fuse.prepare for fuse in network.fusions]

    def note(self, network, calls) -> list[Place]:
        places = []
        for fuse in network.fusions:
            x = calls[fuse.prepare].output
            gated = fuse.attention.gate is not None
            mask = blur_mask(fuse.attention, x)[0, 0].cpu() if gated else None
            places.append(Place(spatial_attention(fuse.attention, x)[0].bfloat16().cpu(), mask))
        return places

    def figures(self, network, calls, window, state):
        centre = window[network.past]
        extent = tuple(centre.entry.frame.shape[-2:])
        masks = [place.mask for place in centre.note]
        at = self.at or self._point(masks[0], extent)
        found = [] if masks[0] is None else [_blur_masks(masks)]
        by_offset = {noted.entry.index - centre.entry.index: noted for noted in window}
        offsets = [0, *network.chosen(state)]
        for number, fuse in enumerate(network.fusions):
            x = calls[fuse.prepare].output
            own = spatial_attention(fuse.attention, x)[0].cpu()
            others = [by_offset[offset] for offset in offsets[1:]]
            means = [x.float().mean((2, 3))[0], *(noted.entry.summaries[number].mean[0].float() for noted in others)]
            temporal = temporal_attention(fuse.attention, torch.stack(means)[None])[0].cpu()
            pixel = pixel_attention(fuse.attention, x)[0].cpu()
            spatial = torch.stack([own, *(noted.note[number].spatial.float() for noted in others)])
            place = At(number, offsets, at, extent)
            found += place.figures(spatial, temporal, pixel)
        return found

    def _point(self, mask: torch.Tensor | None, extent: tuple[int, int]) -> tuple[int, int]:
        height, width = self.size
        if mask is None:
            return width // 2, height // 2
        scale = extent[0] // mask.shape[0]
        row, column = most_blurred(mask[: -(-height // scale), : -(-width // scale)])
        return min(column * scale, width - 1), min(row * scale, height - 1)


class At(NamedTuple):
    """One place, the frames that are heard there (offsets, its own first), and the pixel to follow."""

    number: int
    offsets: Sequence[int]
    at: tuple[int, int]
    extent: tuple[int, int]

    def figures(self, spatial: torch.Tensor, temporal: torch.Tensor, pixel: torch.Tensor) -> list[Figure | Table]:
        """spatial A_s (T, M, h, w), temporal A_t (T, N), pixel A_p (M, N, h, w)."""
        order = sorted(range(len(self.offsets)), key=lambda i: self.offsets[i])
        spatial_own, spatial, temporal = spatial[0], spatial[order], temporal[order]
        frames = [_moment(self.offsets[i]) for i in order]
        section = f"Attention: {PLACES[self.number]}"
        key = f"place{self.number + 1}"
        maps, height, width = spatial_own.shape
        (x, y), scale = self.at, self.extent[0] // height
        shares = heard(pixel[None], temporal[None])[0]
        followed = heard_from(pixel[None], temporal[None], spatial[None], y // scale, x // scale)[0]
        numbered = [f"map {m + 1}" for m in range(maps)]
        return [
            Figure(
                f"{key}-heard",
                "What each pixel hears of each frame",
                "A_p and A_t together; the maps sum to one.",
                separate(shares),
                [f"{frame}: {share:.0%}" for frame, share in zip(frames, shares.mean((1, 2)).tolist(), strict=True)],
                section=section,
            ),
            Figure(
                f"{key}-from",
                f"Where the pixel at ({x}, {y}) listens",
                "Its attention to every pixel of every frame, without the gate; 1 is an even share. "
                "The circle is where the pixel itself is.",
                separate(followed * followed.numel()),
                frames,
                most=None,
                mark=self.at,
                section=section,
            ),
            Figure(
                f"{key}-spatial",
                "Spatial maps A_s of this frame",
                "Where each map looks to say what the frame has to tell; 1 is an even share.",
                separate(spatial_own * (height * width)),
                numbered,
                most=None,
                section=section,
            ),
            Figure(
                f"{key}-pixel",
                "Pixel maps A_p",
                "How much of each pixel is what a spatial map has gathered, whatever the time; the maps sum to one.",
                separate(pixel.sum(1)),
                numbered,
                section=section,
            ),
            Table(
                "Temporal weights A_t",
                "How much each temporal map takes of each frame; the columns sum to one.",
                frames,
                [f"map {n + 1}" for n in range(temporal.shape[1])],
                temporal,
                section=section,
            ),
        ]


def _blur_masks(masks: Sequence[torch.Tensor]) -> Figure:
    text = "Where the gate closes: 1 is a pixel, too blurred to help, that no frame listens to."
    return Figure("blur-mask", "Blur mask Q", text, masks, PLACES)


def _moment(offset: int) -> str:
    return "t" if offset == 0 else f"t {'+' if offset > 0 else '−'} {abs(offset)}"
