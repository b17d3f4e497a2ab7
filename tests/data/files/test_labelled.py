from __future__ import annotations

import os
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest

from schuss.data.files import source
from schuss.data.files.labelled import LabelledFiles, find_files
from schuss.data.tables.reading import gather
from schuss.data.tables.table import Table
from schuss.errors import DataError, UsageError

SUFFIXES = (".png",)


def write(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(name.encode())
    return root


def pairs(found: LabelledFiles | None) -> dict[str, str | None]:
    assert found is not None
    return dict(zip(found.names, found.labels, strict=True))


def test_one_folder_a_class_and_what_is_passed_over(tmp_path: Path) -> None:
    root = write(
        tmp_path / "data", "a/1.png", "a/deep/er/2.PNG", "10/3.png", "9/4.png", "b/.hid.png",
        ".git/5.png", "b/notes.txt", "__MACOSX/a/1.png", "日本/ü.png",
    )  # fmt: skip
    found = find_files(root, SUFFIXES)
    assert pairs(found) == {
        "a/1.png": "a", "a/deep/er/2.PNG": "a", "10/3.png": "10", "9/4.png": "9",
        "日本/ü.png": "日本",
    }  # fmt: skip
    assert found is not None
    assert found.classes == ["9", "10", "a", "日本"]
    assert found.form == "folder"
    assert found.source.read("a/1.png") == b"a/1.png"
    assert find_files(write(tmp_path / "other", "a/1.txt"), SUFFIXES) is None
    assert find_files({"a": [1]}, SUFFIXES) is None
    assert pairs(find_files(root / "9" / "4.png", SUFFIXES)) == {"4.png": None}


def test_links_that_lead_out_are_named(tmp_path: Path) -> None:
    root = write(tmp_path / "data", "a/1.png", "b/2.png")
    write(tmp_path, "secret.png", "elsewhere/3.png")
    os.symlink(tmp_path / "secret.png", root / "a" / "out.png")
    os.symlink(tmp_path / "elsewhere", root / "a" / "folder")
    os.symlink(root / "a" / "1.png", root / "b" / "in.png")
    os.symlink(root, root / "b" / "around")
    found = find_files(root, SUFFIXES)
    assert set(pairs(found)) == {"a/1.png", "b/2.png", "b/in.png"}
    assert found is not None
    assert {(one.name, one.why) for one in found.left_out} == {
        ("a/out.png", "a link that leads out of the folder"),
        ("a/folder", "a link that leads out of the folder"),
    }


def test_folders_that_cannot_be_read_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = write(tmp_path / "data", "a/1.png", "b/2.png")
    scandir = os.scandir

    def refuse(path: str) -> object:
        if path.endswith("b"):
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    found = find_files(root, SUFFIXES)
    assert pairs(found) == {"a/1.png": "a"}
    assert found is not None
    assert [(one.name, one.why) for one in found.left_out] == [
        ("b", "a folder that cannot be read")
    ]


@pytest.mark.parametrize("ending", ["zip", "tar", "tar.gz", "tar.xz"])
def test_archives_of_such_a_folder(tmp_path: Path, ending: str) -> None:
    root = write(tmp_path / "data", "a/1.png", "b/2.png", "b/x/3.png")
    path = tmp_path / f"data.{ending}"
    if ending == "zip":
        with zipfile.ZipFile(path, "w") as packed:
            for file in sorted(root.rglob("*.png")):
                packed.write(file, file.relative_to(tmp_path))
    else:
        with tarfile.open(path, f"w:{ending.partition('.')[2]}") as packed:
            packed.add(root, "data")
    found = find_files(path, SUFFIXES)
    assert pairs(found) == {"a/1.png": "a", "b/2.png": "b", "b/x/3.png": "b"}
    assert found is not None
    assert found.source.read("b/x/3.png") == b"b/x/3.png"
    found.source.close()
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(DataError, match="cannot be read as an archive"):
        find_files(path, SUFFIXES)


def test_an_archive_that_would_fill_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source, "_FREELY", 1 << 20)
    root = write(tmp_path / "data", "a/1.png")
    (root / "a" / "2.png").write_bytes(bytes(1 << 23))
    path = tmp_path / "bomb.tar.gz"
    with tarfile.open(path, "w:gz") as packed:
        packed.add(root, "data")
    with pytest.raises(DataError, match="more than 200 times as large uncompressed"):
        find_files(path, SUFFIXES)


def test_a_table_of_labels_beside_the_files(tmp_path: Path) -> None:
    root = write(tmp_path / "data", "1.png", "2.png", "3.png", "x/4.png")
    rows = "file,label\n1.png,cat\n2.png,dog\nx/4.png,cat\ngone.png,dog\n"
    (root / "labels.csv").write_text(rows)
    found = find_files(root, SUFFIXES)
    assert pairs(found) == {"1.png": "cat", "2.png": "dog", "x/4.png": "cat"}
    assert found is not None
    assert {(one.name, one.why) for one in found.left_out} == {
        ("gone.png", "listed, but not there"), ("3.png", "without a label")
    }  # fmt: skip
    (root / "labels.csv").write_text("file,a,b\n1.png,x,y\n2.png,y,x\n")
    with pytest.raises(UsageError, match="expected the target.*the columns a, b"):
        find_files(root, SUFFIXES)
    assert pairs(find_files(root, SUFFIXES, "b")) == {"1.png": "y", "2.png": "x"}
    with pytest.raises(UsageError, match="no column 'c'; there are a, b"):
        find_files(root, SUFFIXES, "c")
    (root / "labels.csv").write_text("file,label\n1,x\n2,y\n")
    with pytest.raises(DataError, match="expected a column with the names of the files beside it"):
        find_files(root, SUFFIXES)


def test_a_table_with_a_column_of_paths(tmp_path: Path) -> None:
    write(tmp_path, "p/1.png", "p/2.png")
    table = tmp_path / "photos.csv"
    table.write_text("id,photo,kind\n1,p/1.png,cat\n2,p/2.png,dog\n")
    found = find_files(table, SUFFIXES, "kind")
    assert pairs(found) == {"p/1.png": "cat", "p/2.png": "dog"}
    assert found is not None
    assert found.form == "table of paths"
    assert found.source.read("p/2.png") == b"p/2.png"
    table.write_text("id,photo,kind\n1,no.png,cat\n")
    assert find_files(table, SUFFIXES) is None


def test_a_long_table_with_a_column_of_paths(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gather, "_BATCH", 4)  # its text is coded from the first block on
    write(tmp_path, "p/1.png", "p/2.png")
    table = tmp_path / "photos.csv"
    table.write_text("photo,kind\np/1.png,cat\np/2.png,dog\n")
    assert pairs(find_files(table, SUFFIXES, "kind")) == {"p/1.png": "cat", "p/2.png": "dog"}


def test_a_wide_table_without_paths_is_cut_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    take, taken = Table.take, []

    def counted(self: Table, rows: Any) -> Table:
        taken.append(rows)
        return take(self, rows)

    monkeypatch.setattr(Table, "take", counted)
    table = tmp_path / "wide.csv"
    table.write_text(",".join(f"x{k}" for k in range(50)) + "\n" + ",".join("a" * 50) + "\n")
    assert find_files(table, SUFFIXES) is None
    assert len(taken) <= 2
