"""A consumer that plays its part in a pod: nobody calls it, it takes work, as much as its pod's share allows.

As `support.actor`, this file's text is handed to a pod's python3. It takes from the URL `TAKE`, at full share one each
`EVERY` (0.2) seconds, and says with each who took it. `CRASH=20` ends it after that many.
"""

import asyncio
import http.client
import os
import re
import signal
import urllib.request
from pathlib import Path

PART = os.environ.get
TOLD = Path("/etc/seatrial/pod/annotations")
WHO = {"x-taken-by": PART("SEATRIAL_REVISION", "")}


def share() -> float:
    """From 0 to 1, as the pod is told at this moment."""
    told = re.search(r'^seatrial\.dev/weight="(\d+)"$', TOLD.read_text(), re.MULTILINE)
    return int(told[1]) / 100 if told else 0.0


def take() -> None:
    """Take one; who refuses it or can't be reached is asked again at the next turn."""
    try:
        urllib.request.urlopen(urllib.request.Request(PART("TAKE", ""), headers=WHO), timeout=5).read()  # noqa: S310
    except (OSError, http.client.HTTPException):
        return


async def work() -> None:
    """Take until SIGTERM. What isn't taken for want of a share adds up to the next turn."""
    over = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, over.set)
    due, taken = 0.0, 0
    while not over.is_set():
        due += share()
        if due >= 1:
            due -= 1
            await asyncio.to_thread(take)
            taken += 1
            if taken == int(PART("CRASH", "-1")):
                os._exit(1)
        await asyncio.sleep(float(PART("EVERY", "0.2")))


if __name__ == "__main__":
    asyncio.run(work())
