"""The maps inside the modules, recomputed from their parameters; float32, whatever the module computes in."""

import torch
from torch.nn.functional import avg_pool2d

from ..reference.modules import DTB, GSTA


def spatial_attention(attention: GSTA, x: torch.Tensor) -> torch.Tensor:
    """A_s (GSTA Eq. 1): a frame's features (B, C, H, W) -> (B, M, H, W), each map summing to one over the pixels."""
    logits = attention.spatial(x).float()
    return logits.flatten(2).softmax(-1).view_as(logits)


def blur_mask(attention: GSTA, x: torch.Tensor) -> torch.Tensor:
    """Q (GSTA Eq. 7): features (B, C, H, W) -> (B, 1, H, W) in 0..1, 1 where the frame is not listened to."""
    if attention.gate is None:
        raise ValueError("blur_mask: the attention was built with gated=False, so it has no blur mask")
    return attention.gate(x).float().sigmoid()


def temporal_attention(attention: GSTA, means: torch.Tensor) -> torch.Tensor:
    """A_t (GSTA Eq. 3): the frames' mean features (B, T, C) -> (B, T, N), summing to one over the frames."""
    weight = attention.temporal.weight[..., 0].float()
    return (means.float() @ weight.mT + attention.temporal.bias.float()).softmax(1)


def pixel_attention(attention: GSTA, x: torch.Tensor) -> torch.Tensor:
    """A_p (GSTA Eq. 5): the current frame's features (B, C, H, W) -> (B, M, N, H, W), summing to one over M and N."""
    spatial_maps = attention.spatial.out_channels
    return attention.pixel(x).float().softmax(1).unflatten(1, (spatial_maps, -1))


def heard(pixel: torch.Tensor, temporal: torch.Tensor) -> torch.Tensor:
    """How much each pixel hears of each frame, by GSTA Eq. 4 and 6, its own among them.

    pixel A_p (B, M, N, H, W), temporal A_t (B, T, N) -> (B, T, H, W), summing to one over the frames.
    """
    return torch.einsum("bmnhw,btn->bthw", pixel, temporal)


def heard_from(
    pixel: torch.Tensor, temporal: torch.Tensor, spatial: torch.Tensor, row: int, column: int
) -> torch.Tensor:
    """Where in every frame one pixel of the current frame listens: the pairwise attention of GSTA's Fig. 7, which is
    shown there without the gate, too.

    pixel A_p (B, M, N, h, w), temporal A_t (B, T, N), spatial A_s of every frame (B, T, M, H, W)
    -> (B, T, H, W), summing to one over all the frames' pixels.
    """
    weights = torch.einsum("bmn,btn->btm", pixel[..., row, column], temporal)
    return torch.einsum("btm,btmhw->bthw", weights, spatial)


def most_blurred(mask: torch.Tensor) -> tuple[int, int]:
    """mask (H, W) -> row and column of the middle of the square, an eighth of the shorter side, with most of it."""
    size = max(1, min(mask.shape) // 8)
    sums = avg_pool2d(mask[None, None].float(), size, stride=1)[0, 0]
    row, column = divmod(int(sums.argmax()), sums.shape[1])
    return row + size // 2, column + size // 2


def blending_weights(blend: DTB, current: torch.Tensor, previous: torch.Tensor) -> torch.Tensor:
    """w (DTB Eq. 2): the features (B, C, H, W) of a frame and the blended ones before it -> (B, C, H, W), the current
    frame's share, between beta and 1."""
    similarity = blend.similarity(torch.cat([current, previous], 1)).float()
    return (similarity.tanh().abs() + blend.beta.float().clamp(0, 1)).clamp(max=1)


def shares(logits: torch.Tensor, normalize: str = "softmax") -> torch.Tensor:
    """The maps by which DAVID mixes (Eq. 1, 2): logits (..., K, H, W) -> the same, summing to one over the K."""
    return logits.float().softmax(-3) if normalize == "softmax" else logits.float()
