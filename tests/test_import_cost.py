"""Importing the package does not wait for what only some uses need."""

from __future__ import annotations

import subprocess
import sys

import pytest

LATER = {"IPython", "category_encoders", "ipywidgets", "lightgbm", "matplotlib", "scipy", "sklearn"}


def loaded_after(code):
    ask = f"import sys\n{code}\nprint(*sorted({{m.split('.')[0] for m in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize(
    "code",
    [
        "import tabnet_auto",
        "from tabnet_auto import auto_fit",
        "from tabnet_auto import FitResult, InputError, Preset, load",
        "from tabnet_auto import PRESETS, EncodeConfig, NetConfig, PaperConfig, TrainConfig",
    ],
)
def test_what_only_some_uses_need_loads_when_used(code):
    assert not loaded_after(code) & LATER


def test_the_package_alone_loads_neither_torch_nor_pandas():
    assert not loaded_after("import tabnet_auto") & {"torch", "pandas", "numpy"}


def test_the_check_bites():
    assert "sklearn" in loaded_after("from tabnet_auto import TabNetClassifier")
