"""The whole command on a whole clip: decoding, network and encoding, in frames a second and resident memory.

python -m bench.command [run] [run-plain] [loop] [--frames 100] [--size 1280x720] [--network NAME] [--precision fp32]
                        [--out bench/results]

run: `vdeblur run`. run-plain: the same with --no-accelerate. loop: `bench.plain_loop`, what somebody would write
without the package's engine. Each is a process of its own, from its start to its end, on a clip made for it. Writes
command-cpu.csv (or -gpu.csv); rows of other networks, sizes, ways and precisions stay. All ways compute in the same
precision.

The parts are milliseconds for a frame, each alone: of the loop as it measures them itself, of the command measured
afterwards. The command does them side by side, so its frame may take less than their sum.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.clip import make_clip
from bench.outputs import check_folder
from bench.plain_loop import PRECISIONS
from bench.provenance import read_csv
from bench.sizes import read_size
from vdeblur_fast.cli.options import check_model, whole
from vdeblur_fast.defaults import DEFAULT_NETWORK
from vdeblur_fast.errors import UserError, told

WAYS = ("run", "run-plain", "loop")
KEY = ("network", "width", "height", "way")
PARTS = ("decode_ms", "network_ms", "encode_ms")
LEAST_SIDE = 16  # pixels
LEAST_PARTS = 24  # frames of which the command's parts are measured


@dataclass(frozen=True)
class Clip:
    """A video that is there, and what goes through which network."""

    path: Path
    width: int
    height: int
    frames: int
    network: str
    precision: str


@dataclass(frozen=True)
class Run:
    """What a process took: seconds on the clock and of all cores, bytes of physical memory at most, what it said."""

    seconds: float
    cpu_seconds: float
    peak: int
    said: str


def words(way: str, clip: Clip, target: Path) -> list[str]:
    precision = ["--precision", clip.precision]
    if way == "loop":
        return ["-m", "bench.plain_loop", str(clip.path), str(target), clip.network, *precision]
    plain = ["--no-accelerate"] if way == "run-plain" else []
    return ["-m", "vdeblur_fast", "run", str(clip.path), str(target), "--model", clip.network, *precision, *plain]


def run(arguments: list[str], threads: int) -> Run:
    """Raises UserError, with what the process said last, where it failed."""
    environment = os.environ | {"OMP_NUM_THREADS": str(threads)}
    with tempfile.TemporaryFile("w+", encoding="utf-8") as said:
        began = time.perf_counter()
        process = subprocess.Popen([sys.executable, *arguments], env=environment, stdout=said, stderr=subprocess.STDOUT)
        try:
            _, status, usage = os.wait4(process.pid, 0)
        except KeyboardInterrupt:
            process.kill()
            process.wait()
            raise
        seconds = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        said.seek(0)
        text = said.read().strip()
    if process.returncode:
        last = text.splitlines()[-1] if text else f"exit status {process.returncode}"
        raise UserError(f"`python {' '.join(arguments[:3])} ...` failed: {last}")
    unit = 1 if sys.platform == "darwin" else 1024
    return Run(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * unit, text)


def parts(way: str, clip: Clip, found: Run, folder: Path, threads: int) -> dict[str, float]:
    if way == "loop":
        own = json.loads(found.said.splitlines()[-1])
        return {part: own[part] for part in PARTS}
    from bench.command_parts import alone

    return alone(clip.path, folder / "part.mp4", clip.network, way == "run", clip.precision, threads, LEAST_PARTS)


def measure(ways: list[str], clip: Clip, folder: Path, threads: int) -> list[dict[str, Any]]:
    """A row for each way. All of them run before anything large is imported here: what a process holds when it starts
    another one counts as the other's."""
    runs = {way: run(words(way, clip, folder / f"{way}.mp4"), threads) for way in ways}
    rows = []
    for way, found in runs.items():
        rows.append(
            {
                "network": clip.network,
                "way": way,
                "precision": clip.precision,
                "width": clip.width,
                "height": clip.height,
                "frames": clip.frames,
                "seconds": found.seconds,
                "frames_per_second": clip.frames / found.seconds,
                "cpu_seconds": found.cpu_seconds,
                "peak_mib": found.peak / 2**20,
            }
            | parts(way, clip, found, folder, threads)
            | {"threads": threads}
        )
    return rows


def table(rows: list[dict[str, Any]]) -> str:
    first = rows[0]
    size = f"{first['width']}x{first['height']}"
    lines = [
        f"{first['network']} in {first['precision']}, {first['frames']} frames of {size}, {first['threads']} threads",
        f"{'':10}{'seconds':>10}{'frames/s':>10}{'peak MiB':>10}{'decode ms':>11}{'network ms':>12}{'encode ms':>11}",
    ]
    for row in rows:
        lines.append(
            f"{row['way']:10}{row['seconds']:10.1f}{row['frames_per_second']:10.2f}{row['peak_mib']:10.0f}"
            f"{row['decode_ms']:11.1f}{row['network_ms']:12.1f}{row['encode_ms']:11.1f}"
        )
    return "\n".join(lines)


def execute(options: argparse.Namespace) -> None:
    width, height = read_size(options.size)
    if min(width, height) < LEAST_SIDE:
        raise UserError(f"--size must have sides of at least {LEAST_SIDE} pixels, got {options.size}")
    check_video_network(options.network)
    wrong = [way for way in options.ways if way not in WAYS]
    if wrong:
        raise UserError(f"there is no way {wrong[0]!r} to run it; name any of {', '.join(WAYS)}")
    check_folder(options.out)
    for path in options.out.glob("command-?pu.csv"):
        read_csv(path, KEY)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        even = width - width % 2, height - height % 2
        clip = Clip(folder / "in.mp4", *even, options.frames, options.network, options.precision)
        make_clip(clip.path, clip.width, clip.height, clip.frames)
        rows = measure(list(dict.fromkeys(options.ways)), clip, folder, options.threads)
    print(table(rows))
    save(rows, options.out)


def save(rows: list[dict[str, Any]], folder: Path) -> None:
    import torch

    from bench.provenance import kind, provenance, version, write_csv

    device = "cuda" if torch.cuda.is_available() else "cpu"
    origin = provenance(device) | {"av": version("av")}
    path = folder / f"command-{kind(device)}.csv"
    kept = [old for old in read_csv(path, KEY) if not any(replaces(row, old) for row in rows)]
    write_csv(path, [*kept, *(row | origin for row in rows)])
    print(f"written to {path}")


def replaces(row: dict[str, Any], old: dict[str, str]) -> bool:
    """Whether both are of the same; rows of before there was a precision give way to any."""
    same = all(str(row[column]) == old[column] for column in KEY)
    return same and old.get("precision", "") in ("", str(row.get("precision", "")))


def check_video_network(name: str) -> None:
    """Raises UserError for a network that does not exist, or takes no frames."""
    import torch

    from vdeblur_fast import build
    from vdeblur_fast.reference.networks import VideoNetwork

    check_model(name)
    with torch.device("meta"):  # which holds nothing
        if not isinstance(build(name), VideoNetwork):
            raise UserError(f"--network {name} does not turn frames into frames; choose another")


@told("bench.command")
def main(arguments: list[str] | None = None) -> int | None:
    parser = argparse.ArgumentParser(prog="python -m bench.command", description=__doc__.splitlines()[0])
    cores = os.environ.get("OMP_NUM_THREADS") or str(os.cpu_count() or 1)
    parser.add_argument("ways", nargs="*", metavar="WAY", default=WAYS, help=f"{', '.join(WAYS)}; all of them")
    parser.add_argument("--network", default=DEFAULT_NETWORK, metavar="NAME", help="(%(default)s)")
    parser.add_argument("--frames", type=whole("--frames", 1), default=100, metavar="N", help="(%(default)s)")
    parser.add_argument("--size", default="1280x720", metavar="WxH", help="(%(default)s)")
    parser.add_argument("--precision", choices=PRECISIONS, default="fp32", help="of all ways (%(default)s)")
    parser.add_argument("--threads", type=whole("--threads", 1, 1024), default=cores, metavar="N", help="(%(default)s)")
    parser.add_argument("--out", type=Path, default=Path("bench/results"), help="folder for the CSV")
    execute(parser.parse_args(arguments))


if __name__ == "__main__":
    sys.exit(main())
