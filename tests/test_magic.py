"""%load_ext tabnet_auto and %auto_fit in a real IPython shell."""

from __future__ import annotations

from inspect import signature

import pandas as pd
import pytest
from IPython.testing.globalipapp import start_ipython

from tabnet_auto import FitResult, FoldPlan, InputError, auto_fit, cli, magic
from tabnet_auto.data import titanic_path


@pytest.fixture(scope="module")
def shell():
    made = start_ipython()
    made.run_line_magic("load_ext", "tabnet_auto")
    return made


def test_line_magic_fits_a_variable(shell):
    shell.user_ns["passengers"] = pd.read_csv(titanic_path("train"))[["sex", "age", "survived"]]
    line = "passengers survived --preset fast --folds 2 --time-limit 2"
    fit = shell.run_line_magic("auto_fit", line)
    assert isinstance(fit, FitResult)
    assert fit.folds.n_folds == 2
    assert fit.oof_score > 0.7


def test_line_magic_names_what_is_wrong(shell):
    shell.user_ns["passengers"] = pd.read_csv(titanic_path("train"))
    with pytest.raises(InputError, match="Did you mean 'survived'"):
        shell.run_line_magic("auto_fit", "passengers survivd")


@pytest.fixture
def asked(shell, monkeypatch):
    """What ``auto_fit`` is given, without a fit."""
    shell.user_ns["passengers"] = pd.read_csv(titanic_path("train"))

    def ask(words):
        given = {}
        monkeypatch.setattr(
            "tabnet_auto.magic.auto_fit", lambda frame, target, **options: given.update(options)
        )
        shell.run_line_magic("auto_fit", f"passengers survived {words}")
        return given

    return ask


def test_every_option_of_the_command_line_that_is_not_about_files():
    options = {parameter.name for parameter in magic._line.params}
    assert {parameter.name for parameter in cli.fit.params} - options == {"sample", "values", "out"}
    assert set(signature(auto_fit).parameters) - options == {"verbose", "emit"}


def test_what_is_left_out_is_as_auto_fit_has_it(asked):
    defaults = {name: one.default for name, one in signature(auto_fit).parameters.items()}
    given = asked("")
    del given["search"]  # a flag: False is what None means
    assert given == {name: defaults[name] for name in given}


def test_options_become_what_auto_fit_takes(asked):
    given = asked(
        "--folds group:4 --repeats 2 --groups ticket --companions linear,extra_trees --search "
        "--class-weight 1=2 --role 'sib sp=categorical' --audit act --pseudo-labels 0.9 "
        "--blend stack --task binary --device cpu --test passengers --quiet"
    )
    assert given["folds"] == FoldPlan(4, rule="group", repeats=2)
    assert given["groups"] == "ticket"
    assert given["companions"] == ["linear", "extra_trees"]
    assert given["class_weight"] == {1: 2.0}
    assert given["roles"] == {"sib sp": "categorical"}
    assert (given["search"], given["audit"], given["pseudo_labels"]) == (True, "act", 0.9)
    assert (given["blend"], given["task"], given["device"]) == ("stack", "binary", "cpu")
    assert given["test"].shape == (891, len(given["test"].columns))
    assert given["verbose"] is False


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--fold 5", "No such option.*--fold"),
        ("--folds group:many", "RULE:NUMBER, however: 'group:many'"),
        ("--class-weight yes", "LABEL=NUMBER, however: 'yes'"),
        ("--role age", "COLUMN=ROLE, however: 'age'"),
        ("--task ordinal", "'ordinal' is not one of"),
        ("--metric 'f1", "however: No closing quotation"),
        ("'more words'", "unexpected extra argument"),
    ],
)
def test_what_cannot_be_read(asked, words, said):
    with pytest.raises(InputError, match=said) as raised:
        asked(words)
    assert "See %auto_fit --help." in str(raised.value)


def test_help_lists_the_options(shell, capsys):
    assert shell.run_line_magic("auto_fit", "--help") is None
    shown = capsys.readouterr().out
    assert "Usage: %auto_fit [OPTIONS] TRAIN TARGET" in shown
    assert "--pseudo-labels" in shown
    assert "--class-weight" in shell.object_inspect("%auto_fit")["docstring"]


def test_a_line_may_be_continued(shell, asked):
    asked("")  # nothing is fitted from here on
    done = shell.run_cell("answer = %auto_fit passengers survived \\\n    --preset fast --folds 3")
    assert done.success
    assert shell.user_ns["answer"] is None
