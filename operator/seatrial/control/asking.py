"""The connections to pods in the words of the evidence: what a failure means for a question."""

import os
from pathlib import Path

from seatrial.evidence.ask import Absent, Pod, Refused, Unanswered
from seatrial.kube.errors import ApiFailure, Forbidden, NotFound
from seatrial.kube.reach import PodReach

ISTIOD_PORT = 15014
TOKEN_FILE = "/var/run/secrets/seatrial/istio-token"  # noqa: S105 # where the chart mounts it


class Asking:
    """Implements `seatrial.evidence.ask.Ask`. istiod is shown the pod's token for its audience.

    `istiod` is an address that leads to istiod's port where no pod can be reached; it is one of this machine, a
    port-forward, and istiod asks such for no token.
    """

    def __init__(self, reach: PodReach, *, istiod: str = "") -> None:
        self._reach = reach
        self._istiod = istiod.rstrip("/")

    async def get(self, pod: Pod, *, port: int, path: str) -> bytes:
        """The body of a 200."""
        try:
            if port == ISTIOD_PORT and self._istiod:
                return await self._reach.fetch(f"{self._istiod}{path}")
            said = _introduction() if port == ISTIOD_PORT else {}
            return await self._reach.get(
                namespace=pod.namespace, pod=pod.name, ip=pod.ip, port=port, path=path, headers=said
            )
        except Forbidden as error:
            raise Refused(error.message) from error
        except NotFound as error:
            raise Absent(error.message) from error
        except ApiFailure as error:
            raise Unanswered(error.message) from error


def _introduction() -> dict[str, str]:
    """The projected token, read anew since it rotates; none on a laptop, where none is mounted."""
    path = Path(os.environ.get("SEATRIAL_ISTIO_TOKEN_FILE", TOKEN_FILE))
    try:
        return {"Authorization": f"Bearer {path.read_text(encoding='utf-8').strip()}"}
    except FileNotFoundError:
        return {}
