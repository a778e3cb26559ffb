"""The command `vdeblur`: reads what was typed, runs it, and says in one sentence where it cannot be done."""

import argparse
import os
import signal
import sys
from collections.abc import Sequence

from .. import __version__
from ..memory import keep_memory
from ..video.atomic import finished
from . import convert, demo, evaluate, inspect, models, run, synthesize
from .failures import explain
from .signals import Stopped, raise_on_signals

COMMANDS = (run, models, evaluate, synthesize, demo, convert, inspect)
MISTAKE = 2


class Parser(argparse.ArgumentParser):
    """argparse with `vdeblur:` before every message, and no abbreviations that a later option would break."""

    def __init__(self, **options):
        super().__init__(**options, allow_abbrev=False)

    def error(self, message: str):
        self.print_usage(sys.stderr)
        self.exit(MISTAKE, f"vdeblur: {message}\n")


def make_parser() -> Parser:
    parser = Parser(prog="vdeblur", description="Makes blurry videos sharp.")
    parser.add_argument("--version", action="version", version=f"vdeblur {__version__}")
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in COMMANDS:
        subparser = command.add_parser(subparsers)
        subparser.add_argument("--debug", action="store_true", help="show where in the code an error arose")
        subparser.set_defaults(execute=command.execute)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command and returns its exit code: 0, 2 for a mistake of the user's, 128 + n for signal n.

    arguments: what stands after `vdeblur`; None takes the process's own.

    Anything that is a mistake of ours raises, with a traceback.
    """
    if arguments is None:
        # Waiting threads of the network would spin on the cores that decode and encode; torch reads it once.
        os.environ.setdefault("OMP_WAIT_POLICY", "passive")
        # Frames lie in pages of 2 MiB, where there are some: up to 1.5 times faster, in no more memory. Read once, too.
        os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
        keep_memory()
    _make_streams_ready()
    try:
        code = _obey(arguments)
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        return _nobody_listens()


def _make_streams_ready() -> None:
    """Lets anything be printed: also without a stdout or stderr (`>&-`), and names of files that are no Unicode."""
    for name in ("stdin", "stdout", "stderr"):  # in this order they take the free numbers, which a file would take else
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "r" if name == "stdin" else "w", encoding="utf-8"))  # noqa: SIM115
        elif name != "stdin" and getattr(stream, "errors", None) == "strict":
            stream.reconfigure(errors="backslashreplace")


def _obey(arguments: Sequence[str] | None) -> int:
    debug = False
    finished.clear()
    try:
        options = make_parser().parse_args(arguments)
        debug = options.debug
        with raise_on_signals(last_act=arguments is None):
            options.execute(options)
        return 0
    except SystemExit as end:  # argparse has said why
        return end.code
    except Stopped as stop:
        written = f"{finished[-1]} is finished" if finished else "nothing was written"
        print(f"vdeblur: interrupted; {written}", file=sys.stderr)
        return 128 + stop.signal
    except Exception as error:
        sentence = explain(error)
        if debug or sentence is None:
            raise
        print(f"vdeblur: {sentence}", file=sys.stderr)
        return MISTAKE


def _nobody_listens() -> int:
    """The reader of our output has gone (`vdeblur models | head -1`): no reason to complain."""
    # the interpreter flushes stdout once more when it ends
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 128 + signal.SIGPIPE
