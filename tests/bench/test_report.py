"""The page, from small CSV files that are made up here; and the README's tables, from the ones that are committed."""

import re
from pathlib import Path

import pytest

from bench import agreement, costs, report
from bench.page import growth, papers, readme, rivals, side_by_side, worst
from bench.page.document import Figure, Heading, Table, Text, html_page, markdown, markdown_table
from bench.page.results import Results, figure, origin, time
from bench.provenance import write_csv

ORIGIN = {"threads": 2, "commit": "abc123", "device": "A Machine", "torch": "2.99", "triton": "none", "python": "3.14"}
ROOT = Path(__file__).parents[2]


def cost(network: str, how: str, ms: float, size=(320, 192), of_limit=0.5, **more) -> dict:
    counted = {"params": 1_974_016, "paper_rule_gmacs": 9.1, "true_gmacs": 8.6}
    timed = {"median_ms": ms, "low_ms": 0.9 * ms, "high_ms": 1.1 * ms, "rounds": 5, "peak_mib": ms / 2}
    where = {"network": network, "frames": "", "part": "frame", "how": how, "width": size[0], "height": size[1]}
    limit = {"limit_ms": of_limit * ms, "of_limit": of_limit, "matmul_gflop_s": 100.0}
    return where | counted | timed | limit | more | ORIGIN | {"command": "python -m bench.costs x"}


def point(axis: str, series: str, x: float, ms: float, mib: float) -> dict:
    timed = {"median_ms": ms, "low_ms": ms, "high_ms": ms, "rounds": 3, "peak_mib": mib, "machine_gib": 16.0}
    return {"axis": axis, "series": series, "x": x, "point": str(x)} | timed | ORIGIN | {"command": "python -m s"}


def both(network: str, eager: float, ours: float, **more) -> list[dict]:
    return [cost(network, "eager", eager, **more), cost(network, "ours", ours, **more)]


@pytest.fixture
def folder(tmp_path):
    slow = both("srn", 600, 400, of_limit=0.1, matmul_gflop_s=50.0)  # the machine was half as fast then
    write_csv(tmp_path / "comparators-cpu.csv", slow)
    write_csv(
        tmp_path / "mmp-rnn-cpu.csv", both("mmp-rnn-a9b10c18", 100, 40) + both("mmp-rnn-tiny", 20, 8, of_limit=0.3)
    )
    write_csv(tmp_path / "strcnn-cpu.csv", both("strcnn-dtb", 500, 250, size=(1280, 720)))
    write_csv(tmp_path / "david-cpu.csv", both("david-small-internal", 60, 50) + both("david", 600, 480))
    gsta = [row | {"frames": n} for n in (3, 5) for row in both("gsta-net", 80, 40 + n)]
    gsta += [row | {"part": "encoding", "of_limit": "", "limit_ms": ""} for row in both("gsta-net", 30, 15)]
    write_csv(tmp_path / "gsta-net-cpu.csv", gsta)
    grown = [point("pixels", "a net, ours", 2**n, 3 * 2**n, 2.0**n) for n in (16, 18, 20)]
    grown += [point("frames", "GSTA streamed, ours", n, 7, 5) for n in (1, 5, 25)]
    write_csv(tmp_path / "scaling-cpu.csv", grown)
    patch = (
        {"patch": "16", "pixels": 256, "form": "GSTA fused", "gb": 0.0002, "measured": True}
        | ORIGIN
        | {"command": "python -m g"}
    )
    write_csv(
        tmp_path / "gsta-memory-cpu.csv",
        [patch, patch | {"patch": "128", "pixels": 16384, "gb": 53.7, "measured": False}],
    )
    return tmp_path


def tables(blocks) -> list[Table]:
    return [block for block in blocks if isinstance(block, Table)]


def test_the_page_has_every_section_and_says_where_each_figure_is_from(folder, capsys):
    report.main(["--read", "--out", str(folder)])
    page = (folder / "report.md").read_text()
    for heading in (
        "OVD's run times",
        "DAVID's ablation",
        "(Table 5)",
        "(Table 4)",
        "How cost grows",
        "How far two runs",
    ):
        assert heading in page
    assert "What to make faster next" in page
    blocks = report.page(folder, [])
    assert len(tables(blocks)) >= 8
    for block in blocks:
        if isinstance(block, Table | Figure):
            for part in ("A Machine", "threads: 2", "torch 2.99", "commit abc123", "`python -m "):
                assert part in block.origin
    for block in blocks:
        if isinstance(block, Figure):
            assert f"plots/{block.name}.svg" in page
            assert (folder / "plots" / f"{block.name}.svg").read_text().startswith("<?xml")
    html = (folder / "report.html").read_text()
    assert html.count("<svg") == html.count("</svg>") == 3
    assert html.count("<table>") == len(tables(blocks))
    assert "report.html" in capsys.readouterr().out


def test_the_page_is_the_same_for_the_same_figures(folder):
    assert report.page(folder, []) == report.page(folder, [])


def test_an_empty_folder_gives_a_page_that_says_that_there_was_no_gpu(tmp_path):
    blocks = report.page(tmp_path, ["Something failed."])
    assert Text("Something failed.") in blocks
    assert "no GPU was at hand" in markdown(blocks)
    assert not tables(blocks)


def test_all_parts_are_run_and_what_fails_is_told(tmp_path, monkeypatch, capsys):
    run = []

    class Done:
        returncode = 0

    def pretend(arguments, **_):
        run.append(" ".join(arguments[1:]))
        Done.returncode = 3 if "scaling" in run[-1] else 0
        return Done

    monkeypatch.setattr(report.subprocess, "run", pretend)
    with pytest.raises(SystemExit, match=r"bench\.scaling .*failed"):
        report.main(["--quick", "--out", str(tmp_path)])
    assert len(run) == len(report.PARTS)
    quick = {part.arguments.split()[1]: part.quick for part in report.PARTS}
    assert quick.pop("bench.gmacs") == ""  # it runs nothing
    assert all(words in command for name, words in quick.items() for command in run if f"{name} " in command)
    assert all(quick.values())
    assert "bench.scaling" in (tmp_path / "report.md").read_text()
    run.clear()
    monkeypatch.setattr(report, "PARTS", [p for p in report.PARTS if "scaling" not in p.arguments])
    report.main(["--out", str(tmp_path)])
    assert not any("--quick" in command for command in run)
    assert len({tables for tables in costs.TABLES if any(f"bench.costs {tables} " in c for c in run)}) == 5


def test_ratios_stand_beside_the_papers(folder):
    (table,) = tables(papers.costs(Results(folder, "cpu")))
    rows = {row[0]: row for row in table.rows}
    assert rows["SRN"][-3:] == ["0.173", "2.93", "3.00"]  # 0.173 / 0.059, 600 * 50 / (100 * 100)
    assert rows["SRN"][5] == "1.50"
    assert rows["`mmp-rnn-tiny`"][-3] == "–"
    (ovd,) = tables(papers.ovd(Results(folder, "cpu")))
    assert ovd.rows[1][:6] == ["1280x720, ours", "250 (225 to 275)", "4.00", "8", "25.0", "12.6"]


def test_growth_has_exponents_and_where_memory_ends(folder):
    (table,) = tables(growth.growth(Results(folder, "cpu")))
    pixels, frames = table.rows
    assert pixels[5:] == ["1.00", "0 %", "1.00", "0.0164 MP, 171x96"]  # 1 MiB a pixel, 16 GiB
    assert frames[5] == "0.00" or frames[5] == "-0.00"
    assert frames[-1] == "does not grow"


def test_the_worst_ratios_are_of_what_has_a_fused_body(folder):
    (table,) = tables(worst.worst(Results(folder, "cpu")))
    assert table.rows[0][0] == "`mmp-rnn-tiny` 320x192"
    assert len(table.rows) == worst.WORST
    assert "srn" not in str(table.rows)


def test_what_ours_loses_by_is_said(tmp_path):
    def row(contender, ms, note=""):
        measured = {
            "median_ms": ms,
            "low_ms": ms,
            "high_ms": ms,
            "times_ours": ms / 100,
            "of_limit": 0.5,
            "error": 1e-6,
        }
        return {"network": "n", "contender": contender, "width": 64, "height": 32} | measured | {"note": note} | ORIGIN

    write_csv(
        tmp_path / "rivals-cpu.csv", [row("OpenVINO", 80), row("eager", 300), row("ours", 100, "too many copies")]
    )
    said = markdown(rivals.networks(Results(tmp_path, "cpu")))
    assert "ours is slower, by 1.25 times, than the best of the others, OpenVINO (too many copies)" in said
    write_csv(tmp_path / "rivals-cpu.csv", [row("OpenVINO", 150), row("ours", 100)])
    assert "ours is 1.50 times as fast as" in markdown(rivals.networks(Results(tmp_path, "cpu")))
    assert readme.rivals(Results(tmp_path, "cpu")).endswith(
        f"| `n` 64x32 | 150 ms | 100 ms | 1.50 | {ORIGIN['device']} |"
    )


def test_the_readme_says_how_much_faster_a_dense_block_is(tmp_path):
    gains = {"RDB c8-fp32-nchw": 2.04, "RDB c8-fp32-nhwc": 1.26, "RDB c8-bf16-nchw": 3.0}
    rows = [{"name": name, "times_faster": gain} | ORIGIN for name, gain in gains.items()]
    write_csv(tmp_path / "residual-dense-block-cpu.csv", rows)
    said = readme.dense(Results(tmp_path, "cpu"))
    assert f"1.3 to 2.0 times in float32, 3.0 to 3.0 times in bfloat16,\non {ORIGIN['device']}" in said


def test_two_runs_are_compared_time_by_time(folder, tmp_path, capsys):
    other = tmp_path / "again"
    slower = [row | {"median_ms": 1.1 * row["median_ms"]} for row in both("srn", 600, 400) + both("dbn", 1, 1)]
    write_csv(other / "comparators-cpu.csv", slower)
    agreement.main([str(other), "--results", str(folder)])
    assert "2 times, 10.0% apart" in capsys.readouterr().out
    assert "2 medians differed by 10% as a rule" in markdown(worst.spread(Results(folder, "cpu")))


def test_a_table_as_markdown_and_as_html():
    table = Table(["what", "ms", "note"], [["`a|b`", "1.5", "–"], ["c", "–", "x < y"]], "a machine")
    assert markdown_table(table).splitlines()[1:3] == ["| --- | ---: | --- |", "| `a\\|b` | 1.5 | – |"]
    page = html_page([Heading("A & B", 1), table], "title")
    assert "<h1>A &amp; B</h1>" in page
    assert "<code>a|b</code>" in page
    assert "x &lt; y" in page


def test_figures_are_short():
    assert [figure(x) for x in (0.01234, 1.5, 99.96, 12345.6, None)] == ["0.0123", "1.5", "100", "12,346", "–"]
    assert time(None) == "–"
    rows = [ORIGIN | {"command": "python -m a"}, ORIGIN | {"commit": "def", "command": "python -m b"}]
    said = origin([{key: str(value) for key, value in row.items()} for row in rows])
    assert said.endswith("commit abc123 and def; `python -m a`, `python -m b`")


def test_only_what_is_marked_changes_in_a_readme(tmp_path):
    counted = {"network": "mmp-net", "params": 851417, "paper_rule_gmacs": 38.814, "paper_gmacs": 38.81}
    write_csv(tmp_path / "gmacs.csv", [counted | {"deviation_percent": 0.011, "true_gmacs": 38.16}])
    before = "# Title\n\n<!-- table: gmacs -->\nold\n<!-- end -->\n\n<!-- table: gsta -->\nkept\n<!-- end -->\n"
    after = readme.rewrite(before, Results(tmp_path, "cpu"))
    assert "| `mmp-net` | 851,417 | 38.814 | 38.81 | +0.011 % | 38.16 |\n<!-- end -->" in after
    assert "old" not in after
    assert "kept" in after
    assert readme.rewrite(after, Results(tmp_path, "cpu")) == after
    with pytest.raises(ValueError, match="no table 'nothing'"):
        readme.rewrite("<!-- table: nothing -->\nx\n<!-- end -->", Results(tmp_path, "cpu"))


def test_the_readme_says_what_the_committed_results_say():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert set(re.findall(r"<!-- table: ([\w-]+) -->", text)) == set(readme.TABLES)
    assert text == readme.rewrite(text, Results(ROOT / "bench" / "results", "cpu")), "python -m bench.report --readme"


def test_every_operator_row_that_loses_has_a_sentence(tmp_path):
    gains = {"won": 1.5, "temporal_squeeze t1": 0.951, "lost": 0.7, "not measured": ""}
    rows = [{"name": name, "ours_ms": 1.0, "times_faster": gain, "of_limit": 0.5} for name, gain in gains.items()]
    write_csv(tmp_path / "networks-cpu.csv", [row | ORIGIN | {"command": "python -m x"} for row in rows])
    said = [block.text for block in side_by_side.side_by_side(Results(tmp_path, "cpu")) if isinstance(block, Text)][1:]
    assert len(said) == 2
    assert re.match(r"`temporal_squeeze t1`: ours is slower, 0\.95 times as fast; .*to call it", said[0])
    assert said[1] == "`lost`: ours is slower, 0.70 times as fast; why is not known."
