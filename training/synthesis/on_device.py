"""Shaken stills, whole batches of them, on a GPU.

The worker processes draw paths and cut pictures, a few milliseconds a clip; the device warps, adds light, and stores it
as a camera does. What comes out is what `shaken_clip` makes without objects: the same random paths and sub-steps, the
mean in linear light, the same motion. Noise is drawn on the device, and nothing is compressed.
"""

from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F
from torch.utils.data import Dataset

from vdeblur_fast.errors import UserError

from .dataset import begun, draw_turn, end_threads
from .degrade import Degradation
from .layers import Plane, backdrop
from .response import Response
from .shutter import Shutter
from .sources import find_sources, read_still
from .stills import BLURRED, MAGNITUDE_K, MAGNITUDE_N, Camera, views_of
from .variety import PLAIN, Kind, Variety
from .warp import NODE, node_movement

Batch = dict[str, torch.Tensor]


class DeviceClips(Dataset):
    """What is needed to make training samples from a folder of sharp stills; `render` makes them.

    Item i depends on `seed` and i alone. Batches are put together by `collate`; `render(batch, device)` then gives what
    SynthesisDataset's items are, with a batch before: `blurry`, `sharp`, `magnitude` and `mask` (B, T, C, H, W).

    Args:
        degrade: whether blurry frames may get noise.
        shutter: exposures and periods of a paper, instead of the mixture of many.
        variety: of it, long blur and highlights are made.

    Raises:
        UserError: no such folder, or no stills in it.
    """

    def __init__(
        self,
        folder: str | Path,
        split: str | None = "train",
        frames: int = 8,
        crop: int = 128,
        seed: int = 0,
        length: int = 1_000_000,
        degrade: bool = True,
        shutter: Shutter | None = None,
        variety: Variety | None = None,
    ) -> None:
        self.frames, self.size, self.seed, self.length = frames, (crop, crop), seed, length
        self.degrade, self.shutter, self.variety = degrade, shutter, variety
        self.stills = [read_still(path) for path in find_sources(folder, split).stills]
        if not self.stills:
            raise UserError(f"{folder} holds no stills, of which samples are made on a device; use --synthesis cpu")
        end_threads()

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> dict[str, np.ndarray]:
        if not 0 <= index < self.length:
            raise IndexError(f"DeviceClips: index {index} is outside 0..{self.length - 1}")
        rng, kind, response = begun(self.seed, index, self.variety, self.size)
        picture = self.stills[rng.integers(len(self.stills))]
        blur, duty = self.shutter.shake(rng) if self.shutter else (None, None)
        planned = plan(picture, rng, response, self.frames, self.size, blur, duty, kind)
        noise = Degradation.random(rng) if self.degrade else Degradation()
        return {
            **planned,
            "noise": np.float32([noise.shot, noise.read]),
            "turn": np.array(draw_turn(rng, self.size)),
            "number": np.array([self.seed, index]),
        }

    def collate(self, items: list[dict[str, np.ndarray]]) -> Batch:
        """Items, of which textures and numbers of sub-steps differ, as one batch; what is filled up is never seen."""
        return {
            "size": torch.tensor(self.size),
            **{name: torch.from_numpy(_stacked([item[name] for item in items])) for name in items[0]},
        }

    def render(self, batch: Batch, device: torch.device) -> Batch:
        """Makes the samples of a batch on the device, float32."""
        return render(batch, device)


def plan(
    picture: np.ndarray,
    rng: np.random.Generator,
    response: Response,
    frames: int,
    size: tuple[int, int],
    blur: float | None = None,
    duty: float | None = None,
    kind: Kind = PLAIN,
) -> dict[str, np.ndarray]:
    """What of a clip is decided before anything is rendered; draws from `rng` as `shaken_clip` does.

    Returns:
        texture (h, w, 3) uint8; light (256,) of its values; signal (65536,) of the roots of light; views (T, n, 3, 3)
        from frame to texture pixels and moves (T, n, r, c, 2) of the nodes in the sub-steps; steps (T,), how many of
        the n there are.
    """
    camera = Camera.random(rng, frames, size, blur, duty=duty, kind=kind)
    texture, corner = backdrop(picture, camera.path.homographies(camera.times), size, rng, kind.zoom)
    most = {"most_steps": int(kind.longest) // 2 * 2 + 1} if kind.longest > PLAIN.longest else {}
    views = [view for (view,) in views_of(camera.path, [], camera.duty, size, frames, **most)]
    plane = Plane(texture, corner)
    return {
        "texture": texture,
        "light": response.light_of_bytes,
        "signal": response.signal_of_root,
        "views": _stacked([plane.sampling(view).astype(np.float32) for view in views]),
        "moves": _stacked([node_movement(view, size) for view in views]),
        "steps": np.array([len(view) for view in views]),
    }


def _stacked(parts: list[np.ndarray]) -> np.ndarray:
    """Arrays of unequal sizes on top of each other, each filled with zeros to the size of the largest."""
    room = np.max([part.shape for part in parts], axis=0)
    return np.stack(
        [np.pad(part, [(0, most - side) for most, side in zip(room, part.shape, strict=True)]) for part in parts]
    )


@torch.no_grad()
def render(batch: Batch, device: torch.device) -> Batch:
    """A batch of plans, noise and turns -> samples, as `DeviceClips.render`."""
    height, width = batch["size"].tolist()
    numbers, turns = batch["number"], batch["turn"].tolist()
    batch = {name: part.to(device, non_blocking=True) for name, part in batch.items()}
    light = _looked_up(batch["light"], batch["texture"].permute(0, 3, 1, 2).long())
    frames = [_exposure(light, batch, t, height, width) for t in range(batch["steps"].shape[1])]
    blurry, sharp, smear = (torch.stack(part, 1) for part in zip(*frames, strict=True))
    shot, read = batch["noise"].unbind(1)
    noise = torch.stack([_noise(*number, blurry.shape[1:], device) for number in numbers.tolist()])
    deviation = (shot.view(-1, 1, 1, 1, 1) * blurry + read.view(-1, 1, 1, 1, 1).square()).sqrt()
    blurry = _signal(batch["signal"], blurry + noise * deviation)
    parts = {
        "blurry": (blurry * 255 + 0.5).floor() / 255,
        "sharp": _signal(batch["signal"], sharp),
        "magnitude": (smear / ((MAGNITUDE_N - 1) * MAGNITUDE_K)).clamp(max=1),
        "mask": (smear > BLURRED).float(),
    }
    return {name: torch.stack([_turned(clip, *turn) for clip, turn in zip(part, turns, strict=True)])
            for name, part in parts.items()}  # fmt: skip


def _exposure(light: torch.Tensor, batch: Batch, t: int, height: int, width: int) -> tuple[torch.Tensor, ...]:
    """Frame t of all clips: blurry and sharp light (B, 3, H, W) and smear (B, 1, H, W)."""
    steps = batch["steps"][:, t]
    count, most = len(steps), int(batch["steps"][:, t].max())
    views, moves = batch["views"][:, t, :most], batch["moves"][:, t, :most]
    there = torch.arange(most, device=light.device) < steps[:, None]  # (B, n)
    views = torch.where(there[..., None, None], views, torch.eye(3, device=light.device))
    y, x = torch.meshgrid(*(torch.arange(side, device=light.device) for side in (height, width)), indexing="ij")
    points = torch.stack([x, y, torch.ones_like(x)]).float().flatten(1)
    rays = views @ points  # (B, n, 3, H W)
    places = rays[:, :, :2] / rays[:, :, 2:]
    extent = torch.tensor([light.shape[3] - 1, light.shape[2] - 1], device=light.device)
    grid = (2 * places / extent[:, None] - 1).transpose(2, 3).reshape(count, most * height, width, 2)
    seen = F.grid_sample(light, grid, padding_mode="reflection", align_corners=True)
    seen = seen.view(count, 3, most, height, width) * there[:, None, :, None, None]
    blurry = seen.sum(2) / steps.view(-1, 1, 1, 1)
    sharp = seen[torch.arange(count), :, steps // 2]
    fine = F.interpolate(moves.flatten(0, 1).permute(0, 3, 1, 2), scale_factor=NODE, mode="bilinear")
    fine = fine[..., NODE // 2 :, NODE // 2 :][..., :height, :width]
    smear = fine.square().sum(1).sqrt().view(count, most, height, width).sum(1, keepdim=True)
    return blurry, sharp, smear


def _looked_up(tables: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
    """Each clip's values in its own table: (B, n) and (B, ...) of whole numbers -> (B, ...)."""
    return tables.gather(1, values.flatten(1)).view(values.shape)


def _signal(tables: torch.Tensor, light: torch.Tensor) -> torch.Tensor:
    """As `Response.to_signal`."""
    return _looked_up(tables, (light.clamp(0, 1).sqrt() * (tables.shape[1] - 1) + 0.5).long())


def _noise(seed: int, index: int, shape: torch.Size, device: torch.device) -> torch.Tensor:
    state = int(np.random.SeedSequence([seed, index, 2]).generate_state(1, np.uint64)[0] >> 1)
    return torch.randn(shape, generator=torch.Generator(device).manual_seed(state), device=device)


def _turned(clip: torch.Tensor, turns: int, time: int, across: int) -> torch.Tensor:
    """As `random_turn`, of (T, C, H, W)."""
    clip = torch.rot90(clip, turns, (-2, -1))
    flipped = [axis for axis, way in ((0, time), (-1, across)) if way < 0]
    return clip.flip(flipped) if flipped else clip
