"""What a user could pick instead: one frame in other runtimes, and whole commands."""

from bench.page.document import Block, Heading, Table, Text
from bench.page.results import NONE, Results, Row, figure, origin, share, time, value

OURS = "ours"


def by_network(rows: list[Row]) -> dict[str, dict[str, Row]]:
    """network and size -> contender -> its row."""
    found: dict[str, dict[str, Row]] = {}
    for row in rows:
        name = f"`{row['network']}` {row['width']}x{row['height']}"
        found.setdefault(name, {})[row["contender"]] = row
    return found


def rival(contenders: dict[str, Row]) -> Row | None:
    """The fastest that is not ours."""
    others = [row for name, row in contenders.items() if name != OURS and value(row, "median_ms")]
    return min(others, key=lambda row: value(row, "median_ms"), default=None)


def networks(results: Results) -> list[Block]:
    rows = results.rows("rivals")
    if not rows:
        return []
    cells, verdicts = [], []
    for name, contenders in by_network(rows).items():
        for contender, row in contenders.items():
            measured = [figure(value(row, "times_ours"), ".2f"), share(value(row, "of_limit"))]
            error = figure(value(row, "error"), ".1e")
            cells.append([name, contender, time(row), *measured, error, row["note"] or NONE])
        best = rival(contenders)
        ours = contenders.get(OURS, {})
        if best and value(ours, "median_ms"):
            gain = value(best, "median_ms") / value(ours, "median_ms")
            says = f"{gain:.2f} times as fast as" if gain >= 1 else f"slower, by {1 / gain:.2f} times, than"
            why = f" ({ours['note']})" if gain < 1 and ours["note"] else ""
            verdicts.append(f"{name}: ours is {says} the best of the others, {best['contender']}{why}.")
    head = ["a frame of", "in", "ms", "times ours", "of the limit", "error", "remark"]
    return [
        Heading("Against what a user would pick instead"),
        Text(
            "One step of the stream with its state, same weights, same frames, same threads, all taking turns in one "
            "process. Error: the largest of any output as a share of its largest value, against float64."
        ),
        Table(head, cells, origin(rows)),
        *map(Text, verdicts),
    ]


WAYS = {"run": "`vdeblur run`", "run-plain": "`vdeblur run --no-accelerate`", "loop": "a plain loop"}
PARTS = ("decode", "network", "encode")


def whole_command(results: Results) -> list[Block]:
    """Decode, network, encode, from a file to a file."""
    rows = results.rows("command")
    if not rows:
        return []
    cells = []
    for row in rows:
        clip = f"`{row['network']}`, {row['frames']} frames of {row['width']}x{row['height']}"
        whole = [figure(value(row, name)) for name in ("seconds", "frames_per_second", "peak_mib")]
        parts = [figure(value(row, f"{part}_ms")) for part in PARTS]
        precision = row.get("precision") or "chosen"
        cells.append([WAYS.get(row["way"], row["way"]), clip, precision, *whole, *parts])
    measured = ["seconds", "frames/s", "peak MiB", *(f"{part}, ms a frame" for part in PARTS)]
    return [
        Heading("The whole command"),
        Text(
            "From a file to a file, each a process of its own from its start to its end, with the most physical memory "
            "that it held. The plain loop is what somebody would write with PyTorch and PyAV (`bench/plain_loop.py`). "
            "The parts are measured each alone; the command does them side by side. Where the precision is called "
            "chosen, ours took bfloat16 if the CPU multiplies it, and the loop float32."
        ),
        Table(["command", "clip", "precision", *measured], cells, origin(rows)),
    ]
