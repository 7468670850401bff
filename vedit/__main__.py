"""`python -m vedit`: the command line, for environments whose scripts are not on the path."""

import sys

from vedit.cli.app import main

if __name__ == "__main__":
    sys.exit(main())
