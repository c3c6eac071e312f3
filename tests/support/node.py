"""Processes of pods, reached through the node that they run on, by the UID of their pod."""

import subprocess

NODE = "seatrial-control-plane"

# Run in the node with a pod's UID, a signal, and the program that is meant (empty: all). A kubelet that deletes a pod
# says SIGTERM first, however little time it is given.
_SIGNAL = r"""
pids=$(grep -lE "pod($1|$(echo "$1" | tr - _))" /proc/[0-9]*/cgroup 2>/dev/null | cut -d/ -f3)
for pid in $pids; do
  test -z "$3" || test "$(cat /proc/$pid/comm)" = "$3" || continue
  kill "-$2" "$pid" && found=yes
done
test -n "$found"
"""


def signal_pod(uid: str, signal: str, program: str = "") -> None:
    """Send a signal (``KILL``, ``STOP``, …) to a pod's processes, or to those of one program."""
    send = ["docker", "exec", NODE, "sh", "-c", _SIGNAL, "signal", uid, signal, program]
    done = subprocess.run(send, capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 0, f"no process of pod {uid} got SIG{signal}: {done.stderr}"
