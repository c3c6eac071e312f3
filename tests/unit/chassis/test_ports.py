from pathlib import Path

from chassis.ports import listen


def test_a_port_is_none_that_an_outgoing_connection_could_get() -> None:
    first, _ = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text(encoding="utf-8").split()
    with listen() as one, listen() as another:
        ports = {one.getsockname()[1], another.getsockname()[1]}
    assert len(ports) == 2
    assert max(ports) < int(first)


def test_a_port_can_be_come_back_to() -> None:
    with listen() as one:
        port = one.getsockname()[1]
    with listen(port) as again:
        assert again.getsockname()[1] == port
