"""What the benchmarks found, as a table to read and as CSV with where it comes from."""

import csv
import platform
import subprocess
from pathlib import Path

import pytest

ROWS: pytest.StashKey[list[dict]] = pytest.StashKey()
# column: its width and how a figure is written
COLUMNS = {
    "name": (44, ""),
    "eager_ms": (10, ".2f"),
    "compiled_ms": (13, ".2f"),
    "ours_ms": (10, ".3f"),
    "times_faster": (14, ".2f"),
    "of_limit": (10, ".0%"),
    "limited_by": (12, ""),
    "eager_peak_mib": (16, ".2f"),
    "compiled_peak_mib": (19, ".2f"),
    "ours_peak_mib": (15, ".2f"),
}


def lines(rows: list[dict]) -> list[str]:
    """times_faster: than the better of eager and compiled. peak: memory beyond the inputs, the result included."""
    machine = rows[0]
    limits = (
        f"{machine['device']}, {machine['threads']} threads, torch {machine['torch']}; measured here: "
        f"copy {machine['copy_gb_s']:.1f} GB/s, matmul {machine['matmul_gflop_s']:.0f} GFLOP/s"
    )
    head = "".join(f"{name:{'<' if name == 'name' else '>'}{width}}" for name, (width, _) in COLUMNS.items())
    return [limits, head, *(_line(row) for row in rows)]


def _line(row: dict) -> str:
    cells = {name: format(row[name], form) for name, (_, form) in COLUMNS.items()}
    return "".join(f"{cells[n]:{'<' if n == 'name' else '>'}{width}}" for n, (width, _) in COLUMNS.items())


def write_csv(path: Path, rows: list[dict]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def provenance(device: str) -> dict[str, str]:
    """Commit, versions and machine of a measurement."""
    import torch

    return {"commit": commit(), "device": hardware(device), "torch": torch.__version__, "triton": version("triton")}


def commit() -> str:
    command = ["git", "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        return subprocess.run(
            command, cwd=Path(__file__).parent, capture_output=True, text=True, check=True
        ).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def version(package: str) -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(package)
    except PackageNotFoundError:
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
