"""`python -m loadtests`: a run of the shop, as `make load` has it; with `open`, a single open load and its record."""

import sys

from loadtests.command import main

sys.exit(main(sys.argv[1:]))
