"""Weights: those that ship, by the name of their network, each with a card that says where it comes from; those of a
file; and those that others have published, converted."""

import hashlib
import json
from functools import cache
from pathlib import Path

from torch import nn

from ..errors import WeightsError
from .conversion import MisfitError, convert
from .files import load_file

__all__ = ["MisfitError", "available", "card", "convert", "load", "load_file"]

FOLDER = Path(__file__).parent


@cache
def available() -> tuple[str, ...]:
    """The networks whose weights ship with the package."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.json")))


def card(name: str) -> dict:
    """The model card of the weights that ship for a network: data, recipe, commit, steps, PSNR before and after, hash.

    Raises WeightsError where none ship.
    """
    if name not in available():
        others = f", or choose one of {', '.join(available())}" if available() else ""
        training = f"python -m vdeblur_fast.training {name} --data DIR"
        raise WeightsError(f"no weights ship for {name}; pass a weights file, which `{training}` makes{others}")
    return json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))


def load(network: nn.Module, name: str, path: str | Path | None = None) -> None:
    """Fills a network with the weights of a file, or with those that ship for its name.

    Raises WeightsError where there are none, or where they are not what the card or the network says.
    """
    if path is not None:
        load_file(network, path, name)
        return
    expected = card(name)["sha256"]
    path = FOLDER / f"{name}.safetensors"
    try:
        found = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise WeightsError(f"the weights of {name} are missing from this installation; install it again") from error
    if found != expected:
        raise WeightsError(
            f"the weights of {name} in this installation are damaged (hash {found[:12]}…); install it again"
        )
    load_file(network, path, name)
