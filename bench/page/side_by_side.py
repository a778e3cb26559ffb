"""Operators, modules and networks beside eager and compiled PyTorch, as `pytest --benchmark` measured them."""

from bench.page.document import Block, Heading, Table, Text
from bench.page.results import Results, Row, figure, origin, share, value

HEAD = (
    "what|eager, ms|compiled, ms|ours, ms|times faster|of the limit|eager, peak MiB|compiled, peak MiB|ours, peak MiB"
)

# Why ours is slower, where it is and that is known, by the beginning of a row's name.
REASONS = {
    "temporal_squeeze ": "it takes tens of microseconds, nearly all of them to call it",
    "pixel_distribute t5-c128-640x360-m8-fp32": "more than a third of it is the system clearing the fresh pages of a "
    "result of 113 MiB; in a process of its own it took two thirds of eager's time",
    "convolution 5 times 70 to 350 1x1 160x90-fp32": "both are near the speed of a matrix product, beside which the "
    "concatenation takes a tenth",
}


def slower(row: Row) -> str | None:
    """A sentence for a row that is slower than the better of eager and compiled."""
    gain = value(row, "times_faster")
    if gain is None or gain >= 1:
        return None
    times = f"{gain:.2f}" if gain < 0.995 else f"{gain:.3f}"
    reason = next((why for name, why in REASONS.items() if row["name"].startswith(name)), "why is not known")
    return f"`{row['name']}`: ours is slower, {times} times as fast; {reason}."


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
            "the inputs. Whole networks keep freed memory for the next frame, all of them, as `vdeblur run` does; how "
            "much they differ from run to run stands in bench/results/NETWORKS.md."
        ),
    ]
    for name, rows in files.items():
        blocks += [Heading(f"`{name}.csv`", 3), Table(HEAD.split("|"), [cells(row) for row in rows], origin(rows))]
        blocks += [Text(sentence) for sentence in map(slower, rows) if sentence]
    return blocks
