"""Compares the cache with the cluster: a watch that had to begin anew never tells what was deleted meanwhile."""

import logging

from seatrial.api.names import LABEL_MANAGED_BY, MANAGED_BY
from seatrial.control.cache import Cache
from seatrial.kube.client import Kube
from seatrial.kube.kinds import MESH_SERVICE, OWNED, POD, REVISION

log = logging.getLogger(__name__)

_OURS = {LABEL_MANAGED_BY: MANAGED_BY}


async def hide_what_is_gone(kube: Kube, cache: Cache) -> int:
    """Take objects out of the cache that the cluster doesn't have; returns how many. Raises `ApiFailure`."""
    hidden = 0
    for kind in (MESH_SERVICE, REVISION, POD, *OWNED):
        cached = list(cache.all(kind))  # first, so that what is made meanwhile isn't missed
        if not cached:
            continue
        there = await kube.uids(kind, labels=_OURS if kind in {POD, *OWNED} else None)
        for obj in cached:
            meta = obj["metadata"]
            if meta["uid"] not in there:
                log.warning("%s %s/%s is gone, and no watch said so", kind.name, meta["namespace"], meta["name"])
                cache.hide(meta["uid"])
                hidden += 1
    return hidden
