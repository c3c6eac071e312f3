from cluster.images.load import node_name, parse_marks

LISTING = """\
REF                          TYPE DIGEST SIZE  PLATFORMS   LABELS
docker.io/seatrial/orders:1  x    y      1 MiB linux/amd64 a=b,seatrial.dev/docker-id=sha256:a,z=1
docker.io/seatrial/catalog:1 x    y      1 MiB linux/amd64 io.cri-containerd.image=managed
registry.k8s.io/pause:3.10.2 x    y      1 MiB linux/amd64 -

"""


def test_only_images_that_were_loaded_to_the_end_are_marked() -> None:
    assert parse_marks(LISTING) == {"docker.io/seatrial/orders:1": "sha256:a"}


def test_an_empty_node_has_no_marks() -> None:
    assert parse_marks("") == {}


def test_the_node_knows_images_by_their_full_names() -> None:
    assert node_name("seatrial/orders:1") == "docker.io/seatrial/orders:1"
    assert node_name("registry.k8s.io/pause:3.10.2") == "registry.k8s.io/pause:3.10.2"
