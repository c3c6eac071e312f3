"""`python -m demo`, which `make demo` runs once the shop is there."""

import sys

from demo.command import main

sys.exit(main(sys.argv[1:]))
