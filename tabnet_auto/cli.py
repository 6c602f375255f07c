"""The command line: the words of the Python API, and files instead of frames."""

from __future__ import annotations

import contextlib
import sys
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from tabnet_auto.cli_options import (
    FILE,
    FOLDER,
    OUT_FILE,
    VALUES_OPTION,
    class_weight,
    fit_options,
    with_fold_plan,
)
from tabnet_auto.data import titanic_path
from tabnet_auto.errors import InputError, TabNetAutoError

if TYPE_CHECKING:
    import pandas as pd

    from tabnet_auto.kaggle.submission import Values
    from tabnet_auto.result.fit import FitResult


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit.

    The status is 0 when all went well, 2 for input that cannot be used, 1 for any other error of
    the package, 130 when interrupted. Errors are said on stderr, without a traceback.
    """
    try:
        status = cli.main(argv, prog_name="tabnet-auto", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("Interrupted.", err=True)
        sys.exit(130)
    except TabNetAutoError as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(2 if isinstance(error, InputError) else 1)
    sys.exit(status if isinstance(status, int) else 0)


@contextlib.contextmanager
def _warnings_said() -> Iterator[None]:
    """Say warnings as the command line says errors: without the code that they come from."""
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always", UserWarning)
        yield
    for one in found:
        click.echo(f"Warning: {one.message}", err=True)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 96})
@click.version_option(package_name="tabnet-auto", prog_name="tabnet-auto")
def cli() -> None:
    """Learn from a table, predict another, and see what the model looked at.

    \b
    A first look, with the passengers of the Titanic:
      tabnet-auto demo

    \b
    A competition, start to end:
      tabnet-auto fit train.csv --target y --test test.csv --sample sample_submission.csv

    Tables are CSV or Parquet files.
    """


# ------------------------------------------------------------------------------------------- fit


@cli.command()
@click.argument("train", type=FILE)
@fit_options
def fit(train: Path, out: Path, *, quiet: bool, **options: Any) -> None:
    """Learn to predict the target of TRAIN, a CSV or Parquet file.

    Prints what each column was taken for and the leaderboard, and writes into the folder OUT:

    \b
      model/           the fitted model, for `tabnet-auto predict OUT`
      report.html      one page: scores, training curves, attention and whether to trust it
      oof.csv          out-of-fold predictions, aligned with the rows of TRAIN
      submission.csv   with --test: predictions in the form of the sample

    \b
    Examples:
      tabnet-auto fit train.csv --target price
      tabnet-auto fit train.csv --target churn --metric log_loss --time-limit 600
      tabnet-auto fit train.csv --target y --test test.csv --sample sample_submission.csv
      tabnet-auto fit visits.parquet --target bought --groups customer --role shop=categorical
      tabnet-auto fit train.csv --target y --test test.csv --audit act --pseudo-labels 0.9
      tabnet-auto fit sales.csv --target units --time day --folds time:4 --gap 7D
      tabnet-auto fit train.csv --target y --companions hist_gradient_boosting,linear --repeats 2
    """
    test, sample = options.pop("test"), options.pop("sample")
    if sample is not None and test is None:
        raise click.UsageError("--sample gives the form of predictions; add --test to make them.")
    learned = _learn(
        train, test=test, sample=sample, out=out, quiet=quiet, **with_fold_plan(options)
    )
    _say_score(learned)
    _say_files(out)


def _learn(
    train: Path,
    *,
    test: Path | None,
    sample: Path | None,
    values: Values = "auto",
    out: Path,
    quiet: bool,
    **options: Any,
) -> FitResult:
    """Fit, print what was learned, write the folder."""
    from tabnet_auto.automl import auto_fit
    from tabnet_auto.frames import read_frame

    out.mkdir(parents=True, exist_ok=True)
    test_frame = None if test is None else read_frame(test)
    sample_frame = None if sample is None else read_frame(sample)
    frame = read_frame(train)
    pairs = options.pop("class_weight", ())
    options["class_weight"] = class_weight(pairs, frame, options["target"])
    learned = auto_fit(frame, test=test_frame, verbose=False if quiet else "auto", **options)
    if not quiet:
        click.echo(f"{learned.schema}\n")
        click.echo(f"{_table(learned.leaderboard())}\n")
        if learned.decision.values:
            click.echo(f"decision: {learned.decision.describe(learned.schema.classes)}\n")
    learned.save(out / "model")
    _oof_frame(learned).to_csv(out / "oof.csv", index=False)
    learned.report(out / "report.html")
    if test_frame is not None:
        with _warnings_said():
            learned.submission(
                test_frame, sample=sample_frame, path=out / "submission.csv", values=values
            )
    return learned


def _oof_frame(learned: FitResult) -> pd.DataFrame:
    """Out-of-fold predictions: a column for each class, or one of values."""
    import numpy as np
    import pandas as pd

    oof = np.asarray(learned.oof)
    if oof.ndim == 1:
        return pd.DataFrame({learned.schema.target: oof})
    return pd.DataFrame(oof, columns=[str(label) for label in learned.schema.classes])


def _table(frame: pd.DataFrame) -> str:
    return frame.to_string(index=False, float_format=lambda value: f"{value:.4g}")


def _say_score(learned: FitResult) -> None:
    click.echo(f"out-of-fold {learned.metric.name}: {learned.oof_score:.4f}")


def _say_files(folder: Path) -> None:
    click.echo(f"in {folder}:")
    for path in sorted(folder.iterdir()):
        click.echo(f"  {path.name}{'/' if path.is_dir() else ''}")


# ------------------------------------------------------------------------------- predict, report


def _load(folder: Path) -> FitResult:
    """Load a model from its own folder, or from the folder that ``fit`` wrote."""
    from tabnet_auto.result.saving import load

    inner = folder / "model"
    return load(inner if inner.is_dir() else folder)


@cli.command()
@click.argument("folder", metavar="DIR", type=FOLDER)
@click.argument("test", type=FILE)
@click.option("--proba", is_flag=True, help="A probability for each class instead of labels.")
@click.option("--sample", type=FILE, help="Write a submission in the form of this file.")
@VALUES_OPTION
@click.option(
    "--out",
    type=OUT_FILE,
    default="predictions.csv",
    show_default=True,
    help="File to write.",
)
def predict(
    folder: Path, test: Path, *, proba: bool, sample: Path | None, values: Values, out: Path
) -> None:
    """Predict the rows of TEST with the model that `tabnet-auto fit` left in DIR.

    \b
    Examples:
      tabnet-auto predict tabnet-auto-run new.csv
      tabnet-auto predict tabnet-auto-run new.csv --proba --out probabilities.csv
      tabnet-auto predict tabnet-auto-run test.csv --sample sample_submission.csv
    """
    import pandas as pd

    from tabnet_auto.frames import read_frame

    if proba and sample is not None:
        raise click.UsageError("--sample decides the form of the predictions; leave out --proba.")
    learned, frame = _load(folder), read_frame(test)
    if sample is not None:
        with _warnings_said():
            learned.submission(frame, sample=read_frame(sample), path=out, values=values)
    elif proba:
        if learned.task == "regression":
            raise click.UsageError("--proba needs classes, but this model predicts values.")
        names = [str(label) for label in learned.schema.classes]
        pd.DataFrame(learned.predict_proba(frame), columns=names).to_csv(out, index=False)
    else:
        pd.DataFrame({learned.schema.target: learned.predict(frame)}).to_csv(out, index=False)
    click.echo(f"{len(frame)} rows predicted: {out}")


@cli.command()
@click.argument("folder", metavar="DIR", type=FOLDER)
@click.option(
    "--out", type=OUT_FILE, default="report.html", show_default=True, help="File to write."
)
def report(folder: Path, out: Path) -> None:
    """Write the report of the model in DIR as one self-contained HTML page.

    The page needs no network and no server: open it, mail it, attach it.

    \b
    Example:
      tabnet-auto report tabnet-auto-run --out report.html
    """
    _load(folder).report(out)
    click.echo(f"report: {out}")


# ------------------------------------------------------------------------------------------ demo


@cli.command()
@click.option(
    "--out", type=FOLDER, default="tabnet-auto-demo", show_default=True, help="Output folder."
)
@click.option(
    "--preset",
    default="fast",
    show_default=True,
    help="How much effort: fast, balanced, best, or paper.",
)
@click.option("--quiet", is_flag=True, help="Print the scores and the files only.")
def demo(out: Path, preset: str, *, quiet: bool) -> None:
    """Learn who survived the Titanic, from start to submission.

    Fits 891 passengers that travel with the package, predicts 418 others, scores that submission
    against what happened, and leaves model, report and submission in the folder OUT.
    """
    learned = _learn(
        titanic_path("train"),
        test=titanic_path("test"),
        sample=titanic_path("sample_submission"),
        out=out,
        quiet=quiet,
        target="survived",
        preset=preset,
    )
    _say_score(learned)
    click.echo(f"held-out accuracy of submission.csv: {_demo_accuracy(out):.4f} (418 passengers)")
    _say_files(out)
    click.echo(f"Open {out / 'report.html'} in a browser.")


def _demo_accuracy(folder: Path) -> float:
    import pandas as pd

    submission = pd.read_csv(folder / "submission.csv").set_index("id")["survived"]
    solution = pd.read_csv(titanic_path("solution")).set_index("id")["survived"]
    return float((submission.loc[solution.index] == solution).mean())
