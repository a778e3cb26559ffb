"""Which neighbours of a frame are worth looking at (GSTA section 3.2).

From the paper: an agent for each of the 25 frames of T_max = +-12, all served by one network; the state is the frames,
concatenated, through some convolutions and pooled over space and channels, and the user's u; a fully connected layer
and a sigmoid give each agent's probability to pick; the evaluation network is one fully connected layer on state and
actions; 0.2 M parameters; the most probable action in use. Ours: the layers (0.19 M), u divided by the 24 neighbours
there can be, frames at a quarter of their size, and at most u picks, the most probable ones. What training needs (Eq. 9
to 12) is in `vdeblur_fast.training.frame_selection`.
"""

import torch
from torch import nn
from torch.nn.functional import avg_pool2d

from ..modules import StridedConv2d

REACH = 12  # frames before and after the current one
FRAMES = 2 * REACH + 1
SHRINK = 4  # the selection sees frames averaged over so many pixels each way


def thumbnail(frame: torch.Tensor) -> torch.Tensor:
    """frame (B, 3, H, W) -> (B, 3, H / 4, W / 4): what the selection sees of it."""
    return avg_pool2d(frame, SHRINK)


class FrameSelectionNetwork(nn.Module):
    """The policy: thumbnails of 25 frames and u -> each frame's probability to be picked, and the state.

    thumbnails (B, 25, 3, h, w), RGB in 0..1, in time order, the current frame in the middle; u, the most neighbours
    that are wanted, a number or (B,) -> probabilities (B, 25), state (B, 26).
    """

    def __init__(self, width: int = 64, channels_per_frame: int = 5):
        super().__init__()
        self.look = nn.Sequential(
            StridedConv2d(3 * FRAMES, width, 3, 4, 1),
            nn.ReLU(),
            StridedConv2d(width, width, 3, 2, 1),
            nn.ReLU(),
            StridedConv2d(width, width, 3, 2, 1),
            nn.ReLU(),
            StridedConv2d(width, FRAMES * channels_per_frame, 3, 2, 1),
        )
        self.decide = nn.Linear(FRAMES + 1, FRAMES)

    def forward(self, thumbnails: torch.Tensor, u: int | torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        if thumbnails.dim() != 5 or thumbnails.shape[1:3] != (FRAMES, 3):
            raise ValueError(
                f"FrameSelectionNetwork: thumbnails must be (B, {FRAMES}, 3, h, w), got {tuple(thumbnails.shape)}"
            )
        seen = self.look(thumbnails.flatten(1, 2) - 0.5).unflatten(1, (FRAMES, -1)).mean((2, 3, 4))
        wanted = torch.as_tensor(u, device=seen.device).to(seen).expand(seen.shape[0]) / (FRAMES - 1)
        state = torch.cat([seen, wanted[:, None]], 1)
        return self.decide(state).sigmoid(), state


class EvaluationNetwork(nn.Module):
    """The critic: what reward to expect of these actions in this state; used in training only.

    state (..., 26), actions (..., 25) of 0 and 1 -> value (...).
    """

    def __init__(self):
        super().__init__()
        self.value = nn.Linear(FRAMES + 1 + FRAMES, 1)

    def forward(self, state: torch.Tensor, actions: torch.Tensor) -> torch.Tensor:
        return self.value(torch.cat([state, actions.to(state)], -1))[..., 0]


def select(probabilities: torch.Tensor, available: torch.Tensor, u: int) -> torch.Tensor:
    """The most probable actions: (B, 25) -> bool (B, 25), the picked frames.

    Neighbours with more than one half, the u most probable of them where there are more, none that is not `available`
    (bool, broadcast to (B, 25)); the current frame is always picked and does not count. Of equally probable ones the
    earlier is taken.
    """
    middle = FRAMES // 2
    neighbours = available.expand_as(probabilities).clone()
    neighbours[:, middle] = False
    wanted = neighbours & (probabilities > 0.5)
    order = probabilities.masked_fill(~wanted, -1).argsort(dim=1, descending=True, stable=True)
    rank = torch.empty_like(order).scatter_(1, order, torch.arange(FRAMES, device=order.device).expand_as(order))
    picked = wanted & (rank < u)
    picked[:, middle] = True
    return picked
