"""The cache on disk: used only where nobody else can write, and only where there is a place."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from schuss.native import disk_cache

as_root = pytest.mark.skipif(
    not hasattr(os, "getuid") or os.getuid() != 0, reason="needs root, to give files away"
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SCHUSS_CACHE", str(tmp_path / "cache"))
    disk_cache.write("name", b"content")
    assert disk_cache.read("name") == b"content"
    return tmp_path / "cache"


def test_what_is_kept_is_read_again_unless_it_is_damaged(folder: Path) -> None:
    assert disk_cache.why_unused() is None
    assert disk_cache.read("other") is None
    (folder / "name").write_bytes((folder / "name").read_bytes()[:-1])
    assert disk_cache.read("name") is None


@pytest.mark.parametrize("mode", [0o722, 0o770, 0o777, 0o1777])
def test_a_folder_that_others_may_write_to_is_not_used(folder: Path, mode: int) -> None:
    folder.chmod(mode)
    assert disk_cache.read("name") is None
    disk_cache.write("more", b"content")
    assert not (folder / "more").exists()
    assert f"others may write to {folder}" in str(disk_cache.why_unused())
    folder.chmod(0o755)
    assert disk_cache.read("name") == b"content"
    (folder / "name").chmod(0o666)
    assert disk_cache.read("name") is None


@as_root
@pytest.mark.parametrize("what", ["cache", "cache/name"])
def test_what_belongs_to_another_user_is_not_used(folder: Path, what: str) -> None:
    os.chown(folder.parent / what, 12345, 12345)
    assert disk_cache.read("name") is None
    if what == "cache":
        assert f"{folder} belongs to another user" in str(disk_cache.why_unused())


def test_links_and_pipes_are_not_followed(folder: Path) -> None:
    (folder / "name").rename(folder / "moved")
    (folder / "name").symlink_to(folder / "moved")
    assert disk_cache.read("name") is None
    os.mkfifo(folder / "pipe", 0o600)
    assert disk_cache.read("pipe") is None


def test_without_a_home_folder_all_works_and_it_is_said(tmp_path: Path) -> None:
    program = """if True:
        import os, pwd, sys
        for name in ("HOME", "SCHUSS_CACHE", "XDG_CACHE_HOME"):
            os.environ.pop(name, None)
        def unknown(uid):
            raise KeyError(uid)
        pwd.getpwuid = unknown
        import schuss as ss
        assert ss.compile(lambda x: x * 2.0)(ss.ones(2)).tolist() == [2.0, 2.0]
        from schuss.cli import main
        sys.exit(main(sys.argv[1:]))
    """
    said = "compiled programs are not kept: there is no home folder; SCHUSS_CACHE can name a folder"
    for words, count in (
        (["train", "iris", "--epochs", "2", "--out", "run"], 1),
        (["train", "iris", "--epochs", "2", "--out", "other", "--quiet"], 0),
        (["doctor"], 0),
    ):
        done = subprocess.run(
            [sys.executable, "-c", program, *words],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert done.stderr.count(said) == count
        warning = "warning: programs are not kept on disk: there is no home folder"
        assert done.stdout.count(warning) == (words == ["doctor"])


def test_what_was_not_used_for_longest_makes_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCHUSS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(disk_cache, "_MOST_BYTES", 3500)
    monkeypatch.setattr(disk_cache, "_WRITES_BETWEEN", 1)
    for number in range(3):
        disk_cache.write(f"{number}.o", bytes(1000))
        os.utime(tmp_path / "cache" / f"{number}.o", (number, number))
    other = tmp_path / "cache" / "mine.txt"
    other.write_bytes(bytes(9000))
    assert disk_cache.read("0.o") == bytes(1000)
    disk_cache.write("3.o", bytes(1000))
    kept = [n for n in range(4) if disk_cache.read(f"{n}.o") is not None]
    assert kept == [0, 2, 3]
    assert other.exists()
