"""%load_ext tabnet_auto and %auto_fit in a real IPython shell."""

from __future__ import annotations

import pandas as pd
import pytest
from IPython.testing.globalipapp import start_ipython

from tabnet_auto import FitResult, InputError
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
