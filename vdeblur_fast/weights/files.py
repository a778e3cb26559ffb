"""Weights from a safetensors file into a network, with a clear word for every way it can go wrong."""

from pathlib import Path

import torch
from torch import nn

from ..errors import WeightsError

# What DataParallel and torch.compile put before every name
WRAPPERS = ("module.", "_orig_mod.")


def load_file(network: nn.Module, path: str | Path, name: str | None = None) -> None:
    """Fills `network` with the tensors of a .safetensors file of any floating dtype.

    Weights saved of a network within `DataParallel` or `torch.compile`, which put "module." or "_orig_mod." before
    every name, are taken as those of the network itself.
    name: what the network is called, for the messages and to be compared with the file's own metadata.

    Raises WeightsError, and leaves the network as it was, for a file that is missing, is no safetensors file, is cut
    short, holds values that are not finite, or does not fit.
    """
    tensors, belongs_to = read(Path(path))
    fill(network, name or type(network).__name__, tensors, belongs_to, Path(path))


def fill(network: nn.Module, name: str, tensors: dict[str, torch.Tensor], belongs_to: str | None, path: Path) -> None:
    """Fills `network` with tensors that were read from `path`, whose metadata name the network `belongs_to`. Names may
    begin with those of `WRAPPERS`.

    Raises WeightsError, and leaves the network as it was, where they do not fit or are not finite.
    """
    own = network.state_dict()
    tensors = _unwrapped(tensors, own)
    _check(own, name, tensors, belongs_to, path)
    network.load_state_dict({key: value.to(own[key].dtype) for key, value in tensors.items()})


def read(path: Path) -> tuple[dict[str, torch.Tensor], str | None]:
    """The tensors of a .safetensors file, and which network it says they are for.

    Raises WeightsError where it cannot be read.
    """
    from safetensors import SafetensorError

    if path.is_dir():
        raise WeightsError(f"weights file {path} is a folder; give the path of a .safetensors file")
    if not path.is_file():
        raise WeightsError(f"weights file {path} does not exist; give the path of a .safetensors file")
    try:
        tensors, metadata = stored(path)
        return tensors, metadata.get("network")
    except (SafetensorError, OSError) as error:
        reason = " ".join(str(error).split())
        raise WeightsError(
            f"weights file {path} cannot be read ({reason}); it must be a whole .safetensors file, "
            "and pickles (.pth, .pt, .ckpt) are not read, for they can run code"
        ) from error


def stored(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    """The tensors and the metadata of a .safetensors file, or what safetensors raises.

    Tensors that are equal may be stored once: the metadata then say under which name the others are to be found, as
    `safetensors.torch.save_model` has it.
    """
    from safetensors import safe_open

    with safe_open(path, framework="pt") as file:
        tensors, metadata = {key: file.get_tensor(key) for key in file.keys()}, file.metadata() or {}  # noqa: SIM118
    same = {key: tensors[kept] for key, kept in metadata.items() if kept in tensors and key not in tensors}
    return tensors | same, metadata


def _unwrapped(tensors: dict[str, torch.Tensor], own: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Without the wrappers' prefixes, where every name has them and the network has none of those names."""
    for _ in WRAPPERS:  # one within the other, in either order
        for prefix in WRAPPERS:
            if own.keys().isdisjoint(tensors) and all(key.startswith(prefix) for key in tensors):
                tensors = {key.removeprefix(prefix): value for key, value in tensors.items()}
    return tensors


def _check(
    own: dict[str, torch.Tensor], name: str, tensors: dict[str, torch.Tensor], belongs_to: str | None, path: Path
) -> None:
    missing = [key for key in own if key not in tensors]
    surplus = [key for key in tensors if key not in own]
    shapes = [key for key, value in tensors.items() if key in own and value.shape != own[key].shape]
    if missing or surplus or shapes:
        whose = f" (it says it is for {belongs_to})" if belongs_to and belongs_to != name else ""
        raise WeightsError(
            f"weights file {path} does not fit {name}{whose}: {_some('missing', missing)}, "
            f"{_some('not of this network', surplus)}, {_some('of another shape', shapes)}; "
            "choose the network that it was made for"
        )
    whole = [key for key, value in tensors.items() if own[key].is_floating_point() > value.is_floating_point()]
    if whole:
        raise WeightsError(
            f"weights file {path} holds whole numbers, {_some('not floating point', whole)}; quantised weights cannot "
            "be used, so give those from before"
        )
    spoilt = [key for key, value in tensors.items() if not value.to(own[key].dtype).isfinite().all()]
    if spoilt:
        raise WeightsError(f"weights file {path} is damaged: {_some('not finite', spoilt)}; get it again")


def _some(what: str, keys: list[str]) -> str:
    shown = ", ".join(keys[:3]) + (", …" if len(keys) > 3 else "")
    return f"{len(keys)} tensors {what}" + (f" ({shown})" if keys else "")
