"""Weights to keep: float16 safetensors and, beside them, a card in JSON that says where they come from."""

import hashlib
import json
import subprocess
from pathlib import Path
from typing import Any

import torch
from torch import nn

from vdeblur_fast.errors import UserError

from .checkpoint import written_whole

HERE = Path(__file__).resolve().parent


def export(network: nn.Module, path: Path, card: dict[str, Any]) -> None:
    """Writes `path` (.safetensors) and its card (.json).

    Weights are stored in float16; batch norm's statistics, which float16 could flush to zero, stay as they
    are. Kernels that are equal, as DAVID's modules have them, are stored once (see `weights.files.stored`).
    """
    from safetensors.torch import save

    buffers = {name for name, _ in network.named_buffers()}
    tensors = {
        name: (value if name in buffers else value.to(torch.float16)).detach().cpu().contiguous()
        for name, value in network.state_dict().items()
    }
    same = repeated(tensors)
    tensors = {name: value for name, value in tensors.items() if name not in same}
    content = save(tensors, {**same, "format": "pt", "network": card["network"]})
    card = {**card, "sha256": hashlib.sha256(content).hexdigest()}
    with written_whole(path) as part:
        part.write_bytes(content)
    with written_whole(path.with_suffix(".json")) as part:
        part.write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")


def new_weights(path: Path) -> None:
    """Raises UserError where `path` is not a name for weights and their card, or one of the two is there already."""
    if path.suffix != ".safetensors":
        raise UserError(f"{path} must end in .safetensors, for the card gets its name with .json")
    for written in (path, path.with_suffix(".json")):
        if written.exists():
            raise UserError(f"{written} exists already; remove it or name another file")


def repeated(tensors: dict[str, torch.Tensor]) -> dict[str, str]:
    """The kernels that are equal to an earlier one -> the name of that one."""
    first: dict[tuple, str] = {}
    kernels = {name: value for name, value in tensors.items() if value.ndim == 4}
    found = {
        name: first.setdefault((value.shape, value.dtype, hashlib.sha256(value.numpy()).digest()), name)
        for name, value in kernels.items()
    }
    return {name: kept for name, kept in found.items() if name != kept}


def commit() -> str | None:
    """The commit of the checkout that this code stands in, with "+changes" where files differ from it."""

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(HERE), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    try:
        if not git("ls-files", str(HERE / "export.py")):
            return None
        return git("rev-parse", "HEAD") + ("+changes" if git("status", "--porcelain", "-uno") else "")
    except (OSError, subprocess.CalledProcessError):
        return None
