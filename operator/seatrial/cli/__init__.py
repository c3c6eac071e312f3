"""``seatrial``, the command line. Whatever a user may do wrong ends in one line with the remedy and exit code 1."""

import sys

from seatrial.cli.app import app
from seatrial.cli.complaint import Complaint


def main() -> None:
    """Run the command line of this process."""
    try:
        app()
    except Complaint as complaint:
        sys.stderr.write(f"seatrial: {complaint}\n")
        sys.exit(1)
    except BrokenPipeError:  # `seatrial status | head`: whoever read has seen enough
        sys.stderr.close()
        sys.exit(0)


__all__ = ["main"]
