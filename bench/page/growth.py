"""How cost grows: fitted exponents, and where memory would run out."""

from bench.fits import Law, fit
from bench.page.document import Block, Heading, Table, Text
from bench.page.results import NONE, Results, Row, figure, origin, time, value

UNITS = {"pixels": "pixels", "frames": "frames", "channels": "channels", "batch": "clips", "threads": "threads"}


def series(rows: list[Row]) -> dict[tuple[str, str], list[Row]]:
    """The points of each series, by its axis and name."""
    found: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        found.setdefault((row["axis"], row["series"]), []).append(row)
    return found


def law(points: list[Row], column: str) -> Law | None:
    """None where one point says nothing about growth."""
    if len({row["x"] for row in points}) < 2:
        return None
    return fit([value(row, "x") for row in points], [value(row, column) for row in points])


def runs_out(points: list[Row]) -> str:
    """Where memory, as the last two points see it grow, meets the machine's; of pixels, as a frame of 16:9."""
    memory = law(points[-2:], "peak_mib")
    if memory is None:
        return NONE
    if memory.exponent < 0.1:
        return "does not grow"
    most = memory.reaches(1024 * value(points[0], "machine_gib"))
    if points[0]["axis"] != "pixels":
        return f"{figure(most)} {UNITS[points[0]['axis']]}"
    height = (most * 9 / 16) ** 0.5
    return f"{most / 1e6:.3g} MP, {height * 16 / 9:.0f}x{height:.0f}"


def growth(results: Results) -> list[Block]:
    rows = results.rows("scaling")
    if not rows:
        return []
    cells = []
    for (axis, name), points in series(rows).items():
        slow, large = law(points, "median_ms"), law(points, "peak_mib")
        first, last = (f"{point['point']}: {time(point)}" for point in (points[0], points[-1]))
        laws = [figure(slow and slow.exponent, ".2f"), figure(slow and 100 * slow.error, ".0f", " %")]
        laws += [figure(large and large.exponent, ".2f"), NONE if axis == "threads" else runs_out(points)]
        cells.append([axis, name, str(len(points)), first, last if len(points) > 1 else NONE, *laws])
    head = "what grows|of|points|first, ms|last, ms|exponent of time|farthest off|exponent of memory|memory runs out at"
    machine = figure(value(rows[0], "machine_gib"), ".1f")
    return [
        Heading("How cost grows"),
        Text(
            'Power laws through the measured points (least squares of the logarithms; "farthest off" is how far a '
            "point is from its law at most). With an exponent of 1 cost doubles when the axis does, with 2 it "
            "quadruples; with threads, -1 is perfect. Memory runs out where the law of the last two peaks reaches the "
            f"machine's {machine} GiB, all else left out: an extrapolation, not a measurement. A series ends where a "
            "call would take too long for this page."
        ),
        Table(head.split("|"), cells, origin([row for row in rows if row["axis"] != "threads"] or rows)),
    ]
