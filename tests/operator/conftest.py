"""What these tests share: the API of the kind cluster, and a namespace for each of them."""

import secrets
from collections.abc import AsyncIterator

import pytest

from seatrial.kube.client import Kube, configuration
from seatrial.kube.kinds import NAMESPACE
from support.ground import Ground
from support.kubectl import CONTEXT


@pytest.fixture
async def ground() -> AsyncIterator[Ground]:
    kube = Kube(configuration(CONTEXT))
    name = f"operator-{secrets.token_hex(4)}"
    await kube.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    yield Ground(kube, name)
    await kube.delete(NAMESPACE, name)
    await kube.close()
