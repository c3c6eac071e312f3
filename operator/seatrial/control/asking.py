"""The connections to pods in the words of the evidence: what a failure means for a question."""

from collections.abc import Mapping

from seatrial.evidence.ask import Absent, Refused, Unanswered
from seatrial.kube.errors import ApiFailure, Forbidden, NotFound
from seatrial.kube.reach import PodReach
from seatrial.kube.tokens import Tokens

ISTIOD_PORT = 15014


class Asking:
    """Implements `seatrial.evidence.ask.Ask`. istiod is shown a token.

    `istiod` is an address that leads to istiod's port where no pod can be reached; it is one of this machine, a
    port-forward, and istiod asks such for no token.
    """

    def __init__(self, reach: PodReach, tokens: Tokens, *, istiod: str = "") -> None:
        self._reach = reach
        self._tokens = tokens
        self._istiod = istiod.rstrip("/")

    async def get(  # an address has as many parts
        self,
        *,
        namespace: str,
        pod: str,
        ip: str,
        port: int,
        path: str,
    ) -> bytes:
        """The body of a 200."""
        try:
            if port == ISTIOD_PORT and self._istiod:
                return await self._reach.fetch(f"{self._istiod}{path}")
            said = await self._introduction() if port == ISTIOD_PORT else {}
            return await self._reach.get(namespace=namespace, pod=pod, ip=ip, port=port, path=path, headers=said)
        except Forbidden as error:
            raise Refused(error.message) from error
        except NotFound as error:
            raise Absent(error.message) from error
        except ApiFailure as error:
            raise Unanswered(error.message) from error

    async def _introduction(self) -> Mapping[str, str]:
        try:
            return {"Authorization": f"Bearer {await self._tokens.current()}"}
        except NotFound as error:
            raise Forbidden(error.message) from error  # there is no account to ask in the name of
