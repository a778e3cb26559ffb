"""What the tables of costs measure; how long it takes is nobody's business here."""

import pytest
import torch
from torch import nn
from torch.utils._pytree import tree_leaves

from bench import costs, gmacs, scaling, series
from bench.costs import Subject
from bench.provenance import ORIGIN, command, read_csv, write_csv
from bench.timing import spread, take_turns


def test_every_row_of_the_papers_tables_is_measured():
    measured = {subject.network for name in ("comparators", "mmp-rnn") for subject in costs.TABLES[name]}
    assert {network for table in gmacs.TABLES.values() for network in table} <= measured
    assert [s.frames for s in costs.TABLES["gsta-net"] if s.frames] == [3, 5, 7]
    assert {s.size for s in costs.TABLES["strcnn"]} >= {(640, 480), (1280, 720)}
    davids = {s.network for s in costs.TABLES["david"]}
    assert {"david", "david-single1", "david-single7", "david-internal", "david-external"} <= davids


def test_a_row_has_counts_times_memory_and_where_it_comes_from():
    eager, ours = costs.measure(Subject("mmp-rnn-tiny", (32, 32)), seconds=0.0)
    assert (eager["how"], ours["how"]) == ("eager", "ours")
    counted = gmacs.row("mmp-rnn-tiny", 32, 32)
    for row in (eager, ours):
        assert row["params"] == counted["params"]
        assert row["true_gmacs"] == counted["true_gmacs"]
        assert row["low_ms"] <= row["median_ms"] <= row["high_ms"]
        assert row["rounds"] >= 3
        assert row["peak_mib"] > 0
        assert set(ORIGIN) <= set(row)


def test_eager_has_the_layout_that_it_is_faster_in(monkeypatch):
    layouts = {"contiguous": 3.0, "channels last": 2.0, "ours": 1.0, "product": 1.0}

    def pretend(works, seconds):
        assert list(works) == ["ours", "contiguous", "channels last", "product"]
        return {name: spread([layouts[name]] * 3) for name in works}

    monkeypatch.setattr(costs, "take_turns", pretend)
    for slower in ("contiguous", "channels last"):
        layouts[slower] = 9.0
        eager, ours = costs.measure(Subject("mmp-rnn-tiny", (32, 32)), seconds=0.0)
        (faster,) = {"contiguous", "channels last"} - {slower}
        assert (eager["layout"], eager["median_ms"]) == (faster, layouts[faster])
        assert (ours["layout"], ours["median_ms"]) == ("", 1.0)
        layouts[slower] = 1.5


@pytest.mark.parametrize("name", ["mmp-rnn-tiny", "gsta-net-small", "david-small-single3"])
@torch.no_grad()
def test_the_frames_of_a_window_differ(name):
    network, frame = gmacs.make(name).eval(), torch.rand(2, 3, 32, 32).to(memory_format=torch.channels_last)
    seen = []
    network.decode = lambda window, state=None: seen.append(window) or (None, None)
    costs.steady_frame(network, frame)()
    tensors = [[leaf for leaf in tree_leaves(entry) if isinstance(leaf, torch.Tensor)] for entry in seen[-1]]
    assert len(tensors) == network.past + 1 + network.future
    assert len({leaf.data_ptr() for leaves in tensors for leaf in leaves}) == sum(map(len, tensors))
    assert seen[-1][0] is not frame
    if name.startswith("david"):
        assert all(image.is_contiguous(memory_format=torch.channels_last) for image in seen[-1])


def test_gsta_net_uses_as_many_neighbours_as_it_may():
    for frames in (3, 7):
        network = Subject("gsta-net", frames=frames).build()
        entry, _ = network.encode(torch.rand(1, 3, 32, 32))
        _, choice = network.decode(network.still(entry, network.past + 1 + network.future))
        assert int(choice.picks.sum()) == frames


def test_times_are_taken_in_turns_and_at_least_three():
    calls = []
    found = take_turns({"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}, seconds=0.0)
    assert calls.count("a") == calls.count("b") == 4  # once to warm up
    assert found["a"].rounds == 3
    assert spread([1.0, 2.0, 3.0, 4.0, 5.0]).median_ms == 3
    assert (spread([1.0, 2.0, 3.0, 4.0, 5.0]).low_ms, spread([1.0, 2.0, 3.0, 4.0, 5.0]).high_ms) == (2, 4)


def test_a_series_ends_where_the_next_point_would_take_too_long(monkeypatch):
    grown = series.Series("batch", "made up", [1, 2, 4, 8, 16], lambda x: lambda: x, grows=2)
    seconds = {1: 0.001, 2: 0.004, 4: 0.016, 8: 0.064}

    def row(of, point, _):
        return {"x": point, "median_ms": 1e3 * seconds[point], "peak_mib": 1.0}

    monkeypatch.setattr(scaling, "_row", row)
    assert [r["x"] for r in scaling.measure(grown, 0.0, most=0.05)] == [1, 2, 4]
    assert [r["x"] for r in scaling.measure(grown, 0.0, most=0.1)] == [1, 2, 4, 8]


def test_a_series_ends_before_memory_does(monkeypatch):
    grown = series.Series("pixels", "made up", [(1, 1), (2, 2), (4, 4), (8, 8)], lambda _: lambda: None)
    monkeypatch.setattr(scaling, "memory_bytes", lambda: 100 * 2**20)

    def row(of, point, _):
        return {"x": series.place(point), "median_ms": 1.0, "peak_mib": float(series.place(point))}

    monkeypatch.setattr(scaling, "_row", row)
    assert [r["x"] for r in scaling.measure(grown, 0.0, most=9.0)] == [1, 4, 16]


def test_a_point_of_a_series_can_be_measured_and_threads_are_put_back():
    threads = torch.get_num_threads()
    batch = next(s for s in series.all_series() if s.axis == "frames")
    row = scaling._row(batch, batch.points[0], 0.0)
    assert row["median_ms"] > 0
    assert set(ORIGIN) <= set(row)
    assert torch.get_num_threads() == threads
    assert {s.axis for s in series.all_series()} == set(scaling.AXES)


def test_commands_are_told_without_the_folders_of_a_machine():
    assert command(["/usr/bin/python3", "-m", "bench.costs", "david"]) == "python -m bench.costs david"
    assert command(["/usr/bin/python3", "/opt/env/bin/pytest", "bench", "--benchmark"]) == "pytest bench --benchmark"
    assert command(["python", "-m", "bench.report", "--out", "/somebody/home/x"]) == "python -m bench.report --out x"
    assert command(["python", "-m", "bench.report", "--out=/somebody/home/x"]) == "python -m bench.report --out=x"
    assert command(["python", "-m", "bench.report", "--out=a/x=y"]) == "python -m bench.report --out=a/x=y"


def test_csv_files_come_back(tmp_path):
    rows = [{"name": "a", "ms": 1 / 3, "n": 12_345_678_901, "of": ""}]
    write_csv(tmp_path / "new" / "x.csv", rows)
    (back,) = read_csv(tmp_path / "new" / "x.csv")
    assert float(back["ms"]) == float(f"{1 / 3:.9g}")
    assert back["n"] == "12345678901"
    assert read_csv(tmp_path / "none.csv") == []


def test_work_is_a_frame_of_a_video_or_a_call():
    x = torch.rand(1, 3, 4, 4)
    assert torch.equal(costs.work(nn.Identity(), x, encoding=False)(), x)


def test_some_networks_can_be_measured_again_and_the_rest_stays(tmp_path, monkeypatch):
    def measure(subject, seconds):
        row = {"network": subject.network, "width": subject.size[0], "median_ms": seconds}
        return [row | {"how": how} for how in ("eager", "ours")]

    monkeypatch.setattr(costs, "measure", measure)
    costs.main(["david", "--out", str(tmp_path)])
    costs.main(["david", "--quick", "--only", "david-small", "david-external", "--out", str(tmp_path)])
    (file,) = tmp_path.iterdir()
    rows = read_csv(file)
    order = [subject.network for subject in costs.TABLES["david"]]
    assert [row["network"] for row in rows[::2]] == order
    again = {row["network"] for row in rows if float(row["median_ms"]) == costs.QUICK_SECONDS}
    assert again == {"david-small", "david-external"}
    assert {int(row["width"]) for row in rows} == {costs.FRAME[0], costs.FRAME[0] // costs.QUICK}
