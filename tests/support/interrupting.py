"""A child that Ctrl-C reaches, also where the tests themselves were started without a terminal."""

import signal


def hear_interrupts() -> None:
    """Give the child the usual SIGINT: a shell without job control starts what runs in the background deaf to it."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
