"""The table that `pytest --benchmark` prints: eager, compiled and ours, side by side."""

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
