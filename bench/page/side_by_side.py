"""Operators, modules and networks beside eager and compiled PyTorch, as `pytest --benchmark` measured them."""

from bench.page.document import Block, Heading, Table, Text
from bench.page.results import Results, Row, figure, origin, share, value

HEAD = (
    "what|eager, ms|compiled, ms|ours, ms|times faster|of the limit|eager, peak MiB|compiled, peak MiB|ours, peak MiB"
)


def cells(row: Row) -> list[str]:
    times = [figure(value(row, f"{how}_ms")) for how in ("eager", "compiled", "ours")]
    peaks = [figure(value(row, f"{how}_peak_mib"), ".1f") for how in ("eager", "compiled", "ours")]
    return [row["name"], *times, figure(value(row, "times_faster"), ".2f"), share(value(row, "of_limit")), *peaks]


def side_by_side(results: Results) -> list[Block]:
    files = results.operators()
    if not files:
        return []
    blocks: list[Block] = [
        Heading("Beside PyTorch, operator by operator"),
        Text(
            "Checked against the reference in float64 before it is timed; medians of all three taking turns; times "
            "faster than the better of eager and compiled (with frozen weights). The limit is what must be computed at "
            "the speed of a matrix product or moved at that of a copy, whichever takes longer. Peak memory is beyond "
            "the inputs."
        ),
    ]
    for name, rows in files.items():
        blocks += [Heading(f"`{name}.csv`", 3), Table(HEAD.split("|"), [cells(row) for row in rows], origin(rows))]
    return blocks
