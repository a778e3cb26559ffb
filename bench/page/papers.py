"""MMP-RNN's Tables 2, 3 and 4, OVD's run times and DAVID's ablation, measured beside printed."""

from collections.abc import Callable

from bench.gmacs import TABLES
from bench.page.document import Block, Heading, Table, Text
from bench.page.results import NONE, Results, Row, figure, origin, share, time, value

LABELS = {
    "srn": "SRN",
    "dbn": "DBN",
    "ifirnn-c2h3": "IFIRNN c2h3",
    "cdvd-tsp": "CDVD-TSP",
    "pwc-net": "PWC-Net, a pair of frames",
}
# The ablations of Table 4; its loss costs nothing when the network runs, so two of the paper's rows are one here.
ABLATIONS = {"-no-mmam-no-ndf": ", no MMAM, no NDF", "-no-mmam": ", no MMAM (with its loss or without)"}
ALONE = ["mmp-net", "pwc-net"]
# Seconds for a frame of 1280x720 in MMP-RNN's Table 2, on hardware that it does not name
SECONDS = {
    "srn": 0.173,
    "dbn": 0.128,
    "ifirnn-c2h3": 0.034,
    "estrnn-c70b7": 0.021,
    "estrnn-c90b10": 0.035,
    "cdvd-tsp": 0.729,
    "mmp-rnn-a3b4c16": 0.032,
    "mmp-rnn-a7b8c16": 0.045,
    "mmp-rnn-a9b10c18": 0.059,
}
YARDSTICK = "mmp-rnn-a9b10c18"
# Frames a second, and seconds for 100 frames, on a GTX 1080
OVD = {(640, 480): (24.0, None), (1280, 720): (8.0, 12.6)}
DAVID_PARTS = {
    "-single1": "single, 1 frame",
    "-single3": "single, 3 frames",
    "-single5": "single, 5 frames",
    "-single7": "single, 7 frames",
    "-internal": "internal attention",
    "-external": "external attention",
    "": "dual attention",
}
COUNT_HEAD = ["network", "parameters", "printed M", "off by", "GMACs, paper's rule", "printed", "off by", "true GMACs"]
COST_HEAD = ["frame", "true GMACs", "eager, ms", "ours, ms", "times faster", "eager, peak MiB", "ours, peak MiB"]
COST_HEAD += ["ours, of the limit"]


def called(network: str) -> str:
    return LABELS.get(network, f"`{network}`")


def label(network: str) -> str:
    """Its name, and for an ablation what is missing."""
    return called(network) + next((says for end, says in ABLATIONS.items() if network.endswith(end)), "")


def count_cells(row: Row) -> list[str]:
    return [
        label(row["network"]),
        f"{int(row['params']):,}",
        figure(value(row, "paper_params_millions"), ".2f"),
        figure(value(row, "params_deviation_percent"), "+.3f", " %"),
        figure(value(row, "paper_rule_gmacs"), ".3f"),
        figure(value(row, "paper_gmacs"), ".2f"),
        figure(value(row, "deviation_percent"), "+.3f", " %"),
        figure(value(row, "true_gmacs"), ".2f"),
        row["note"] or NONE,
    ]


def counts(results: Results) -> list[Block]:
    """MMP-RNN's three tables, to be counted on any machine."""
    rows = {row["network"]: row for row in results.counts()}
    if not rows:
        return []
    blocks: list[Block] = [
        Heading("What MMP-RNN's tables count"),
        Text(
            "One frame of 1280x720 in the middle of a video. The paper's rule is that of thop 0.0.31: a transposed "
            "convolution by its output, biases and batch norms included, what is no module for free. True: what has "
            "to be multiplied. Printed parameters are rounded to 0.01 M, which is up to 0.5 % of the smallest. One row "
            "does not match: A7B8C16. Its printed GMACs are, digit for digit, those of ESTRNN with C80 and B15, and no "
            "other widths give both of its figures, so most likely they are a slip in the paper."
        ),
    ]
    for name, networks in [*((f"Table {n}", names) for n, names in TABLES.items()), ("In its text", ALONE)]:
        cells = [count_cells(rows[network]) for network in networks if network in rows]
        blocks += [Heading(name, 3), Table([*COUNT_HEAD, "remark"], cells, origin(rows.values()))]
    return blocks


def pairs(rows: list[Row], key: Callable[[Row], object]) -> dict[object, dict[str, Row]]:
    """The rows of eager and ours, by what they are of."""
    found: dict[object, dict[str, Row]] = {}
    for row in rows:
        found.setdefault(key(row), {})[row["how"]] = row
    return found


def cost_cells(eager: Row, ours: Row) -> list[str]:
    """Frame, GMACs, times, memory: the figures that every table of costs has."""
    return [
        f"{ours['width']}x{ours['height']}",
        figure(value(ours, "true_gmacs"), ".2f"),
        time(eager),
        time(ours),
        figure(value(eager, "median_ms") / value(ours, "median_ms"), ".2f"),
        figure(value(eager, "peak_mib"), ".1f"),
        figure(value(ours, "peak_mib"), ".1f"),
        share(value(ours, "of_limit")),
    ]


COST_HEAD = [
    "frame",
    "true GMACs",
    "eager, ms",
    "ours, ms",
    "times faster",
    "eager, peak MiB",
    "ours, peak MiB",
    "ours, of the limit",
]


def products(row: Row) -> float:
    """A time in matrix products of the same moment: what a machine's moods leave alone."""
    return value(row, "median_ms") * value(row, "matmul_gflop_s")


def eager_layout(rows: list[Row]) -> str:
    """Against what ours is held: older rows have eager in one layout only."""
    if any(row.get("layout") for row in rows):
        return "Eager is in the faster of both memory layouts."
    return "Eager is in PyTorch's own memory layout, contiguous; in channels last, which ours has, most are faster."


def costs(results: Results) -> list[Block]:
    """Time and memory of the same rows."""
    rows = results.rows("comparators") + results.rows("mmp-rnn")
    if not rows:
        return []
    networks = pairs(rows, lambda row: row["network"])
    yardstick = networks.get(YARDSTICK)
    cells = []
    for name, found in networks.items():
        printed, here = SECONDS.get(name), None
        if yardstick:
            here = products(found["eager"]) / products(yardstick["eager"])
        relative = None if printed is None else printed / SECONDS[YARDSTICK]
        beside = [figure(printed, ".3f"), figure(relative, ".2f"), figure(here, ".2f")]
        cells.append([label(name), *cost_cells(found["eager"], found["ours"]), *beside])
    head = ["network", *COST_HEAD, "paper, s at 720p", "relative to A9B10C18, paper", "relative, eager here"]
    return [
        Heading("What a frame of these networks costs here"),
        Text(
            "Milliseconds: median and quartiles, eager and ours taking turns. Peak memory is what a call holds at most "
            "beyond weights and the stream's state, of PyTorch's allocator. The limit is the true GMACs at the speed "
            "of a matrix product in the same run; Winograd's convolutions may pass it. On a CPU the frame is smaller "
            "than the paper's. The paper does not name the hardware of its seconds, so ratios are compared, ours of "
            f"times in matrix products of the same moment. {eager_layout(rows)}"
        ),
        Table(head, cells, origin(rows)),
    ]


def ovd(results: Results) -> list[Block]:
    """VGA and 720p frames a second, and the seconds of 100 frames."""
    rows = [row for row in results.rows("strcnn") if row["network"] == "strcnn-dtb"]
    if not rows:
        return []
    cells = []
    for (width, height), found in pairs(rows, lambda row: (int(row["width"]), int(row["height"]))).items():
        rate, hundred = OVD.get((width, height), (None, None))
        for how, row in found.items():
            seconds = value(row, "median_ms") / 1e3
            measured = [time(row), figure(1 / seconds, ".2f"), figure(rate, ".0f"), figure(100 * seconds, ".1f")]
            rest = [figure(hundred, ".1f"), figure(value(row, "peak_mib"), ".1f"), share(value(row, "of_limit"))]
            cells.append([f"{width}x{height}, {how}", *measured, *rest])
    head = ["frame", "ms", "frames/s", "paper, frames/s", "100 frames, s", "paper, s", "peak MiB", "of the limit"]
    return [
        Heading("OVD's run times"),
        Text(
            "STRCNN+DTB, `strcnn-dtb`, each frame with its neighbours. The paper's figures are of a GTX 1080; the "
            "seconds of 100 frames are a hundred times the median here."
        ),
        Table(head, cells, origin(rows)),
    ]


def david(results: Results) -> list[Block]:
    """The ablation of Table 1 as cost."""
    rows = results.rows("david")
    if not rows:
        return []
    cells = []
    for name, found in pairs(rows, lambda row: row["network"]).items():
        family = "david-small" if name.startswith("david-small") else "david"
        part = DAVID_PARTS[name.removeprefix(family)]
        parameters = f"{int(found['ours']['params']):,}"
        cells.append([f"`{name}`", part, parameters, *cost_cells(found["eager"], found["ours"])])
    return [
        Heading("DAVID's ablation as cost"),
        Text("The paper prints what the parts gain; this is what they cost. Widths are ours: the paper prints none."),
        Table(["network", "part", "parameters", *COST_HEAD], cells, origin(rows)),
    ]
