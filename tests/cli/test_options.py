from __future__ import annotations

from argparse import ArgumentTypeError

import pytest

from schuss.cli.options import count, names, number, one_of, pairs, share, sizes
from schuss.cli.parser import command_name, nearest


def test_good_values() -> None:
    assert count(1)("12") == 12
    assert number(above=0.0)("1e-3") == 0.001
    assert number(least=0.0)("0") == 0.0
    assert share("0") == 0.0
    assert names("a, b,,c d") == ["a", "b", "c d"]
    assert names('a, "b, c",d "e"') == ["a", "b, c", 'd "e"']
    assert sizes("64,8") == [64, 8]
    assert pairs("a=b=category") == ("a=b", "category")
    assert one_of(("x", "y"))("y") == "y"


@pytest.mark.parametrize(
    ("read", "text"),
    [
        (count(1), "0"),
        (count(1), "1.5"),
        (count(0), "-1"),
        (number(above=0.0), "0"),
        (number(above=0.0), "inf"),
        (number(least=0.0), "nan"),
        (share, "1.0"),
        (share, "-0.1"),
        (share, "nan"),
        (sizes, "8,-1"),
        (pairs, "category"),
        (pairs, "a="),
        (one_of(("x", "y")), "z"),
    ],
)
def test_wrong_values_say_what_was_expected(read, text: str) -> None:
    with pytest.raises(ArgumentTypeError, match=rf"expected .*, got '{text.split(',')[-1]}'"):
        read(text)


def test_nearest() -> None:
    assert nearest("trian", ["train", "predict"]) == "; did you mean train?"
    assert nearest("xyz", ["train", "predict"]) == ""


def test_commands_are_shown_as_they_were_typed(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    script = tmp_path / "bin" / "schuss"
    script.parent.mkdir()
    script.touch(mode=0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr("sys.argv", ["bin/schuss", "train"])
    assert command_name() == "bin/schuss"
    monkeypatch.setenv("PATH", str(script.parent))
    assert command_name() == "schuss"
    monkeypatch.setattr("sys.argv", ["/somewhere/schuss/__main__.py"])
    assert command_name() == "python -m schuss"


def test_options_of_training_are_arguments_of_train() -> None:
    from inspect import signature

    from schuss.cli import train as command
    from schuss.training import train
    from schuss.training.descent import learner
    from schuss.training.kinds.known import known_kinds
    from schuss.training.tables import options

    # Named again there, since `--help` loads nothing that computes.
    assert options.OPTIMIZERS == command.OPTIMIZERS
    assert set(options.OPTIMIZERS) <= set(learner.OPTIMIZERS)
    given = vars(command.parser().parse_args(["iris"]))
    of_kinds = {option.name for kind in known_kinds().values() for option in kind.options}
    assert of_kinds
    assert set(given) - set(signature(train).parameters) - of_kinds == {"json"}
