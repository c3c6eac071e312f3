"""Inotify limits, which are the host's and which many pods use up: each proxy watches its certificates.

The limits count per user over all containers. They are raised, never lowered, until the next boot, and only by root.
"""

from pathlib import Path

from cluster.commands import Progress
from cluster.doctor import INOTIFY_INSTANCES, INOTIFY_WATCHES
from cluster.host import Facts
from cluster.steps import Step

_LIMITS = {"max_user_instances": INOTIFY_INSTANCES, "max_user_watches": INOTIFY_WATCHES}
_FOLDER = Path("/proc/sys/fs/inotify")


def steps(facts: Facts) -> list[Step]:
    """Give the step that raises them, where this user may and there is need."""
    enough = facts.inotify_instances >= INOTIFY_INSTANCES and facts.inotify_watches >= INOTIFY_WATCHES
    return [] if enough or not facts.root else [Step("Raise inotify limits", _raise, lambda: not _low())]


def _low() -> dict[str, int]:
    return {name: least for name, least in _LIMITS.items() if int((_FOLDER / name).read_text()) < least}


def _raise(progress: Progress) -> None:
    for name, least in _low().items():
        (_FOLDER / name).write_text(str(least))
        progress.say(f"fs.inotify.{name} = {least}, until the next boot")
