from pathlib import Path

import pytest

from cluster.images.lock import digest_among, lock_digest, parse_reference, read_lock

ONE = "sha256:" + 64 * "1"
TWO = "sha256:" + 64 * "2"


@pytest.mark.parametrize(
    ("text", "repository", "tag"),
    [
        ("python:3.13-slim", "docker.io/library/python", "3.13-slim"),
        ("python", "docker.io/library/python", "latest"),
        ("istio/pilot:1.31.1", "docker.io/istio/pilot", "1.31.1"),
        ("docker.io/istio/pilot:1.31.1", "docker.io/istio/pilot", "1.31.1"),
        ("docker.io/python:3", "docker.io/library/python", "3"),
        ("registry.k8s.io/coredns/coredns:v1", "registry.k8s.io/coredns/coredns", "v1"),
        ("localhost/a:1", "localhost/a", "1"),
        ("127.0.0.1:5000/a/b:1", "127.0.0.1:5000/a/b", "1"),
        ("seatrial/orders:0123456789ab", "docker.io/seatrial/orders", "0123456789ab"),
    ],
)
def test_a_reference_is_read_as_docker_reads_it(text: str, repository: str, tag: str) -> None:
    reference = parse_reference(text)
    assert (reference.repository, reference.tag) == (repository, tag)


def test_a_reference_at_a_digest_has_no_tag() -> None:
    assert parse_reference("istio/pilot:1").at(ONE) == f"docker.io/istio/pilot@{ONE}"


def test_the_digest_is_that_of_the_same_repository() -> None:
    known = [f"seatrial/node@{ONE}", f"kindest/node@{TWO}"]
    assert digest_among(known, parse_reference("docker.io/kindest/node:v1.36.4")) == TWO
    assert digest_among(known, parse_reference("docker.io/other/node:v1.36.4")) is None


def test_a_lock_that_was_never_written_is_empty(tmp_path: Path) -> None:
    assert read_lock(tmp_path / "digests.lock") == {}


def test_digests_are_added_to_the_lock_and_stay(tmp_path: Path) -> None:
    lock = tmp_path / "digests.lock"
    lock_digest("istio/pilot:1", ONE, lock)
    lock_digest("istio/proxyv2:1", TWO, lock)
    assert read_lock(lock) == {"istio/pilot:1": ONE, "istio/proxyv2:1": TWO}
    assert [file.name for file in tmp_path.iterdir()] == ["digests.lock"]
