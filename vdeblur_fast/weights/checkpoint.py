"""Tensors out of a training checkpoint, whatever it is wrapped in, and no code out of it."""

import re
import warnings
from collections.abc import Mapping
from pathlib import Path

import torch

from ..errors import WeightsError
from .files import stored

# What trainers call the entry with the weights; the first that is there counts.
WRAPPINGS = ("state_dict", "model_state_dict", "model_state", "params_ema", "params", "model", "network", "net")
# DataParallel, the authors' outermost class, torch.compile, and what others call the network inside of theirs
PREFIXES = ("module", "model", "_orig_mod", "network", "net")
# What weight averaging and thop, the counter of the authors, leave among the weights
LEFTOVERS = re.compile(r"(^|\.)(n_averaged|total_ops|total_params)$")
DEEPEST = 8


def read_checkpoint(path: str | Path) -> dict[str, torch.Tensor]:
    """The weights of a PyTorch checkpoint (.pth, .pt, .pth.tar, .ckpt) or a .safetensors file, on the CPU, by name.

    Only data is unpickled: tensors, plain containers and numbers, NumPy's, and `argparse.Namespace`. The
    weights may lie under `state_dict` or another of `WRAPPINGS`, and their names may begin with any of `PREFIXES`.

    Raises WeightsError for a file that is missing, damaged, no checkpoint, without tensors, or with code in it.
    """
    path = Path(path)
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "does not exist"
        raise WeightsError(f"checkpoint {path} {what}; give the path of a PyTorch or .safetensors file")
    tensors = _unprefixed(_tensors(_read(path), path))
    return {name: tensor for name, tensor in tensors.items() if not LEFTOVERS.search(name)}


def _read(path: Path) -> object:
    try:
        return stored(path)[0] if path.suffix.lower() == ".safetensors" else _unpickle(path)
    except PermissionError:
        raise
    except Exception as error:  # damage shows itself in many ways
        if code := re.search(r"GLOBAL ([\w.]+)", str(error)):
            raise WeightsError(
                f"checkpoint {path} holds more than weights ({code[1]}), and to load that could run code, so it is not "
                'read; save the weights alone, with torch.save({"state_dict": network.state_dict()}, file)'
            ) from error
        raise WeightsError(
            f"checkpoint {path} cannot be read: it is damaged, or no PyTorch checkpoint; get it again"
        ) from error


def _unpickle(path: Path) -> object:
    with warnings.catch_warnings(), torch.serialization.safe_globals(_harmless()):
        warnings.simplefilter("ignore")  # torch wonders about old files
        return torch.load(path, map_location="cpu", weights_only=True)


def _harmless() -> list:
    """What trainers like to keep beside the weights and what cannot run code: NumPy's numbers and arrays, options."""
    import argparse

    import numpy

    makers = {"scalar": numpy.float64().__reduce__()[0], "_reconstruct": numpy.empty(0).__reduce__()[0]}
    places = ("numpy.core.multiarray", "numpy._core.multiarray")  # of NumPy 1 and 2
    types = [type(numpy.dtype(kind)) for kind in ("f2", "f4", "f8", "i4", "i8", "u1", "u4", "?")]
    named = [(maker, f"{place}.{name}") for place in places for name, maker in makers.items()]
    return [argparse.Namespace, numpy.dtype, numpy.ndarray, *types, *named]


def _tensors(found: object, path: Path) -> dict[str, torch.Tensor]:
    for _ in range(DEEPEST):
        inner = [found[key] for key in WRAPPINGS if isinstance(found, Mapping) and isinstance(found.get(key), Mapping)]
        if not inner:
            break
        found = inner[0]
    entries = found.items() if isinstance(found, Mapping) else ()
    tensors = {key: value for key, value in entries if isinstance(key, str) and isinstance(value, torch.Tensor)}
    if not tensors:
        held = ", ".join(str(key) for key, _ in list(entries)[:5]) or type(found).__name__
        raise WeightsError(
            f"checkpoint {path} holds no weights where they are looked for (it holds {held}); "
            f"put them under {WRAPPINGS[0]}"
        )
    return tensors


def _unprefixed(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Takes the prefixes off that every name has, but for the leftovers'."""
    while True:
        firsts = {name.partition(".")[0] for name in tensors if not LEFTOVERS.search(name)}
        if len(firsts) != 1 or not firsts <= set(PREFIXES):
            return tensors
        start = f"{firsts.pop()}."
        tensors = {name.removeprefix(start): tensor for name, tensor in tensors.items()}
