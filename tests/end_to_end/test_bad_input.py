"""Bad input: one clear line on standard error, exit status 2, and nothing written half."""

from __future__ import annotations

import json
import os
import random
import shutil
import sys
from pathlib import Path

import pytest

HEAD = "size,colour,bought\n"


def rows(count: int = 60) -> list[str]:
    draw = random.Random(0)
    return [
        f"{draw.random():.3f},{draw.choice('xyz')},{draw.choice(['yes', 'no'])}"
        for _ in range(count)
    ]


def table(lines: list[str], head: str = HEAD) -> str:
    return head + "\n".join(lines) + "\n"


GOOD = table(rows())

# Name, contents, target, and the line that is said after "schuss train: NAME".
FILES = [
    ("empty.csv", "", "bought", ": the file is empty; expected a line of column names and rows."),
    (
        "header.csv",
        HEAD,
        "bought",
        ": there are column names but no rows; expected one row for each example.",
    ),
    (
        "short.csv",
        table([*rows(20), "1,2"]),
        "bought",
        ", line 22: expected 3 fields, got 2; fill in the missing fields, or delete the line.",
    ),
    (
        "long.csv",
        table([*rows(20), "1,2,3,4", *rows(2)]),
        "bought",
        ", line 22: expected 3 fields, got 4; quote a field that holds a comma, or take the extra "
        "one out.",
    ),
    (
        "binary.csv",
        bytes(range(256)) * 9,
        "bought",
        ": expected text, got a binary file (a zero byte at byte 1); save the table as CSV in "
        "UTF-8.",
    ),
    (
        "latin.csv",
        (HEAD + "1.0,gr\xfcn,yes\n").encode("latin-1"),
        "bought",
        ", line 2: byte 0xfc (byte 7 of the line) is not UTF-8; save the file as UTF-8, or say "
        "what it is in, such as encoding latin-1 or windows-1252 (--encoding).",
    ),
    ("target.csv", GOOD, "bougth", ": there is no target column 'bougth'; did you mean 'bought'?"),
    ("none.csv", GOOD, None, None),
    (
        "class.csv",
        table([line.rpartition(",")[0] + ",yes" for line in rows()]),
        "bought",
        ": the target 'bought' is 'yes' in all 60 rows (one class); choose a column that varies.",
    ),
    (
        "constant.csv",
        table([f"{k},3.5" for k in range(50)], "a,b\n"),
        "b",
        ": the target 'b' is 3.5 in all 50 rows; choose a column that varies.",
    ),
    (
        "infinite.csv",
        table([*rows(10), "inf,x,yes", *rows(10)]),
        "bought",
        ", line 12, column 'size': expected a finite number, got 'inf'; correct it, or leave it "
        "empty if it is missing.",
    ),
    (
        "far.csv",
        table([*[f"{1.1 * k},{2.2 * k}" for k in range(50)], "3,-inf"], "a,b\n"),
        "b",
        ", line 52, column 'b': expected a finite target, got '-inf'; correct it, or leave it "
        "empty to leave the row out.",
    ),
    (
        "one.csv",
        table(rows(1)),
        "bought",
        ": expected at least 2 rows to learn from, got 1; add rows.",
    ),
    (
        "many.csv",
        table([f"{1.1 * k},name{k}" for k in range(10_000)], "a,b\n"),
        "b",
        ": the target 'b' has 10,000 classes in 10,000 rows, so it looks like an identifier; "
        "choose a column whose values repeat.",
    ),
]


@pytest.mark.parametrize(("name", "contents", "target", "line"), FILES, ids=[f[0] for f in FILES])
def test_tables(
    schuss, tmp_path: Path, name: str, contents: str | bytes, target: str | None, line: str | None
) -> None:
    path = tmp_path / name
    path.write_bytes(contents if isinstance(contents, bytes) else contents.encode())
    done = schuss("train", name, *(["--target", target] if target else []))
    if line is None:
        line = ": expected --target COLUMN; none.csv has the columns size, colour, bought."
        assert done.err == f"schuss train{line}\n"
    else:
        assert done.err == f"schuss train: {name}{line}\n"
    assert (done.status, done.out) == (2, "")
    assert list(tmp_path.iterdir()) == [path]


def test_a_missing_file(schuss, tmp_path: Path) -> None:
    (tmp_path / "people.csv").write_text(GOOD)
    done = schuss("train", "poeple.csv", "--target", "bought")
    assert done.status == 2
    assert done.err == (
        "schuss train: poeple.csv: there is no such file; did you mean 'people.csv'?\n"
    )


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (["--exclude", "colr"], "no column 'colr' to exclude; did you mean 'colour'?"),
        (["--exclude", "bought"], "the target 'bought' is excluded; leave it in."),
        (["--kind", "color=text"], "no column 'color' to give a kind to; did you mean 'colour'?"),
        (["--kind", "colour=txt"], "timestamp, text, identifier for 'colour', got 'txt'"),
        (["--group", "grp"], "no group column 'grp'; the columns are size, colour, bought"),
        (["--group", "colour", "--time", "size"], "group or time to split by, got both"),
        (["--task", "regression"], "got 'yes'; correct it, leave it empty to leave the row out, "
         "or give --task classification."),
        (["--sample-weight", "colour"], "expected a number, got"),
        (["--test", "gone.csv"], "gone.csv: there is no such file"),
        (["--validation", "good.csv", "--validation-share", "0.1"], None),
    ],
)  # fmt: skip
def test_options_that_do_not_fit_the_table(
    schuss, tmp_path: Path, options: list[str], line: str | None
) -> None:
    (tmp_path / "good.csv").write_text(GOOD)
    done = schuss("train", "good.csv", "--target", "bought", "--epochs", 1, *options)
    if line is None:
        assert done.status == 0
        return
    assert done.status == 2
    assert line in done.err
    assert done.err.count("\n") == 1
    assert not (tmp_path / "runs").exists()


def test_rows_without_a_target_are_left_out_and_counted(schuss, tmp_path: Path) -> None:
    lines = [line.rpartition(",")[0] + "," if k % 7 == 0 else line for k, line in enumerate(rows())]
    (tmp_path / "some.csv").write_text(table(lines))
    done = schuss("train", "some.csv", "--target", "bought", "--epochs", 1, "--json")
    assert done.status == 0
    assert "9 rows have no value in the target 'bought' and are left out" in done.err
    assert sum(done.json["rows"].values()) == 51


def test_a_column_of_one_value_is_left_out_and_said(schuss, tmp_path: Path) -> None:
    (tmp_path / "one.csv").write_text(table([f"7,{line}" for line in rows()], f"one,{HEAD}"))
    done = schuss("train", "one.csv", "--target", "bought", "--epochs", 1)
    assert done.status == 0
    assert "one     constant  the same value in every row (7), left out" in done.err


@pytest.fixture
def run(schuss, tmp_path: Path) -> Path:
    (tmp_path / "good.csv").write_text(GOOD)
    done = schuss("train", "good.csv", "--target", "bought", "--epochs", 1, "--out", "run")
    assert done.status == 0
    return tmp_path / "run"


def damaged(run: Path, name: str, change) -> None:
    file = run / name
    file.write_bytes(change(file.read_bytes()))


@pytest.mark.parametrize(
    ("name", "change", "line"),
    [
        ("model.safetensors", lambda b: b[: len(b) // 2], "it was truncated or altered"),
        ("model.safetensors", lambda b: b[:3], "it was truncated or altered"),
        ("model.safetensors", lambda b: b"", "it was truncated or altered"),
        ("model.safetensors", lambda b: b[:-99] + bytes([b[-99] ^ 1]) + b[-98:], "was altered"),
        ("config.json", lambda b: b[:-20], "truncated or altered"),
        ("config.json", lambda b: b.replace(b'"seed": 0', b'"seed": 7'), "it was altered"),
        ("config.json", lambda b: b"\x80" + b, "truncated or altered"),
    ],
)
def test_damaged_runs(schuss, run: Path, name: str, change, line: str) -> None:
    damaged(run, name, change)
    before = sorted(run.parent.rglob("*"))
    for words in (["predict", "run", "good.csv", "-o", "out.csv"], ["evaluate", "run", "good.csv"]):
        done = schuss(*words)
        assert (done.status, done.out) == (2, "")
        assert f"run/{name}: " in done.err
        assert line in done.err
        assert done.err.count("\n") == 1
    assert sorted(run.parent.rglob("*")) == before


def test_a_run_of_a_newer_format(schuss, run: Path) -> None:
    config = json.loads((run / "config.json").read_text())
    (run / "config.json").write_text(json.dumps(config | {"format": config["format"] + 1}))
    for words in (["predict", "run", "good.csv"], ["resume", "run"]):
        done = schuss(*words)
        assert done.status == 2
        assert "run/config.json: has format 2, this Schuss (" in done.err
        assert done.err.endswith(") knows up to 1; update Schuss.\n")


def test_what_is_no_run(schuss, run: Path) -> None:
    (run.parent / "folder").mkdir()
    for words, line in (
        (["predict", "gone", "good.csv"], "gone: there is no such run or file; check the path."),
        (["evaluate", "folder", "good.csv"], "folder: not a run, it has no config.json; check the"),
        (["predict", "good.csv", "good.csv"], "good.csv: not a whole safetensors file"),
        (["resume", "gone"], "gone: there is no such run; check the path."),
        (["train", "good.csv", "--target", "bought", "--out", "run"], "run: there is a run alr"),
        (["train", "good.csv", "--target", "bought", "--out", "good.csv"], "something else is"),
    ):
        done = schuss(*words)
        assert done.status == 2
        assert line in done.err
        assert done.err.count("\n") == 1


def test_resuming_without_its_table(schuss, run: Path) -> None:
    shutil.move(run.parent / "good.csv", run.parent / "moved.csv")
    # A run that has ended needs no table.
    assert schuss("resume", "run").status == 0


def test_predicting_bad_tables_leaves_no_output(schuss, run: Path) -> None:
    late = table([*rows(60), *rows(60_000), "1,2"], HEAD)
    (run.parent / "late.csv").write_text(late)
    (run.parent / "other.csv").write_text("a,b\n1,2\n")
    before = sorted(run.parent.rglob("*"))
    for name, out, line in (
        ("late.csv", "out.csv", "late.csv, line 60062: expected 3 fields, got 2"),
        ("late.csv", "out.jsonl.gz", "late.csv, line 60062: expected 3 fields, got 2"),
        ("other.csv", "out.csv", "other.csv: the column 'size' (and 1 more) is missing"),
        ("gone.csv", "out.csv", "gone.csv: there is no such file"),
        ("good.csv", "out.xls", "out.xls: expected a name that ends in .csv, "),
        ("good.csv", "gone/out.csv", "gone/out.csv: there is no folder gone; make it first."),
        ("good.csv", "good.csv", "good.csv: is the input itself; give another name."),
    ):
        done = schuss("predict", "run", name, "-o", out)
        assert done.status == 2
        assert line in done.err
        assert done.err.count("\n") == 1
        assert sorted(run.parent.rglob("*")) == before


def test_names_of_files_and_columns_do_not_command_a_terminal(schuss, tmp_path: Path) -> None:
    odd = "\x1b[2J\u202ered\r\nname\x07\x9b"
    lines = [f"{k % 7},{k % 5},{'ab'[k % 7 > 3]}" for k in range(60)]
    file = tmp_path / f"t{odd}.csv"
    file.write_text(f'"x{odd}",z,"y{odd}"\n' + "\n".join(lines) + "\n", newline="")
    name, target = file.name, f"y{odd}"
    out = f"run{odd}"
    for words in (
        ["train", name, "--target", target, "--epochs", 2, "--out", out, "--json"],
        ["train", name, "--target", "nothing"],
        ["train", name, "--target", target, "--exclude", f"x{odd}s"],
        ["train", f"{odd}.csv", "--target", target],
        ["evaluate", out, name, "--json"],
        ["predict", out, name, "-o", f"o{odd}.jsonl"],
        ["resume", out],
        [odd],
        ["train", f"--{odd}"],
    ):
        done = schuss(*words)
        shown = (done.out + done.err).replace("\n", "")
        assert shown.isprintable(), words
        assert "bug in Schuss" not in shown
        if done.status:
            assert done.err.count("\n") == 1


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere names of files are Unicode")
def test_a_file_name_need_not_be_unicode(schuss, tmp_path: Path) -> None:
    file, run, out = (os.fsdecode(name) for name in (b"caf\xe9.csv", b"r\xe9n", b"\xe9.csv"))
    (tmp_path / "plain.csv").write_text("x,y\n" + "1,a\n2,b\n" * 30)
    (tmp_path / "plain.csv").rename(tmp_path / file)
    done = schuss("train", file, "--target", "y", "--epochs", 2, "--out", run, "--json")
    assert done.status == 0
    assert done.json["run"] == run
    assert schuss("predict", run, file, "-o", out).err == "60 predictions: \\udce9.csv\n"
    assert schuss("evaluate", run, file, PYTHONIOENCODING="ascii").status == 0
    assert schuss("resume", run).status == 0
    assert schuss("train", file, "--target", "y", "--epochs", 2).status == 0
