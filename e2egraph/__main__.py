"""``python -m e2egraph``."""

import sys

from e2egraph.cli import main

if __name__ == "__main__":
    sys.exit(main())
