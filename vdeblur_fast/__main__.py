"""`python -m vdeblur_fast` is the command `vdeblur`."""

import sys

from .cli.main import main

if __name__ == "__main__":
    sys.exit(main())
