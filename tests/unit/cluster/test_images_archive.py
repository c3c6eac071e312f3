import hashlib
import io
import json
import tarfile
from pathlib import Path

from cluster.images.archive import Archive, File


def written(path: Path, program: Path) -> dict[str, bytes]:
    with Archive(path) as archive:
        root = archive.layer_from(_root(path.parent))
        own = archive.layer_of(
            [
                File("/bin/program", 0o755, source=program),
                File("/etc/link", link="/bin/program"),
                File("/etc/text", text="ünïcode\n"),
            ]
        )
        archive.image("example/first:1", [root, own], {"Entrypoint": ["/bin/program"]})
        archive.image("example/second:1", [root], {})
    with tarfile.open(path) as tar:
        return {member.name: tar.extractfile(member).read() for member in tar.getmembers()}  # type: ignore[union-attr]


def _root(folder: Path) -> Path:
    root = folder / "root.tar"
    with tarfile.open(root, "w") as tar:
        tar.addfile(tarfile.TarInfo("file-of-the-root"))
    return root


def _program(folder: Path) -> Path:
    program = folder / "program"
    program.write_bytes(b"\x7fELF" + bytes(1000))
    return program


def test_images_on_one_root_share_its_layer(tmp_path: Path) -> None:
    members = written(tmp_path / "images.tar", _program(tmp_path))
    first, second = json.loads(members["manifest.json"])
    assert first["RepoTags"] == ["example/first:1"]
    assert first["Layers"][:1] == second["Layers"]
    assert len(first["Layers"]) == 2


def test_an_image_names_its_layers_by_their_content(tmp_path: Path) -> None:
    members = written(tmp_path / "images.tar", _program(tmp_path))
    first = json.loads(members["manifest.json"])[0]
    config = json.loads(members[first["Config"]])
    digests = [f"sha256:{hashlib.sha256(members[name]).hexdigest()}" for name in first["Layers"]]
    assert config["rootfs"]["diff_ids"] == digests
    assert first["Config"] == f"{hashlib.sha256(members[first['Config']]).hexdigest()}.json"
    assert config["config"] == {"Entrypoint": ["/bin/program"]}


def test_a_layer_holds_files_links_and_texts_with_their_modes(tmp_path: Path) -> None:
    program = _program(tmp_path)
    members = written(tmp_path / "images.tar", program)
    layer = members[json.loads(members["manifest.json"])[0]["Layers"][1]]
    with tarfile.open(fileobj=io.BytesIO(layer)) as tar:
        found = {member.name: member for member in tar.getmembers()}
        assert found["bin/program"].mode == 0o755
        assert found["etc/link"].linkname == "/bin/program"
        assert tar.extractfile("bin/program").read() == program.read_bytes()  # type: ignore[union-attr]
        assert tar.extractfile("etc/text").read().decode() == "ünïcode\n"  # type: ignore[union-attr]


def test_the_same_input_makes_the_same_archive(tmp_path: Path) -> None:
    program = _program(tmp_path)
    written(tmp_path / "one.tar", program)
    written(tmp_path / "two.tar", program)
    assert (tmp_path / "one.tar").read_bytes() == (tmp_path / "two.tar").read_bytes()
