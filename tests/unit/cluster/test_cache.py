import threading
from pathlib import Path

import pytest

from cluster.cache import cache_root, content_key, exclusive, fresh_folder


def test_the_cache_is_where_the_user_wants_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEATRIAL_CACHE", str(tmp_path / "a"))
    assert cache_root() == tmp_path / "a"
    monkeypatch.delenv("SEATRIAL_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "b"))
    assert cache_root() == tmp_path / "b" / "seatrial"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "c"))
    assert cache_root() == tmp_path / "c" / ".cache" / "seatrial"
    assert cache_root().is_dir()


def test_a_key_is_twelve_hex_digits_and_the_same_for_the_same_content() -> None:
    assert content_key("a", b"b") == content_key("a", b"b")
    assert len(content_key()) == 12
    int(content_key("a"), 16)


def test_a_key_tells_order_and_borders_of_parts_apart() -> None:
    keys = {content_key("ab", "c"), content_key("a", "bc"), content_key("c", "ab"), content_key("abc")}
    assert len(keys) == 4


def test_a_key_of_a_folder_is_its_files_names_content_and_right_to_run(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    (folder / "inner").mkdir(parents=True)
    file = folder / "inner" / "file"
    file.write_text("1")
    keys = [content_key(folder)]
    file.write_text("2")
    keys.append(content_key(folder))
    file.chmod(0o755)
    keys.append(content_key(folder))
    file.rename(folder / "inner" / "renamed")
    keys.append(content_key(folder))
    assert len(set(keys)) == 4


def test_a_key_does_not_see_what_python_leaves_behind_nor_where_a_folder_stands(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text("1")
    (tmp_path / "one" / "__pycache__").mkdir()
    (tmp_path / "one" / "__pycache__" / "file.pyc").write_text("1")
    assert content_key(tmp_path / "one") == content_key(tmp_path / "two")


def test_a_path_that_is_missing_has_no_key(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        content_key(tmp_path / "nowhere")


def test_a_folder_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "entries" / "entry"
    with pytest.raises(FileNotFoundError), fresh_folder(target) as folder:
        (folder / "half").write_bytes((tmp_path / "nowhere").read_bytes())
    assert list(target.parent.iterdir()) == []
    with fresh_folder(target) as folder:
        (folder / "whole").touch()
        assert not target.exists()
    assert [path.name for path in target.iterdir()] == ["whole"]


def test_a_lock_is_held_by_one_at_a_time() -> None:
    order: list[str] = []
    waiting = threading.Event()

    def other() -> None:
        with exclusive("place", busy=waiting.set):
            order.append("other")

    with exclusive("place"):
        thread = threading.Thread(target=other)
        thread.start()
        assert waiting.wait(10)
        order.append("first")
    thread.join(10)
    assert order == ["first", "other"]
