"""`python -m gateway` is the command `gateway`."""

import sys

from gateway.cli import main

if __name__ == "__main__":  # workers that are spawned import this file again
    sys.exit(main())
