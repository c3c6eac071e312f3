"""The client against a real API server: what it writes, what it leaves alone, and what its errors say."""

import asyncio
from datetime import UTC, datetime

import pytest

from seatrial.kube import events
from seatrial.kube.client import Kube, configuration
from seatrial.kube.errors import AlreadyExists, Conflict, Invalid, NotFound, Terminating, Unavailable
from seatrial.kube.events import About
from seatrial.kube.kinds import CONFIG_MAP, EVENT, NAMESPACE, POD
from seatrial.kube.lease import Candidate, LeaseObject, Lost, Record
from support.ground import Ground
from support.kubectl import CONTEXT


async def test_an_object_is_applied_read_listed_and_deleted(ground: Ground) -> None:
    await ground.kube.apply(ground.config(a="1"))
    assert (await ground.kube.get(CONFIG_MAP, "one", ground.namespace))["data"] == {"a": "1"}
    listed = await ground.kube.list(CONFIG_MAP, ground.namespace, labels={"team": "sea"})
    assert [(o["kind"], o["metadata"]["name"]) for o in listed] == [("ConfigMap", "one")]
    await ground.kube.delete(CONFIG_MAP, "one", ground.namespace)
    await ground.kube.delete(CONFIG_MAP, "one", ground.namespace)
    assert await ground.kube.find(CONFIG_MAP, "one", ground.namespace) is None


async def test_what_was_applied_and_is_applied_no_more_goes_away(ground: Ground) -> None:
    await ground.kube.apply(ground.config(a="1", b="2"))
    after = await ground.kube.apply(ground.config(a="1"))
    assert after["data"] == {"a": "1"}


async def test_applying_the_same_again_changes_nothing(ground: Ground) -> None:
    before = await ground.kube.apply(ground.config(a="1"))
    again = await ground.kube.apply(ground.config(a="1"), force=True)
    assert again["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"]


async def test_a_field_that_somebody_else_owns_is_not_taken_without_force(ground: Ground) -> None:
    await ground.kube.apply(ground.config(a="1"))
    await ground.kube.merge(CONFIG_MAP, "one", ground.namespace, {"data": {"a": "theirs"}})
    other = Kube(configuration(CONTEXT))
    try:
        with pytest.raises(Conflict):
            await other.apply(ground.config(a="2"))
        healed = await other.apply(ground.config(a="2"), force=True)
        assert healed["data"] == {"a": "2"}
    finally:
        await other.close()


async def test_a_write_over_an_older_version_is_a_conflict(ground: Ground) -> None:
    old = await ground.kube.apply(ground.config(a="1"))
    await ground.kube.merge(CONFIG_MAP, "one", ground.namespace, {"data": {"b": "2"}})
    stale = ground.config(a="3")
    stale["metadata"]["resourceVersion"] = old["metadata"]["resourceVersion"]
    with pytest.raises(Conflict):
        await ground.kube.apply(stale, force=True)


async def test_a_null_of_a_merge_takes_a_field_away(ground: Ground) -> None:
    await ground.kube.apply(ground.config(a="1", b="2"))
    after = await ground.kube.merge(CONFIG_MAP, "one", ground.namespace, {"data": {"a": None}})
    assert after["data"] == {"b": "2"}


async def test_errors_say_what_can_be_done_about_them(ground: Ground) -> None:
    with pytest.raises(NotFound):
        await ground.kube.get(POD, "nobody", ground.namespace)
    await ground.kube.create(ground.config())
    with pytest.raises(AlreadyExists):
        await ground.kube.create(ground.config())
    wrong = ground.config("Not-A-Name")
    with pytest.raises(Invalid, match="Not-A-Name"):
        await ground.kube.create(wrong)


async def test_nothing_can_be_made_in_a_namespace_that_goes_away(ground: Ground) -> None:
    name = f"{ground.namespace}-going"
    holder = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    await ground.kube.create(holder)
    kept = ground.config()
    kept["metadata"] |= {"namespace": name, "finalizers": ["seatrial.dev/test"]}
    await ground.kube.create(kept)
    await ground.kube.delete(NAMESPACE, name)
    try:
        with pytest.raises(Terminating):
            await ground.kube.create(ground.config("late") | {"metadata": {"name": "late", "namespace": name}})
    finally:
        await ground.kube.merge(CONFIG_MAP, "one", name, {"metadata": {"finalizers": []}})


async def test_a_server_that_does_not_answer_is_unavailable() -> None:
    config = configuration(CONTEXT)
    nowhere = config._replace(cluster=type(config.cluster)(server="https://127.0.0.1:9", insecure=True))
    kube = Kube(nowhere, timeout=2.0)
    try:
        with pytest.raises(Unavailable):
            await kube.get(NAMESPACE, "default")
    finally:
        await kube.close()


async def test_an_event_is_found_at_its_object(ground: Ground) -> None:
    made = await ground.kube.create(ground.config())
    about = About("v1", "ConfigMap", ground.namespace, "one", made["metadata"]["uid"])
    now = datetime.now(UTC)
    await events.post(ground.kube, about, "Tested", "x" * 2000, warning=True, now=now, instance="a-test")
    found = await ground.kube.list(EVENT, ground.namespace, fields={"involvedObject.name": "one"})
    assert [(e["reason"], e["type"], len(e["message"])) for e in found] == [("Tested", "Warning", 1024)]


async def test_one_of_two_candidates_holds_a_real_lease_and_the_other_follows(ground: Ground) -> None:
    store = LeaseObject(ground.kube, ground.namespace, "seatrial")
    first, second = Candidate(store, "first"), Candidate(store, "second")
    assert await first.acquire() == 1
    waiting = asyncio.create_task(second.acquire())
    await asyncio.sleep(0)
    assert not waiting.done()
    await first.release()
    async with asyncio.timeout(5):
        assert await waiting == 2
    record = await store.read()
    assert record is not None
    assert (record.holder, record.transitions) == ("second", 2)


async def test_a_lease_that_was_seized_is_lost_to_its_holder(ground: Ground) -> None:
    store = LeaseObject(ground.kube, ground.namespace, "seatrial")
    holder, hook = Candidate(store, "operator"), Candidate(store, "hook", leaves_for=60.0)
    await holder.acquire()
    keeping = asyncio.create_task(holder.keep())
    assert await hook.seize() == 2
    async with asyncio.timeout(10):
        with pytest.raises(Lost):
            await keeping
    await hook.release()
    record = await store.read()
    assert record is not None
    assert (record.holder, record.duration) == ("hook", 60.0)


async def test_a_lease_is_never_written_over_a_version_that_was_not_seen(ground: Ground) -> None:
    store = LeaseObject(ground.kube, ground.namespace, "seatrial")
    first = await store.write(Record("a", 1), over=None)
    await store.write(Record("a", 1), over=first)
    with pytest.raises(Conflict):
        await store.write(Record("b", 2), over=first)
    with pytest.raises(Conflict):
        await store.write(Record("b", 2), over=None)
