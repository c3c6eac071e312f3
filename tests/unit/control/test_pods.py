from typing import Any

from seatrial.control.pods import has_proxy, migration_of, missing_references, pods_by_revision, problem, untold
from seatrial.rollout.world import PodShare


def pod(
    *containers: dict[str, Any], name: str = "orders-2-x", revision: int = 2, proxy: bool = True, **status: Any
) -> dict[str, Any]:
    sidecar = {"name": "istio-proxy", "started": True, "ready": True, "state": {"running": {}}}
    return {
        "metadata": {"name": name, "namespace": "shop", "labels": {"seatrial.dev/revision": str(revision)}},
        "status": {
            "phase": "Running",
            "podIP": "10.0.0.9",
            "conditions": [],
            "containerStatuses": list(containers),
            "initContainerStatuses": [sidecar] if proxy else [],
            **status,
        },
    }


def app(reason: str = "", message: str = "", **more: Any) -> dict[str, Any]:
    state = {"waiting": {"reason": reason, "message": message}} if reason else {"running": {}}
    return {"name": "app", "image": "shop/orders:9", "ready": False, "restartCount": 0, "state": state, **more}


def deployment(replicas: int, ready: int, revision: int = 2, **status: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": f"orders-{revision}", "labels": {"seatrial.dev/revision": str(revision)}},
        "spec": {"replicas": replicas},
        "status": {"readyReplicas": ready, **status},
    }


def test_an_image_that_cannot_be_pulled_is_named_with_its_cause() -> None:
    said = problem([pod(app("ImagePullBackOff", 'Back-off pulling image "shop/orders:9"'))])
    assert said.startswith("image shop/orders:9 can't be pulled (Back-off")


def test_a_crash_tells_its_exit_code_and_where_to_read_more() -> None:
    ended = app("CrashLoopBackOff", restartCount=3, lastState={"terminated": {"exitCode": 7, "reason": "Error"}})
    said = problem([pod(ended)])
    assert said.startswith("container app of orders-2-x ended with exit code 7 (3 restarts): ")
    assert said.endswith("see `kubectl logs orders-2-x -c app --previous`")


def test_a_container_that_ran_out_of_memory_says_so() -> None:
    ended = app("CrashLoopBackOff", restartCount=1, lastState={"terminated": {"exitCode": 137, "reason": "OOMKilled"}})
    assert "ran out of memory" in problem([pod(ended)])


def test_restarts_of_a_pod_that_is_ready_again_are_over() -> None:
    """Else a pod that waited for its database at the start takes its revision back once another pod is asked for."""

    def restarted(times: int, ready: str) -> dict[str, Any]:
        return pod(app(restartCount=times), conditions=[{"type": "Ready", "status": ready}])

    settled, starting, crashing = restarted(5, "True"), restarted(0, "False"), restarted(2, "False")
    assert pods_by_revision([deployment(2, 1)], [settled, starting])[2].restarts == 0
    assert pods_by_revision([deployment(3, 1)], [settled, starting, crashing])[2].restarts == 2


def test_pods_wait_since_the_first_of_them_is_not_ready() -> None:
    def at(minute: int, ready: str) -> dict[str, Any]:
        moment = f"2026-11-21T18:{minute:02d}:00Z"
        return pod(app(), conditions=[{"type": "Ready", "status": ready, "lastTransitionTime": moment}])

    (found,) = pods_by_revision([deployment(3, 1)], [at(1, "True"), at(7, "False"), at(5, "False")]).values()
    assert found.waiting_since == "2026-11-21T18:05:00Z"


def test_pods_that_are_not_there_yet_wait_for_nothing() -> None:
    assert pods_by_revision([deployment(2, 0)], [])[2].waiting_since == ""


def test_pods_that_are_refused_wait_since_the_first_refusal() -> None:
    refused = {"type": "ReplicaFailure", "status": "True", "lastTransitionTime": "2026-11-21T18:05:00Z"}
    assert pods_by_revision([deployment(2, 0, conditions=[refused])], [])[2].waiting_since == "2026-11-21T18:05:00Z"


def test_a_missing_secret_is_named_for_the_condition() -> None:
    waiting = pod(app("CreateContainerConfigError", 'secret "orders-db" not found'))
    assert missing_references([waiting]) == ("there is no Secret orders-db: create it, or take the reference out",)
    assert "orders-db" in problem([waiting])


def test_a_pod_that_no_node_takes_is_told() -> None:
    unplaced = {"type": "PodScheduled", "status": "False", "message": "0/1 nodes are available: Insufficient cpu."}
    assert "no node takes orders-2-x: 0/1 nodes" in problem([pod(conditions=[unplaced])])


def test_pods_that_the_namespace_refuses_are_told_by_the_deployment() -> None:
    refused = {"type": "ReplicaFailure", "status": "True", "message": "violates PodSecurity"}
    found = pods_by_revision([deployment(1, 0, conditions=[refused])], [])
    assert found[2].problem == "pods can't be made: violates PodSecurity"


def test_the_worst_problem_comes_first() -> None:
    crash = pod(app("CrashLoopBackOff", restartCount=3))
    pull = pod(app("ErrImagePull", "no such image"))
    assert "can't be pulled" in problem([crash, pull])


def test_pods_are_counted_by_revision_and_ready_ones_have_no_problem() -> None:
    found = pods_by_revision([deployment(3, 3, 1), deployment(2, 1)], [pod(app("ErrImagePull"))])
    assert (found[1].wanted, found[1].ready, found[1].problem) == (3, 3, "")
    assert (found[2].wanted, found[2].ready) == (2, 1)
    assert "can't be pulled" in found[2].problem


def test_a_pod_on_its_way_out_has_no_problem() -> None:
    leaving = pod(app("CrashLoopBackOff", restartCount=9))
    leaving["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    assert pods_by_revision([deployment(1, 0)], [leaving])[2].problem == ""


def test_a_pod_calls_through_its_proxy_once_that_has_started() -> None:
    assert has_proxy(pod(app()))
    assert not has_proxy(pod(app(), proxy=False))
    assert not has_proxy(pod(app(), podIP=None))


def test_a_pod_that_ends_and_is_ready_no_more_calls_nobody() -> None:
    leaving = pod(app())
    leaving["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    assert not has_proxy(leaving)
    leaving["status"]["conditions"] = [{"type": "Ready", "status": "True"}]
    assert has_proxy(leaving)


def test_a_migration_is_done_failed_or_running() -> None:
    def job(kind: str) -> dict[str, Any]:
        return {"status": {"conditions": [{"type": kind, "status": "True"}]}}

    assert migration_of(None) is None
    assert migration_of({"status": {}}) == "running"
    assert migration_of(job("Complete")) == "done"
    assert migration_of(job("Failed")) == "failed"


def told(**more: Any) -> dict[str, Any]:
    found = pod(app())
    found["metadata"] |= {"annotations": {"seatrial.dev/role": "canary", "seatrial.dev/weight": "10"}, **more}
    return found


def test_a_pod_is_told_what_its_revision_has_now_and_only_when_it_says_something_else() -> None:
    shares = {2: PodShare("canary", 10)}
    assert untold([told()], shares) == []
    changed = told(annotations={"seatrial.dev/role": "canary", "seatrial.dev/weight": "0"})
    without = pod(app())
    assert untold([changed, without], shares) == [(p, shares[2].annotations) for p in (changed, without)]


def test_pods_that_end_or_belong_to_no_revision_are_told_nothing() -> None:
    shares = {2: PodShare("stable", 100)}
    migrating = told()
    del migrating["metadata"]["labels"]["seatrial.dev/revision"]
    ended = told()
    ended["status"]["phase"] = "Succeeded"
    assert untold([told(deletionTimestamp="2026-01-01T00:00:00Z"), migrating, ended], shares) == []


def test_a_container_that_ended_for_the_first_time_is_named_before_it_is_started_again() -> None:
    ended: dict[str, Any] = {"state": {"terminated": {"exitCode": 1, "reason": "Error"}}}
    assert "ended with exit code 1 (0 restarts)" in problem([pod(app(**ended))])
