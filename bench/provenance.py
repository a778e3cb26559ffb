"""Where a figure comes from, its machine, versions, commit and command, and the CSV files that say so in every row."""

import csv
import os
import platform
import subprocess
import sys
from collections.abc import Collection
from importlib import metadata
from pathlib import Path
from typing import Any

from vdeblur_fast.errors import UserError

# The columns that say where a row comes from, and `threads`, which measurements add
ORIGIN = ("threads", "commit", "device", "torch", "triton", "python", "command")


def provenance(device: str) -> dict[str, str]:
    """Commit, machine, versions and command of a measurement: the last columns of its row."""
    import torch

    return {
        "commit": commit(),
        "device": hardware(device),
        "torch": torch.__version__,
        "triton": version("triton"),
        "python": platform.python_version(),
        "command": command(),
    }


def commit() -> str:
    """The commit that is measured, "-dirty" where a tracked file is not as in it: but for the results, which a
    measurement of many parts writes while it goes on."""
    try:
        name = _git("describe", "--always", "--abbrev=12")
        changed = _git("status", "--porcelain", "--untracked-files=no", "--", ":/", ":(exclude,top)bench/results")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return f"{name}-dirty" if changed else name


def _git(*words: str) -> str:
    folder = Path(__file__).parent
    return subprocess.run(["git", *words], cwd=folder, capture_output=True, text=True, check=True).stdout.strip()


def version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "none"


def hardware(device: str) -> str:
    """The GPU's name, or the CPU's and what of its instructions PyTorch uses."""
    import torch

    if device == "cuda":
        return torch.cuda.get_device_name()
    model = platform.processor()
    info = Path("/proc/cpuinfo")
    if info.is_file():
        names = [line for line in info.read_text().splitlines() if line.startswith("model name")]
        model = names[0].partition(":")[2].strip() if names else model
    return f"{model} ({torch.backends.cpu.get_cpu_capability()})"


def command(words: list[str] | None = None) -> str:
    """What was typed, without the folders of this machine."""
    arguments = (sys.orig_argv if words is None else words)[1:]
    names = list(map(_without_folders, arguments))
    script = bool(arguments) and Path(arguments[0]).is_absolute()  # `pytest` and its like, which python runs
    return " ".join(names if script else ["python", *names])


def _without_folders(word: str) -> str:
    option, equals, value = word.partition("=") if word.startswith("-") else ("", "", word)
    return option + equals + (Path(value).name if Path(value).is_absolute() else value)


def kind(device: str) -> str:
    """How files name a device: "cpu" or "gpu"."""
    return "gpu" if device == "cuda" else "cpu"


def write_csv(path: Path, rows: list[dict[str, Any]]) -> None:
    """Writes rows, whose columns may differ; the file is the old one until the new one is whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path = path.resolve()  # a link stays one
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with part.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, columns(rows), lineterminator="\n")
            writer.writeheader()
            for row in rows:
                writer.writerow({name: f"{v:.9g}" if isinstance(v, float) else v for name, v in row.items()})
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def columns(rows: list[dict[str, Any]]) -> list[str]:
    """Of all rows; those that only some have stand where the longest has them."""
    return list(dict.fromkeys(name for row in sorted(rows, key=len, reverse=True) for name in row))


def read_csv(path: Path, needs: Collection[str] = ()) -> list[dict[str, str]]:
    """The rows of a file; none if it is not there. Raises UserError where it lacks columns that it needs to have."""
    if not path.is_file():
        return []
    try:
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            rows, names = list(reader), set(reader.fieldnames or needs)
    except (UnicodeDecodeError, csv.Error):
        rows, names = [], set()
    if not names >= set(needs) or any(None in row for row in rows):
        raise UserError(f"{path} is not a file of these measurements; move it away, or choose another folder")
    return rows
