"""`python -m vdeblur_fast` is the command `vdeblur`."""

import sys


def main() -> int:
    """Runs the command and returns its exit code."""
    try:  # what it imports takes a moment, in which one may change one's mind
        from .cli.main import main as obey
    except KeyboardInterrupt:
        print("vdeblur: interrupted; nothing was written", file=sys.stderr)
        return 130
    return obey()


if __name__ == "__main__":
    sys.exit(main())
