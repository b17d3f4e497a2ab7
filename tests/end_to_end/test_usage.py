"""What the commands say about themselves, and about a wrong option."""

from __future__ import annotations

import subprocess
import sys

import pytest

COMMANDS = ("train", "predict", "evaluate", "resume", "diagnose", "find-lr", "doctor")


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_examples(schuss, command: str) -> None:
    done = schuss(command, "--help")
    assert done.status == 0
    assert f"usage: schuss {command}" in done.out
    assert f"examples:\n  schuss {command}" in done.out
    assert max(map(len, done.out.splitlines())) <= 100


def test_help_names_every_command(schuss) -> None:
    done = schuss("--help")
    assert done.status == 0
    for command in COMMANDS:
        assert f"\n  {command} " in done.out


def test_version(schuss) -> None:
    from schuss import __version__

    assert schuss("--version").out == f"schuss {__version__}\n"


@pytest.mark.parametrize("command", COMMANDS)
def test_help_loads_nothing_that_computes(command: str) -> None:
    code = (
        "import sys\nfrom schuss.cli import main\n"
        f"try: main(['{command}', '--help'])\n"
        "finally: print(*sys.modules, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.split(".")[0] for name in done.stderr.split()}
    assert not loaded & {"numpy", "rich", "pandas", "polars", "pyarrow", "safetensors", "torch"}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["trian", "iris"], "no command 'trian'; did you mean train?"),
        (["fly"], f"no command 'fly'; expected one of {', '.join(COMMANDS)}."),
        ([], f"no command given; expected one of {', '.join(COMMANDS)}."),
        (["train", "iris", "--epocs", "3"], "train: no option --epocs; did you mean --epochs?"),
        (["train", "iris", "--epocs=3"], "train: no option --epocs; did you mean --epochs?"),
        (["train", "iris", "--zzz"], "train: no option --zzz; schuss train --help lists them."),
        (
            ["train", "iris", "--loss", "quantile"],
            "train: loss needs a quantity, but 'species' holds classes; leave it out, or give "
            "--task regression.",
        ),
        (
            ["train", "iris", "--quantile", "0.9"],
            "train: quantile goes with the loss that aims at it; give --loss quantile, too.",
        ),
        (
            ["train", "iris", "--quantile", "1"],
            "train: --quantile: expected a number above 0 and below 1, got '1'.",
        ),
        (
            ["train", "iris", "--target-scale", "logs"],
            "train: --target-scale: expected one of auto, linear, log, got 'logs'; did you mean "
            "log?",
        ),
        (
            ["train", "iris", "--metric", "rmse"],
            "train: metric 'rmse' needs a quantity, but 'species' holds classes; leave it out, or "
            "give --task regression.",
        ),
        (
            ["train", "iris", "more"],
            "train: expected no further word, got 'more' (lists take commas: a,b); "
            "schuss train --help shows the form.",
        ),
        (["train"], "train: expected DATA; schuss train --help shows the form."),
        (
            ["train", "iris", "--epochs", "0"],
            "train: --epochs: expected a whole number of at least 1, got '0'.",
        ),
        (["train", "iris", "--lr", "fast"], "train: --lr: expected a number above 0, got 'fast'."),
        (["train", "iris", "--lr", "nan"], "train: --lr: expected a number above 0, got 'nan'."),
        (
            ["train", "iris", "--weight-decay", "-1"],
            "train: --weight-decay: expected a number of at least 0, got '-1'.",
        ),
        (
            ["train", "iris", "--test-share", "1"],
            "train: --test-share: expected a share of the rows from 0 to below 1, such as 0.2, "
            "got '1'.",
        ),
        (
            ["train", "iris", "--optimizer", "adan"],
            "train: --optimizer: expected one of sgd, adagrad, rmsprop, adam, adamw, "
            "got 'adan'; did you mean adam?",
        ),
        (
            ["train", "iris", "--kind", "age"],
            "train: --kind: expected COLUMN=KIND, such as postcode=category, got 'age'.",
        ),
        (
            ["train", "iris", "--hidden", "8,x"],
            "train: --hidden: expected a whole number of at least 1, got 'x'.",
        ),
        (["train", "iris", "--seed"], "train: --seed: expected a value."),
    ],
)
def test_wrong_words(schuss, tmp_path, words: list[str], message: str) -> None:
    done = schuss(*words)
    assert done.status == 2
    assert done.out == ""
    prefix = "schuss " if words[:1] == ["train"] else "schuss: "
    assert done.err.splitlines()[-1] == prefix + message
    assert not words or done.err.count("\n") == 1
    assert "Traceback" not in done.err
    assert list(tmp_path.iterdir()) == []
