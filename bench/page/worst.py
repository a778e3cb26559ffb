"""Where we are farthest from what the machine allows, and how far two runs lie apart."""

import statistics

from bench.page.document import Block, Heading, Table, Text
from bench.page.results import Results, Row, figure, origin, share, spreads, time, value

COSTS = ("comparators", "mmp-rnn", "gsta-net", "strcnn", "david")
WORST = 3


def fused(row: Row) -> bool:
    """Whether the row is of something that has a fused body: comparators have none."""
    return row["how"] == "ours" and row["network"].startswith(("mmp-", "estrnn", "gsta", "strcnn", "david"))


def farthest(rows: list[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: value(row, "of_limit"))[:WORST]


def worst(results: Results) -> list[Block]:
    """The three networks and the three operators with the worst ratios to the limit."""
    networks = [row for name in COSTS for row in results.rows(name) if row.get("of_limit") and fused(row)]
    operators = [row for rows in results.operators().values() for row in rows]
    networks, operators = (
        sorted(rows, key=lambda row: value(row, "of_limit"))[:WORST] for rows in (networks, operators)
    )
    if not networks and not operators:
        return []
    found = [(f"`{row['network']}` {row['width']}x{row['height']}", time(row), row) for row in networks]
    found += [(row["name"], figure(value(row, "ours_ms")), row) for row in operators]
    cells = [[name, took, figure(value(row, "limit_ms")), share(value(row, "of_limit"))] for name, took, row in found]
    return [
        Heading("What to make faster next"),
        Text(
            "The three networks and the three operators that are farthest from the limit: the operations at the speed "
            "of a matrix product, or the bytes at that of a copy, whichever takes longer, measured in the same run."
        ),
        Table(["ours", "ms", "limit, ms", "of the limit"], cells, origin(networks + operators)),
    ]


def relative_to_eager(runs: list[Row]) -> list[float]:
    """How far apart two runs lie in how much faster than eager ours is, each network by itself, least first."""
    by_name = {row["of"]: value(row, "ratio") for row in runs}
    pairs = [
        (ratio, by_name.get(name.replace(" ours", " eager"))) for name, ratio in by_name.items() if " ours" in name
    ]
    return sorted(abs(ours / eager - 1) for ours, eager in pairs if eager)


def spread(results: Results) -> list[Block]:
    """How far to trust a median."""
    rows = [row for name in (*COSTS, "scaling") for row in results.rows(name)]
    found = spreads(rows)
    if len(found) < 2:
        return []
    middle, most = statistics.median(found), statistics.quantiles(found, n=10)[-1]
    says = (
        f"Within a run the quartiles of a time lie {middle:.0%} of its median apart as a rule, and less than "
        f"{most:.0%} for nine in ten of the {len(found)} times on this page."
    )
    runs = results.rows("agreement")
    if runs:
        ratios = sorted(abs(value(row, "ratio") - 1) for row in runs)
        nine = ratios[int(0.9 * (len(ratios) - 1))]
        says += (
            f" Between two runs on the same machine, {len(ratios)} medians differed by "
            f"{statistics.median(ratios):.0%} as a rule, by less than {nine:.0%} for nine in ten of them, and by "
            f"{ratios[-1]:.0%} at most, most of it the machine's own speed of the moment"
        )
        if relative := relative_to_eager(runs):
            says += (
                f": how many times faster than eager ours is, measured side by side, differed by "
                f"{statistics.median(relative):.0%} as a rule and by {relative[-1]:.0%} at most"
            )
        says += ". Take a difference smaller than that for none."
    return [Heading("How far two runs agree"), Text(says)]
