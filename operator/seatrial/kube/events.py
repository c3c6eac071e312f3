"""Kubernetes Events about objects of ours: what `kubectl describe` prints below them."""

import time
from dataclasses import dataclass
from datetime import datetime

from seatrial.api.names import FIELD_MANAGER
from seatrial.kube.client import Kube, Object

_MESSAGE_LIMIT = 1024  # the API server refuses more


@dataclass(frozen=True)
class About:
    """The object that an Event is about."""

    api_version: str
    kind: str
    namespace: str
    name: str
    uid: str


async def post(  # noqa: PLR0913 # an Event has as many parts
    kube: Kube, about: About, reason: str, message: str, *, warning: bool, now: datetime, instance: str
) -> None:
    """Write one Event. `reason` is CamelCase, `instance` names the process that says it."""
    at = now.strftime("%Y-%m-%dT%H:%M:%SZ")
    event: Object = {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": f"{about.name}.{time.time_ns():x}", "namespace": about.namespace},
        "involvedObject": {
            "apiVersion": about.api_version,
            "kind": about.kind,
            "namespace": about.namespace,
            "name": about.name,
            "uid": about.uid,
        },
        "reason": reason,
        "message": message if len(message) <= _MESSAGE_LIMIT else f"{message[: _MESSAGE_LIMIT - 1]}…",
        "type": "Warning" if warning else "Normal",
        "source": {"component": FIELD_MANAGER},
        "reportingComponent": FIELD_MANAGER,
        "reportingInstance": instance[:128],
        "firstTimestamp": at,
        "lastTimestamp": at,
        "count": 1,
    }
    await kube.create(event)
