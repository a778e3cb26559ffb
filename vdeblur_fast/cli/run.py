"""`vdeblur run`: a blurry video goes in, a sharp one comes out."""

import argparse
from contextlib import nullcontext

from .choices import ChoiceReport
from .options import add_coding_options, add_network_options, make_deblurrer, moment, writer_options
from .progress import Progress
from .report import summary, tell


def add_parser(subparsers) -> argparse.ArgumentParser:
    parser = subparsers.add_parser(
        "run",
        help="make a video sharp",
        description="Makes a video sharp: every frame comes back at its own time, with the sound, the "
        "subtitles and the tags of the file. The output appears when it is whole. A folder of "
        "images is replaced (--overwrite) only where all of it was written by this program.",
    )
    add = parser.add_argument
    add("input", metavar="IN", help="a video file, a folder of images, or a pattern such as frames/%%05d.png")
    add("output", metavar="OUT", help="the video to write, or a folder of images ending in /")
    add("--start", type=moment, metavar="TIME", help="begin here: seconds (12.5) or HH:MM:SS (00:01:12.5)")
    add("--end", type=moment, metavar="TIME", help="end before this time of the input")
    add("--compare", choices=("side", "split"), help="write before and after: side by side, or half and half")
    add("--report", metavar="FILE", help="write, as JSON, which frames each frame was made of")
    add_network_options(parser)
    add_coding_options(parser)
    return parser


def execute(options: argparse.Namespace) -> None:
    from ..video import open_reader, open_writer, process, side_by_side, split

    # left and right are those of the viewer, so a video to be compared is turned first
    reader = open_reader(options.input, options.start, options.end, upright=bool(options.compare))
    transform = {"side": side_by_side, "split": split, None: None}[options.compare]
    files = getattr(reader, "files", ())
    width = reader.width * (2 if options.compare == "side" else 1)
    with (
        ChoiceReport(options, files) if options.report is not None else nullcontext() as report,
        Progress(reader.frames_estimate, options.quiet) as progress,
    ):
        deblurrer = make_deblurrer(options, report.add if report else None)
        writer = open_writer(options.output, source=reader, size=(width, reader.height), **writer_options(options))
        frames = process(reader, writer, deblurrer, lambda _: progress.advance(), transform)
    tell(reader, [writer], options.quiet)
    if not options.quiet:
        print(summary(frames, progress.seconds, writer.path))
