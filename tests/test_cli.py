"""The command line: files in, files out, and a status that scripts can rely on."""

from __future__ import annotations

import subprocess
import sys
from inspect import signature

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from tabnet_auto import auto_fit, cli, load
from tabnet_auto.errors import ArtifactError, InputError
from tabnet_auto.folds.plan import FoldPlan

FAST = ["--preset", "fast", "--folds", "2", "--quiet"]


def run(capsys, *argv):
    """Run the command line in this process; status, stdout, stderr."""
    with pytest.raises(SystemExit) as stopped:
        cli.main([str(word) for word in argv])
    captured = capsys.readouterr()
    return stopped.value.code, captured.out, captured.err


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 2))
    return pd.DataFrame(
        {
            "id": np.arange(200),
            "size": x[:, 0],
            "weight": x[:, 1],
            "colour": rng.choice(["red", "blue"], 200),
            "bought": np.where(x[:, 0] + 0.3 * rng.normal(size=200) > 0, "yes", "no"),
        }
    )


@pytest.fixture(scope="module")
def folder(table, tmp_path_factory):
    """A folder with train, test and sample files, and a fitted run in ``run/``."""
    folder = tmp_path_factory.mktemp("cli")
    table[:150].to_csv(folder / "train.csv", index=False)
    table[150:].drop(columns="bought").to_csv(folder / "test.csv", index=False)
    table[150:][["id"]].assign(bought="no").to_csv(folder / "sample.csv", index=False)
    words = ["fit", folder / "train.csv", "--target", "bought", "--test", folder / "test.csv"]
    words += ["--sample", folder / "sample.csv", "--out", folder / "run", *FAST]
    result = CliRunner().invoke(cli.cli, [str(word) for word in words], catch_exceptions=False)
    assert result.exit_code == 0
    (folder / "stdout.txt").write_text(result.output, encoding="utf-8")
    return folder


def test_fit_leaves_model_report_and_submission(folder):
    assert {path.name for path in (folder / "run").iterdir()} >= {
        "model",
        "oof.csv",
        "report.html",
        "submission.csv",
    }
    output = (folder / "stdout.txt").read_text(encoding="utf-8")
    assert "out-of-fold roc_auc: 0." in output
    assert "submission.csv" in output
    submission = pd.read_csv(folder / "run" / "submission.csv")
    assert submission["id"].tolist() == list(range(150, 200))
    assert set(submission["bought"]) == {"yes", "no"}
    assert len(pd.read_csv(folder / "run" / "oof.csv")) == 150


def test_fit_searches_settings_first(folder, tmp_path):
    words = ["fit", folder / "train.csv", "--target", "bought", "--out", tmp_path, *FAST]
    words += ["--search", "--time-limit", 8]
    result = CliRunner().invoke(cli.cli, [str(word) for word in words], catch_exceptions=False)
    assert result.exit_code == 0
    assert load(tmp_path / "model").search is not None
    assert load(folder / "run" / "model").search is None


def test_fit_says_what_columns_mean_and_the_leaderboard(folder, capsys, tmp_path):
    argv = ["fit", folder / "train.csv", "--target", "bought", "--out", tmp_path / "run"]
    argv += ["--preset", "fast", "--folds", 2, "--role", "colour=drop", "--metric", "accuracy"]
    status, out, _ = run(capsys, *argv)
    assert status == 0
    assert "target 'bought': binary" in out
    assert "colour" in out
    assert "out-of-fold accuracy: " in out
    assert not (tmp_path / "run" / "submission.csv").exists()


def test_predict_writes_labels_or_probabilities_or_a_submission(folder, capsys, tmp_path):
    for name, extra in {
        "labels.csv": [],
        "proba.csv": ["--proba"],
        "submission.csv": ["--sample", folder / "sample.csv"],
    }.items():
        words = ["predict", folder / "run", folder / "test.csv", "--out", tmp_path / name, *extra]
        status, out, _ = run(capsys, *words)
        assert status == 0
        assert "50 rows predicted" in out
    labels, proba = (pd.read_csv(tmp_path / name) for name in ("labels.csv", "proba.csv"))
    assert list(labels.columns) == ["bought"]
    assert list(proba.columns) == ["no", "yes"]
    assert np.allclose(proba.sum(axis=1), 1.0, atol=1e-5)
    again = pd.read_csv(tmp_path / "submission.csv")
    pd.testing.assert_frame_equal(again, pd.read_csv(folder / "run" / "submission.csv"))


def test_a_sample_of_zeros_is_a_warning_and_values_ends_it(table, capsys, tmp_path):
    coded = table.assign(bought=(table["bought"] == "yes").astype(int))
    coded.to_csv(tmp_path / "train.csv", index=False)
    coded.drop(columns="bought").to_csv(tmp_path / "test.csv", index=False)
    coded[["id"]].assign(bought=0).to_csv(tmp_path / "zeros.csv", index=False)
    given = ["--sample", tmp_path / "zeros.csv"]
    words = ["fit", tmp_path / "train.csv", "--target", "bought", "--test", tmp_path / "test.csv"]
    status, _, err = run(capsys, *words, *given, "--out", tmp_path / "run", *FAST)
    assert status == 0
    assert "Warning: Column 'bought' of the sample is 0 in all rows" in err
    assert set(pd.read_csv(tmp_path / "run" / "submission.csv")["bought"]) == {0, 1}
    words = ["predict", tmp_path / "run", tmp_path / "test.csv", "--out", tmp_path / "p.csv"]
    status, _, err = run(capsys, *words, *given, "--values", "probabilities")
    assert status == 0
    assert "Warning" not in err
    assert pd.read_csv(tmp_path / "p.csv")["bought"].between(0.01, 0.99).any()


def test_report_of_a_saved_model(folder, capsys, tmp_path):
    status, out, _ = run(capsys, "report", folder / "run", "--out", tmp_path / "again.html")
    assert status == 0
    assert "again.html" in out
    assert "<html" in (tmp_path / "again.html").read_text(encoding="utf-8").lower()


@pytest.mark.notebook
def test_demo(capsys, tmp_path):
    status, out, _ = run(capsys, "demo", "--out", tmp_path / "demo")
    assert status == 0
    assert "held-out accuracy of submission.csv: 0." in out
    accuracy = float(out.split("held-out accuracy of submission.csv: ")[1].split()[0])
    assert accuracy > 0.70
    assert (tmp_path / "demo" / "report.html").stat().st_size > 10_000


class TestStatus:
    @pytest.mark.parametrize(
        ("argv", "message"),
        [
            (["fit"], "Missing argument 'TRAIN'"),
            (["fit", "absent.csv", "--target", "y"], "does not exist"),
            (["fit", "train.csv"], "Missing option '--target'"),
            (["fit", "train.csv", "--target", "bougth", *FAST], "Did you mean 'bought'?"),
            (["fit", "train.csv", "--target", "bought", "--role", "size"], "COLUMN=ROLE"),
            (["fit", "train.csv", "--target", "bought", "--sample", "sample.csv"], "add --test"),
            (["fit", "train.csv", "--target", "bought", "--metric", "aux", *FAST], "metric"),
            (["fit", "train.csv", "--target", "bought", "--preset", "fats", "--quiet"], "preset"),
            (["sing"], "No such command"),
        ],
    )
    def test_unusable_input_is_2(self, folder, capsys, monkeypatch, argv, message):
        monkeypatch.chdir(folder)
        status, _, err = run(capsys, *argv)
        assert status == 2
        assert message in err
        assert "Traceback" not in err

    def test_a_folder_without_a_model(self, folder, capsys, tmp_path):
        status, _, err = run(capsys, "predict", tmp_path, folder / "test.csv")
        assert status == 1
        assert err.startswith("Error: ")

    @pytest.mark.parametrize(
        ("error", "expected"),
        [(ArtifactError("x"), 1), (InputError("x"), 2), (KeyboardInterrupt(), 130)],
    )
    def test_errors_become_a_status(self, capsys, monkeypatch, tmp_path, error, expected):
        def fail(_folder):
            raise error

        monkeypatch.setattr(cli, "_load", fail)
        status, _, err = run(capsys, "report", tmp_path)
        assert status == expected
        assert err.strip()
        assert "Traceback" not in err

    @pytest.mark.parametrize("command", [[], ["fit"], ["predict"], ["report"], ["demo"]])
    def test_help_has_examples(self, capsys, command):
        status, out, _ = run(capsys, *command, "--help")
        assert status == 0
        assert "Usage: tabnet-auto" in out


class TestPlans:
    """What the options say reaches ``auto_fit`` as records; what is wrong is said, status 2."""

    @pytest.fixture
    def asked(self, folder, capsys, monkeypatch, tmp_path):
        def ask(*words):
            given = {}

            def auto_fit(_train, **options):
                given.update(options)
                raise InputError("enough")

            monkeypatch.setattr("tabnet_auto.automl.auto_fit", auto_fit)
            argv = ["fit", folder / "train.csv", "--target", "bought", "--out", tmp_path, *words]
            status, _, err = run(capsys, *argv)
            assert status == 2
            return given, err

        return ask

    @pytest.mark.parametrize(
        ("words", "plan"),
        [
            ([], 5),
            (["--folds", "10"], 10),
            (["--folds", "-3"], -3),
            (["--repeats", 2], FoldPlan(repeats=2)),
            (["--folds", "leave_one_group_out"], FoldPlan(rule="leave_one_group_out")),
            (["--folds", "group:4", "--repeats", 3], FoldPlan(4, rule="group", repeats=3)),
            (
                ["--folds", "time:4", "--gap", "7D", "--window", "sliding"],
                FoldPlan(4, rule="time", gap="7D", window="sliding"),
            ),
            (["--folds", "time", "--gap", "2.5"], FoldPlan(rule="time", gap=2.5)),
        ],
    )
    def test_folds(self, asked, words, plan):
        assert asked(*words)[0]["folds"] == plan

    def test_companions_blend_and_class_weight(self, asked):
        given, _ = asked(
            "--companions", "linear, extra_trees", "--blend", "stack",
            "--class-weight", "yes=3", "--class-weight", "maybe=0.5",
        )  # fmt: skip
        assert given["companions"] == ["linear", "extra_trees"]
        assert given["blend"] == "stack"
        assert given["class_weight"] == {"yes": 3.0, "maybe": 0.5}
        assert asked("--companions", "none")[0]["companions"] == []
        plain, _ = asked()
        assert (plain["companions"], plain["class_weight"]) == (None, None)
        assert asked("--class-weight", "balanced")[0]["class_weight"] == "balanced"

    def test_audit_and_pseudo_labels(self, asked):
        plain, _ = asked()
        assert (plain["audit"], plain["pseudo_labels"]) == ("warn", False)
        given, _ = asked("--audit", "act", "--pseudo-labels")
        assert (given["audit"], given["pseudo_labels"]) == ("act", True)
        assert asked("--pseudo-labels", "0.9")[0]["pseudo_labels"] == 0.9

    def test_every_argument_of_auto_fit_has_an_option(self):
        options = {parameter.name for parameter in cli.fit.params}
        arguments = set(signature(auto_fit).parameters) - {"verbose", "emit"}
        assert arguments <= options

    def test_labels_are_numbers_where_the_target_holds_numbers(self, asked):
        assert asked("--target", "id", "--class-weight", "3=2")[0]["class_weight"] == {3: 2.0}

    @pytest.mark.parametrize(
        ("words", "said"),
        [
            (["--folds", "group:many"], "RULE:NUMBER"),
            (["--class-weight", "yes"], "LABEL=NUMBER"),
            (["--class-weight", "yes=much"], "LABEL=NUMBER"),
            (["--pseudo-labels", "many"], "must be a probability"),
        ],
    )
    def test_what_cannot_be_read(self, asked, words, said):
        given, err = asked(*words)
        assert not given
        assert said in err

    @pytest.mark.parametrize(
        ("words", "said"),
        [
            (["--folds", "grouped"], "Did you mean 'group'"),
            (["--companions", "lineer"], "Did you mean 'linear'"),
            (["--blend", "greed"], "Did you mean 'greedy'"),
            (["--audit", "wran"], "Did you mean 'warn'"),
            (["--pseudo-labels"], "pseudo_labels need rows to label"),
            (["--metric", "roc_acu"], "Did you mean 'roc_auc'"),
            (["--gap", "7D"], "gap"),
            (["--class-weight", "never=2"], "never"),
        ],
    )
    def test_what_cannot_be_used(self, folder, capsys, tmp_path, words, said):
        argv = ["fit", folder / "train.csv", "--target", "bought", "--out", tmp_path, *words]
        status, _, err = run(capsys, *argv)
        assert status == 2
        assert said in err


def test_help_does_not_wait_for_torch():
    code = (
        "import sys, tabnet_auto.cli\n"
        "heavy = {'torch', 'pandas', 'sklearn', 'ipywidgets'} & set(sys.modules)\n"
        "sys.exit(str(sorted(heavy)) if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_module_and_command_are_the_same():
    done = subprocess.run(
        [sys.executable, "-m", "tabnet_auto", "--help"], capture_output=True, text=True, check=True
    )
    assert "Usage: tabnet-auto" in done.stdout
