"""The tables of the README that are made from the results and the model cards, each between `<!-- table: name -->` and
`<!-- end -->`."""

import re
from collections.abc import Callable

from bench.page.document import Table, markdown_table
from bench.page.papers import called
from bench.page.results import NONE, Results, Row, figure, share, value
from bench.page.rivals import OURS, by_network, rival
from vdeblur_fast.weights import available, card

BLOCK = re.compile(r"(<!-- table: ([\w-]+) -->\n).*?(\n<!-- end -->)", re.DOTALL)
DTYPES = {"fp32": "float32", "bf16": "bfloat16"}
QUALITY = {"psnr": ".2f", "ssim": ".3f"}
COUNTED = ("mmp-rnn", "estrnn-c70b7", "estrnn-c90b10", "mmp-net", "srn", "dbn", "ifirnn", "cdvd-tsp", "pwc-net")

SYSTEMS = {
    "gsta-net": "attention on summaries of frames chosen out of ±12",
    "gsta-net-small": "the same, narrower",
    "gsta-net3": "all of ±2, no choice; `gsta-net1` to `5` are Table 3",
    "david": "three blur levels of four branches each, mixed twice by attention",
    "david-small": "half as wide",
    "david-small-single7": "one of its branches by itself, which reads seven frames",
    "strcnn-dtb": "recurrent, with dynamic temporal blending",
    "strcnn": "without blending",
    "cnn": "without recurrence",
}


def gmacs(results: Results) -> str:
    """Ours, the papers' and their comparators'; not the published code's variants, nor what no paper counts."""
    head = ["network", "parameters", "GMACs, paper's rule", "printed in the paper", "deviation", "true GMACs"]
    rows = [r for r in results.counts() if r["network"].startswith(COUNTED) and "-released" not in r["network"]]
    rows = [row for row in rows if row["paper_gmacs"] or row["network"].endswith("-tiny")]
    return written(head, [_counted(row) for row in rows])


def _counted(row: Row) -> list[str]:
    return [
        called(row["network"]),
        f"{int(row['params']):,}",
        figure(value(row, "paper_rule_gmacs"), ".3f"),
        figure(value(row, "paper_gmacs"), ".2f"),
        figure(value(row, "deviation_percent"), "+.3f", " %"),
        figure(value(row, "true_gmacs"), ".2f"),
    ]


def gsta(results: Results) -> str:
    """How much faster the module is over all its rows of each dtype, and those of 16 maps."""
    head = ["GSTA, 5 frames, 16 maps", "eager", "compiled", "ours", "times faster", "of the limit"]
    measured = [row for row in results.rows("gsta") if value(row, "times_faster")]
    found = []
    for row in measured:
        shape = re.fullmatch(r"GSTA t5-c(\d+)-(\d+x\d+)-m16-(\w+)", row["name"])
        if shape:
            times = [figure(value(row, f"{how}_ms"), ".1f", " ms") for how in ("eager", "compiled", "ours")]
            rest = [figure(value(row, "times_faster"), ".2f"), share(value(row, "of_limit"))]
            found.append([f"{shape[1]} channels, {shape[2]}, {DTYPES[shape[3]]}", *times, *rest])
    if not found:
        return ""
    says = (
        f"On two CPU threads ({where(measured)}) it beats eager and compiled PyTorch (the better):\n"
        f'{gains(measured)}, with 8 maps or 16; "limit" is\n'
        "the arithmetic at the speed of a matrix product, or the bytes at that of a copy, in the same run "
        "(`pytest bench/test_gsta.py --benchmark`).\n\n"
    )
    return says + written(head, found)


def rivals(results: Results) -> str:
    """A frame of each network in every runtime, and ours against the best of them."""
    networks = by_network(results.rows("rivals"))
    contenders = list(next(iter(networks.values()), {}))
    rows = []
    for name, found in networks.items():
        best, ours = rival(found), found.get(OURS)
        gain = value(best, "median_ms") / value(ours, "median_ms") if best and ours and ours["median_ms"] else None
        times = [figure(value(found.get(contender, {}), "median_ms"), ".3g", " ms") for contender in contenders]
        rows.append([name, *times, figure(gain, ".2f"), ours["device"] if ours else NONE])
    head = ["a frame, float32", *contenders, "ours, times faster than the best", "on"]
    threads = next((row["threads"] for row in results.rows("rivals")), "")
    says = f"Whole networks beside what else would run them, {threads} threads (`python -m bench.rivals`):\n\n"
    return says + written(head, rows) if rows else ""


def dense(results: Results) -> str:
    """How much faster a residual dense block is, of all rows of each dtype."""
    rows = [row for row in results.rows("residual-dense-block") if value(row, "times_faster")]
    if not rows:
        return ""
    return (
        f"A residual dense block against the better of eager and compiled PyTorch: {gains(rows)},\n"
        f"on {where(rows)} (`pytest bench/test_residual_dense_block.py --benchmark`)."
    )


def convolutions(results: Results) -> str:
    """How much faster convolutions are, of all rows."""
    rows = [row for row in results.rows("convolution") if value(row, "times_faster")]
    if not rows:
        return ""
    says = (
        "On a CPU, 3x3 and 5x5 convolutions are computed by Winograd's method, with the ReLU and the sum after them:\n"
        f"{gains(rows)} as fast as the better of eager\nand compiled PyTorch, on {where(rows)} "
        "(`pytest bench/test_convolution.py --benchmark`)."
    )
    joining = [row for row in results.rows("joining-convolution") if value(row, "times_faster")]
    if joining:
        says += (
            "\nThose of 1x1 that read several feature maps concatenate nothing: "
            f"{gains(joining)}\n(`pytest bench/test_joining_convolution.py --benchmark`)."
        )
    return says


def where(rows: list[Row]) -> str:
    """The machine, and the commits that were measured: what came later may be faster, or slower."""
    return f"{rows[0]['device']}, commit {' and '.join(dict.fromkeys(row['commit'] for row in rows))}"


def gains(rows: list[Row]) -> str:
    """From how many to how many times faster rows are, by dtype, which stands in their names."""
    ranges = []
    for dtype, called_ in DTYPES.items():
        found = [value(row, "times_faster") for row in rows if f"-{dtype}" in row["name"]]
        if found:
            ranges.append(f"{min(found):.1f} to {max(found):.1f} times in {called_}")
    return ", ".join(ranges)


def weights(results: Results) -> str:
    """What the weights that ship gain, as their cards have it."""
    counts = {row["network"]: row for row in results.counts()}
    rows = []
    for name in available():
        found = card(name)["validation"]
        size = figure(value(counts.get(name, {}), "true_gmacs"), ".1f")
        psnr, ssim = (
            " to ".join(format(found[f"{of}_{when}"], form) for when in ("before", "after"))
            for of, form in QUALITY.items()
        )
        clips, worse = str(found["clips"]), str(found["worse_clips"])
        rows.append([called(name), size, f"{found['gain']:+.2f} dB", psnr, ssim, clips, worse])
    return written(["weights", "GMACs at 720p", "gain", "PSNR", "SSIM", "unseen clips", "made worse"], rows)


def systems(results: Results) -> str:
    """The networks whose papers print no counts."""
    counts = {row["network"]: row for row in results.counts()}
    rows = [
        [called(name), f"{int(counts[name]['params']):,}", figure(value(counts[name], "true_gmacs"), ".1f"), what]
        for name, what in SYSTEMS.items()
        if name in counts
    ]
    return written(["network", "parameters", "true GMACs", "what it is"], rows)


def written(head: list[str], rows: list[list[str]]) -> str:
    return markdown_table(Table(head, rows)) if rows else ""


TABLES: dict[str, Callable[[Results], str]] = {
    table.__name__: table for table in (convolutions, dense, gmacs, gsta, rivals, systems, weights)
}


def rewrite(text: str, results: Results) -> str:
    """The README with its marked tables as the results have them; a table without results stays as it is.

    Raises ValueError for a mark that names no table.
    """

    def block(match: re.Match) -> str:
        if match[2] not in TABLES:
            raise ValueError(f"README: there is no table {match[2]!r}; tables are {', '.join(TABLES)}")
        table = TABLES[match[2]](results)
        return match[1] + table + match[3] if table else match[0]

    return BLOCK.sub(block, text)
