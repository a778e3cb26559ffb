"""The plots of the page, as SVG that is the same for the same figures."""

import io
from collections.abc import Callable
from typing import Any

from bench.page.document import Block, Figure
from bench.page.growth import law, series
from bench.page.papers import LABELS, pairs
from bench.page.results import Results, Row, origin, value

LIGHT, DARK = "#b8c4d6", "#2f5d9b"


def svg(draw: Callable[[Any, Any], None], width: float = 7.5, height: float = 4.2, columns: int = 1) -> str:
    """What `draw(figure, axes)` draws; `axes` are several where there are columns."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    style = {"svg.hashsalt": "vdeblur", "svg.fonttype": "none", "axes.spines.top": False, "axes.spines.right": False}
    with pyplot.rc_context(style):
        figure, axes = pyplot.subplots(1, columns, figsize=(width, height), layout="constrained")
        draw(figure, axes)
        file = io.StringIO()
        figure.savefig(file, format="svg", metadata={"Date": None})
        pyplot.close(figure)
    return file.getvalue()


def network_times(results: Results) -> list[Block]:
    """Eager and ours as bars, network by network."""
    rows = results.rows("comparators") + results.rows("mmp-rnn")
    if not rows:
        return []
    networks = pairs(rows, lambda row: row["network"])

    def draw(_, axes) -> None:
        for how, shift, colour in (("eager", -0.2, LIGHT), ("ours", 0.2, DARK)):
            found = [networks[name][how] for name in networks]
            medians = [value(row, "median_ms") for row in found]
            around = [
                [m - value(row, "low_ms") for m, row in zip(medians, found, strict=True)],
                [value(row, "high_ms") - m for m, row in zip(medians, found, strict=True)],
            ]
            places = [i + shift for i in range(len(found))]
            axes.barh(places, medians, 0.38, xerr=around, color=colour, label=how, error_kw={"elinewidth": 0.8})
        axes.set_yticks(range(len(networks)), [LABELS.get(name, name) for name in networks])
        axes.invert_yaxis()
        axes.set_xscale("log")
        axes.set_xlabel("ms a frame; lines: quartiles")
        axes.legend(frameon=False)

    text = f"Milliseconds for a frame of {rows[0]['width']}x{rows[0]['height']}, eager and ours."
    return [Figure(f"networks-{results.kind}", svg(draw, height=5.5), text, origin(rows))]


def attention_memory(results: Results) -> list[Block]:
    """Table 5 as curves; what was computed and not run is open."""
    rows = results.rows("gsta-memory")
    if not rows:
        return []
    patches = {row["patch"]: int(row["pixels"]) for row in rows}
    forms: dict[str, list[Row]] = {}
    for row in rows:
        forms.setdefault(row["form"], []).append(row)

    def draw(_, axes) -> None:
        for name, found in forms.items():
            places, values = [patches[row["patch"]] for row in found], [float(row["gb"]) for row in found]
            (line,) = axes.loglog(places, values, linewidth=1.2, label=name)
            for place, gb, row in zip(places, values, found, strict=True):
                fill = "full" if row["measured"] == "True" else "none"
                axes.plot(place, gb, "o", color=line.get_color(), fillstyle=fill)
        axes.set_xticks(list(patches.values()), list(patches))
        axes.minorticks_off()
        axes.set_xlabel("patch")
        axes.set_ylabel("GB beyond the input")
        axes.legend(frameon=False)

    text = "Peak memory of one attention module over five frames; open circles are computed, not run."
    return [Figure(f"gsta-memory-{results.kind}", svg(draw), text, origin(rows))]


def growth_curves(results: Results) -> list[Block]:
    """Points and their laws, an axis after the other."""
    rows = results.rows("scaling")
    if not rows:
        return []
    found = series(rows)
    axes_names = list(dict.fromkeys(axis for axis, _ in found))

    def draw(_, axes) -> None:
        for name, place in zip(axes_names, axes if len(axes_names) > 1 else [axes], strict=True):
            for (axis, of), points in found.items():
                if axis != name:
                    continue
                xs = [value(row, "x") for row in points]
                fitted = law(points, "median_ms")
                says = of if fitted is None else f"{of}: {fitted.exponent:.2f}"
                (dots,) = place.loglog(xs, [value(row, "median_ms") for row in points], "o", markersize=4, label=says)
                if fitted:
                    place.loglog(xs, [fitted.at(x) for x in xs], color=dots.get_color(), linewidth=1)
            if name != "pixels":
                ticks = sorted({int(row["x"]) for (axis, _), points in found.items() for row in points if axis == name})
                place.set_xticks(ticks, ticks)
                place.minorticks_off()
            place.set_xlabel(name)
            place.legend(frameon=False, fontsize=7)
        (axes if len(axes_names) == 1 else axes[0]).set_ylabel("ms")

    drawn = svg(draw, width=3.4 * len(axes_names), height=4, columns=len(axes_names))
    return [
        Figure(f"growth-{results.kind}", drawn, "Measured points and their power laws, with exponents.", origin(rows))
    ]
