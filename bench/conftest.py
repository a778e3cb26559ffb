"""`pytest --benchmark` runs the benchmarks, and only them; without it they are not collected.

Beside pytest-benchmark's own table, which times our body alone, prints how it stands to PyTorch and to the physical
limit, and writes that as CSV (--benchmark-csv PATH).
"""

from pathlib import Path

import pytest

from bench.outputs import check_file
from bench.provenance import write_csv
from bench.side_by_side import ROWS, lines
from vdeblur_fast.errors import UserError

HERE = Path(__file__).parent
ONLY_BENCHMARKS: pytest.StashKey[bool] = pytest.StashKey()


def pytest_addoption(parser):
    group = parser.getgroup("vdeblur_fast benchmarks")
    group.addoption("--benchmark", action="store_true", help="run the benchmarks of bench/, and no tests")
    group.addoption("--benchmark-csv", metavar="PATH", help="also write the comparison to this file")


def pytest_configure(config):
    if not config.getoption("--benchmark"):
        return
    if getattr(config.option, "numprocesses", None) or getattr(config.option, "tx", None):
        raise pytest.UsageError("--benchmark cannot be shared out among workers, who would time each other; drop -n")
    if path := config.getoption("--benchmark-csv"):
        try:
            check_file(Path(path), "--benchmark-csv")
        except UserError as error:
            raise pytest.UsageError(str(error)) from error


def pytest_collection_modifyitems(config, items):
    wanted = config.getoption("--benchmark")
    kept = [item for item in items if (HERE in Path(item.fspath).parents) == wanted]
    config.stash[ONLY_BENCHMARKS] = bool(items) and not kept and not wanted
    config.hook.pytest_deselected(items=[item for item in items if item not in kept])
    items[:] = kept


def pytest_report_collectionfinish(config):
    if config.stash.get(ONLY_BENCHMARKS, False):
        return "these are benchmarks, which run with --benchmark: `pytest --benchmark FILE`"


@pytest.fixture
def compare(benchmark, request):
    """compare(case): gate, measurement of all contenders, a row of the report."""

    def compare(case):
        from bench.harness import measure

        row = measure(case)
        rows = request.config.stash.setdefault(ROWS, [])
        rows.append(row)
        if path := request.config.getoption("--benchmark-csv"):
            write_csv(Path(path), rows)  # at once: a run that is stopped keeps what it has
        benchmark.extra_info.update(row)
        benchmark.pedantic(case.ours, rounds=5, warmup_rounds=1)

    return compare


def pytest_terminal_summary(terminalreporter, config):
    rows = config.stash.get(ROWS, [])
    if not rows:
        return
    terminalreporter.section("beside PyTorch and the limit")
    for line in lines(rows):
        terminalreporter.line(line)
    if path := config.getoption("--benchmark-csv"):
        terminalreporter.line(f"written to {path}")
