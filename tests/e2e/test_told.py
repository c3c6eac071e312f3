"""What a pipeline and a person are told of rollouts: how `wait` ends, why a verb is refused, what the log says."""

import subprocess

from support.kubectl import CONTEXT
from support.place import Place


def test_wait_ends_as_the_rollout_does_and_the_log_has_it_all(place: Place) -> None:
    service = place.actor("orders", replicas=1, rollout={"steps": [30], "hold": "600s", "analysis": None})
    service.apply()
    assert ends(place, "wait", "orders") == (0, "orders: revision 1 is stable")
    code, why = ends(place, "pause", "orders")
    assert code == 1
    assert "orders has no rollout under way; its stable revision is 1" in why
    service.apply(env={"RELEASE": "two"})
    service.await_weight(2, 30)
    assert ends(place, "wait", "orders", "--timeout", "1s")[0] == 3
    place.seatrial("pause", "orders")
    assert ends(place, "wait", "orders")[0] == 2
    place.seatrial("resume", "orders")
    service.await_phase(2, "Shifting")
    service.apply(env={"RELEASE": "three"})
    assert ends(place, "wait", "orders", "--revision", "2")[0] == 4
    service.await_weight(3, 30)
    place.seatrial("promote", "orders")
    assert ends(place, "wait", "orders") == (0, "orders: revision 3 is stable")
    service.apply(env={"CRASH": "start"}, rollout={"progressDeadline": "25s"})
    code, why = ends(place, "wait", "orders")
    assert code == 1
    assert "not ready within 25s: container app of orders-4-" in why
    assert "ended with exit code 1" in why
    log = place.seatrial("history", "orders")
    assert all(phase in log for phase in ("Succeeded", "Superseded", "Failed")), log
    assert "not ready within 25s" in " ".join(place.seatrial("explain", "orders-4").split())
    assert "orders-4" in service.kubectl("get", "rev")


def ends(place: Place, *args: str) -> tuple[int, str]:
    """Exit code of our command, and the last line that it says."""
    argv = ["seatrial", *args, "-n", place.namespace, "--context", CONTEXT]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False)
    said = f"{done.stdout}{done.stderr}".splitlines()
    return done.returncode, said[-1] if said else ""
