"""GSTA: its memory (Table 5), a cost that does not grow with frames, frames against cost (Table 4), its agent."""

from bench.page.document import Block, Heading, Table, Text
from bench.page.growth import law
from bench.page.results import NONE, Results, Row, figure, origin, share, time, value

# Table 5, GB of a process on a TitanX: GSTA, the non-local block [33]
PRINTED = {"16": (0.82, "0.89"), "32": (0.88, "1.2"), "64": (0.94, "4.1")}
PRINTED |= {"128": (1.3, "out of memory"), "256": (1.9, "out of memory")}
COMPARED = "128"  # where the paper tells the saving
# Table 4: PSNR on GOPRO by the most frames that the selection may pick
PSNR = {3: 31.87, 5: 32.10, 7: 32.19}
AGENT = 0.2  # M parameters of the frame selection, in its text


def memory(results: Results) -> list[Block]:
    rows = results.rows("gsta-memory")
    if not rows:
        return []
    found: dict[str, dict[str, Row]] = {}
    for row in rows:
        found.setdefault(row["patch"], {})[row["form"]] = row
    forms = list(dict.fromkeys(row["form"] for row in rows))
    cells = [
        [patch, *(_gigabytes(by_form[form]) for form in forms), figure(ours), theirs]
        for patch, by_form in found.items()
        for ours, theirs in [PRINTED.get(patch, (None, NONE))]
    ]
    return [
        Heading("GSTA's memory (Table 5)"),
        Text(
            "Peak memory in GB of one attention module over five frames of 64 channels, beyond its input; in "
            "parentheses: computed, not run. The paper's figures are of whole processes, and so have a floor of 0.8 GB."
        ),
        Table(["patch", *forms, "paper, GSTA", "paper, non-local"], cells, origin(rows)),
        *_saved(found.get(COMPARED, {})),
    ]


def _saved(row: dict[str, Row]) -> list[Text]:
    """How much less than the non-local block GSTA needs."""
    block, *gsta = (row.get(form) for form in ("non-local, eager", "GSTA fused", "GSTA reference"))
    if block is None or None in gsta:
        return []
    fused, plain = (f"{1 - float(of['gb']) / float(block['gb']):.2%}" for of in gsta)
    computed = "" if block["measured"] == "True" else " (computed)"
    return [
        Text(
            f"At 5x{COMPARED}x{COMPARED} GSTA needs {fused} less than the non-local block{computed} when fused and "
            f'{plain} less in plain PyTorch; the paper says "almost 90 %", of whole processes.'
        )
    ]


def _gigabytes(row: Row) -> str:
    gb = float(row["gb"])
    return f"{gb:.4f}" if row["measured"] == "True" else f"({gb:.4g})"


def window(results: Results) -> list[Block]:
    """The cost of a frame by the number of frames that it looks at."""
    rows = [row for row in results.rows("scaling") if row["axis"] == "frames"]
    if not rows:
        return []
    series: dict[str, dict[str, Row]] = {}
    for row in rows:
        series.setdefault(row["series"], {})[row["point"]] = row
    points = list(dict.fromkeys(row["point"] for row in rows))
    cells = []
    for name, found in series.items():
        grows = law(list(found.values()), "median_ms")
        cells.append([name, *(time(found.get(point)) for point in points), figure(grows and grows.exponent, ".2f")])
    head = ["ms by frames in the window", *points, "exponent"]
    return [
        Heading("GSTA's cost by the frames in its window"),
        Text(
            "Streamed, each frame is squeezed once, and the cost of an output does not depend on the number of frames; "
            "that is our claim, not the paper's. A module that is given the clip anew squeezes all of it for every "
            "output. The non-local block (on patches of 32x32) computes with the square of the frames, and takes "
            "longer still once its matrix has outgrown the caches. GSTA: 64 channels, 320x180."
        ),
        Table(head, cells, origin(rows)),
    ]


def frames(results: Results) -> list[Block]:
    """Table 4's trade."""
    rows = results.rows("gsta-net")
    if not rows:
        return []
    encoding = {row["how"]: value(row, "median_ms") for row in rows if row["part"] == "encoding"}
    cells = []
    for row in rows:
        if row["part"] != "frame" or not row["frames"]:
            continue
        n, median = int(row["frames"]), value(row, "median_ms")
        anew = median + n * encoding[row["how"]] if row["how"] in encoding else None
        measured = [time(row), figure(anew), figure(value(row, "peak_mib"), ".1f"), share(value(row, "of_limit"))]
        gmacs = figure(value(row, "true_gmacs"), ".3f")
        cells.append([f"{n} frames, {row['how']}", figure(PSNR.get(n), ".2f"), gmacs, *measured])
    head = ["frame selection", "paper, dB", "true GMACs", "ms", "ms, neighbours anew", "peak MiB", "of the limit"]
    size = f"{rows[0]['width']}x{rows[0]['height']}"
    return [
        Heading("Frames against cost (Table 4)"),
        Text(
            f"`gsta-net` on {size}, allowed 3, 5 or 7 neighbours and using all of them. Each frame is encoded once, so "
            "more neighbours cost next to nothing; a program that encodes them anew for each output, as one written "
            "for clips does, would take what stands in the column after."
        ),
        Table(head, cells, origin(rows)),
    ]


def agent(results: Results) -> list[Block]:
    params = {row["network"]: int(row["params"]) for row in results.counts()}
    if not {"gsta-net", "gsta-net3"} <= set(params):
        return []
    found = params["gsta-net"] - params["gsta-net3"]
    return [
        Text(
            f"The frame selection network has {found:,} parameters ({found / 1e6:.2f} M; the paper: {AGENT} M): "
            "`gsta-net` less `gsta-net3`, which differ by it alone."
        )
    ]
