"""Every notebook runs from its percent-format source, and the built one shows that source."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent.parent / "notebooks"


def load_builder():
    spec = importlib.util.spec_from_file_location("notebooks_build", HERE / "_build.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


build = load_builder()
every_source = pytest.mark.parametrize("source", build.sources(), ids=lambda path: path.stem)


@pytest.mark.notebook
@every_source
def test_notebook_runs(source, tmp_path):
    notebook = build.execute(build.to_notebook(source.read_text(encoding="utf-8")), tmp_path)
    assert any(cell.get("outputs") for cell in notebook.cells), "a notebook shows something"


@every_source
def test_built_notebook_shows_its_source(source):
    import nbformat

    built = nbformat.read(source.with_suffix(".ipynb"), as_version=4)
    cells = [(cell.cell_type, cell.source) for cell in built.cells]
    assert cells == build.to_cells(source.read_text(encoding="utf-8")), "run `make notebooks`"
    errors = [out for cell in built.cells for out in cell.get("outputs", ()) if "ename" in out]
    assert not errors


def test_every_notebook_has_a_source():
    assert {path.stem for path in HERE.glob("*.ipynb")} <= {p.stem for p in build.sources()}


def test_percent_format():
    text = "# a header\n# %% [markdown]\n# # Title\n#\n# text\n# %%\n# %load_ext x\nx = 1\n# why\n"
    assert build.to_cells(text) == [
        ("markdown", "# Title\n\ntext"),
        ("code", "%load_ext x\nx = 1\n# why"),
    ]
    assert build.to_notebook(text).cells[1].id == "cell-1"


@pytest.mark.notebook
def test_a_notebook_with_an_error_fails(tmp_path):
    from nbclient.exceptions import CellExecutionError

    with pytest.raises(CellExecutionError, match="ZeroDivisionError"):
        build.execute(build.to_notebook("# %%\n1 / 0\n"), tmp_path)
