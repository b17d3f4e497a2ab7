from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import re
import zipfile
from pathlib import Path

import pytest

from schuss.data import read_table
from schuss.errors import DataError


def refuses(path: Path | str, message: str) -> None:
    """Hold the whole message, so that a change of it is seen."""
    with pytest.raises(DataError, match=f"^{re.escape(message)}$") as caught:
        read_table(path)
    assert "\n" not in str(caught.value)


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def write(name: str, content: str | bytes) -> str:
    data = content if isinstance(content, bytes) else content.encode()
    Path(name).write_bytes(data)
    return name


def test_missing_file_names_the_nearest():
    write("people.csv", "a,b\n1,2\n")
    refuses("peple.csv", "peple.csv: there is no such file; did you mean 'people.csv'?")


def test_missing_file_with_nothing_near():
    refuses("zzz.csv", "zzz.csv: there is no such file; check the path.")


def test_missing_folder():
    refuses(
        "no/x.csv", "no/x.csv: there is no such file; nor is there a folder no; check the path."
    )


def test_another_ending_of_the_same_name_is_near():
    write("people.csv.gz", gzip.compress(b"a\n1\n"))
    refuses("people.tsv", "people.tsv: there is no such file; did you mean 'people.csv.gz'?")


def test_folder_where_a_file_is_expected():
    Path("table.csv").mkdir()
    refuses("table.csv", "table.csv: expected a file, got a folder; name the file inside it.")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names here")
def test_pipe_where_a_file_is_expected():
    os.mkfifo("pipe.csv")
    refuses("pipe.csv", "pipe.csv: expected a file, got something else; copy it to a file first.")


@pytest.mark.parametrize("content", ["", "\n", "  \n\n", "\ufeff"])
def test_empty_file(content):
    refuses(
        write("e.csv", content),
        "e.csv: the file is empty; expected a line of column names and rows.",
    )


def test_empty_gzip():
    refuses(
        write("e.csv.gz", gzip.compress(b"")),
        "e.csv.gz: the file is empty; expected a line of column names and rows.",
    )


@pytest.mark.parametrize("content", ["a,b\n", "a,b", "a,b\r\n\r\n"])
def test_header_only(content):
    refuses(
        write("h.csv", content),
        "h.csv: there are column names but no rows; expected one row for each example.",
    )


def test_binary_file():
    refuses(
        write("b.csv", b"a,b\n1,\0\n"),
        "b.csv: expected text, got a binary file (a zero byte at byte 7); "
        "save the table as CSV in UTF-8.",
    )


def test_binary_far_down():
    content = b"a,b\n" + b"1,2\n" * 2_000_000 + b"\0"
    refuses(
        write("b.csv", content),
        f"b.csv: expected text, got a binary file (a zero byte at byte {len(content):,}); "
        "save the table as CSV in UTF-8.",
    )


@pytest.mark.parametrize(
    ("magic", "message"),
    [
        (b"PAR1", "a Parquet file; name it .parquet."),
        (b"%PDF-1.7", "a PDF document; save the table as CSV."),
    ],
)
def test_another_format_under_the_name_of_csv(magic, message):
    refuses(write("x.csv", magic + b" and so on"), f"x.csv: expected text, got {message}")


def test_wrong_encoding_names_line_and_byte():
    refuses(
        write("l.csv", "name,b\na,1\nJosé,2\n".encode("latin-1")),
        "l.csv, line 3: byte 0xe9 (byte 4 of the line) is not UTF-8; save the file as UTF-8, "
        "or say what it is in, such as encoding latin-1 or windows-1252 (--encoding).",
    )


def test_wrong_encoding_inside_gzip_and_far_down():
    content = b"name,b\n" + b"a,1\n" * 600_000 + b"\xff,2\n"
    refuses(
        write("l.csv.gz", gzip.compress(content, 1)),
        "l.csv.gz, line 600002: byte 0xff (byte 1 of the line) is not UTF-8; save the file as "
        "UTF-8, or say what it is in, such as encoding latin-1 or windows-1252 (--encoding).",
    )


def test_utf8_with_a_mark_and_utf16_are_read():
    assert read_table(write("m.csv", "\ufeffname,b\né,2\n")).names == ["name", "b"]
    assert read_table(write("w.csv", "name\tb\né\t2\n".encode("utf-16")))["name"].tolist() == ["é"]


def test_utf16_cut_off():
    refuses(
        write("w.csv", "name,b\né,2\n".encode("utf-16")[:-1]),
        "w.csv: the UTF-16 text is cut off or damaged; save the file as UTF-8.",
    )


def test_gzip_whatever_its_name():
    write("g.csv", gzip.compress(b"a,b\n1,2\n"))
    assert read_table("g.csv").rows == 1


@pytest.mark.parametrize("damage", ["cut", "altered", "header alone"])
def test_damaged_gzip(damage):
    whole = gzip.compress(os.urandom(50_000).hex().encode())
    data = {
        "cut": whole[:-200],
        "altered": whole[:100] + b"xxxx" + whole[104:],
        "header alone": whole[:5],
    }[damage]
    refuses(
        write("g.csv.gz", data),
        "g.csv.gz: the gzip data is cut off or damaged; copy or compress the file again.",
    )


def test_gzip_only_by_name():
    refuses(
        write("g.csv.gz", "a,b\n1,2\n"),
        "g.csv.gz: expected gzip data, as the name says, got something else; compress it again, "
        "or take the .gz from its name.",
    )


PACK = {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress}
NAMED = {"gz": "gzip", "bz2": "bzip2", "xz": "xz"}


@pytest.mark.parametrize("ending", PACK)
def test_compressed_files(ending):
    packed = PACK[ending](b"a,b\n" + b"1,2\n" * 5000)
    assert read_table(write(f"t.csv.{ending}", packed)).rows == 5000
    assert read_table(write("under_another_name.csv", packed)).rows == 5000
    name = NAMED[ending]
    refuses(
        write(f"cut.csv.{ending}", packed[:-8]),
        f"cut.csv.{ending}: the {name} data is cut off or damaged; copy or compress the file "
        "again.",
    )
    refuses(
        write(f"plain.csv.{ending}", "a\n1\n"),
        f"plain.csv.{ending}: expected {name} data, as the name says, got something else; "
        f"compress it again, or take the .{ending} from its name.",
    )


def pack(name: str, **members: str) -> str:
    with zipfile.ZipFile(name, "w") as archive:
        for member, content in members.items():
            archive.writestr(member.replace("__", "."), content)
    return name


def test_zip_files():
    assert read_table(pack("t.zip", t__tsv="a,b\tc\n1,5\t2\n")).names == ["a,b", "c"]
    assert read_table(pack("t.csv.zip", anything="a,b\n1,5\n")).names == ["a", "b"]
    assert read_table(pack("t.jsonl.zip", x__jsonl='{"a": 1}\n')).names == ["a"]
    refuses(
        pack("two.zip", a__csv="a\n1\n", b__csv="b\n1\n"),
        "two.zip: expected one file in the zip, got 2 (a.csv, b.csv); unpack it.",
    )
    refuses(
        write("cut.zip", Path("t.zip").read_bytes()[:40]),
        "cut.zip: the zip data is cut off or damaged; copy or compress the file again.",
    )


def test_an_address():
    refuses(
        "https://example.com/a.csv",
        "https://example.com/a.csv: expected a file, got an address; download it first.",
    )


@pytest.mark.parametrize(
    "content", ["a,b\n1,2\n", "a\tb\n1\t2\n", '{"a": 1, "b": 2}\n', '[{"a": 1, "b": 2}]']
)
@pytest.mark.parametrize("packed", [False, True])
def test_standard_input(monkeypatch, content, packed):
    data = gzip.compress(content.encode()) if packed else content.encode()
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(data)))
    table = read_table("-")
    assert list(table.records()) == [("1", "2")]
    assert table.source == "standard input"


def test_standard_input_that_is_no_table(monkeypatch):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"a,b\n1,2\n1,2,3\n")))
    refuses(
        "-",
        "standard input, line 3: expected 2 fields, got 3; quote a field that holds a comma, or "
        "take the extra one out.",
    )


def test_parquet_from_standard_input(monkeypatch):
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    parquet.write_table(pyarrow.table({"a": [1, 2]}), "t.parquet")
    data = io.BytesIO(Path("t.parquet").read_bytes())
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(data))
    assert read_table("-").rows == 2
