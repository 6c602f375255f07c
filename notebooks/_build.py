"""Percent-format scripts are the sources; the notebooks beside them are built and executed here.

In a source ``# %%`` begins a code cell and ``# %% [markdown]`` a text cell whose lines are
comments; a commented magic (``# %load_ext tabnet_auto``) becomes a magic.

    python notebooks/_build.py [NAME ...]
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

HERE = Path(__file__).resolve().parent
MARKER = re.compile(r"^# %%[ ]*(\[markdown\])?.*$")
MAGIC = re.compile(r"^# (%{1,2}[A-Za-z]|!)")
KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}


def sources() -> list[Path]:
    """Return the scripts that become notebooks."""
    return sorted(path for path in HERE.glob("*.py") if not path.name.startswith("_"))


def to_cells(text: str) -> list[tuple[str, str]]:
    """Split a percent-format script into pairs of cell type and source."""
    cells: list[tuple[str, list[str]]] = []
    for line in text.splitlines():
        marker = MARKER.match(line)
        if marker:
            cells.append(("markdown" if marker[1] else "code", []))
        elif cells:
            cells[-1][1].append(_uncomment(line, *cells[-1][:1]))
    return [(kind, source) for kind, lines in cells if (source := "\n".join(lines).strip())]


def _uncomment(line: str, kind: str) -> str:
    if kind == "markdown" or MAGIC.match(line):
        return line.removeprefix("#").removeprefix(" ")
    return line


def to_notebook(text: str) -> nbformat.NotebookNode:
    """Make a notebook without outputs; cell ids are their numbers, so rebuilding changes little."""
    make = {"code": new_code_cell, "markdown": new_markdown_cell}
    cells = [
        make[kind](source, id=f"cell-{number}")
        for number, (kind, source) in enumerate(to_cells(text))
    ]
    return new_notebook(cells=cells, metadata={"kernelspec": KERNEL})


def execute(notebook: nbformat.NotebookNode, folder: Path) -> nbformat.NotebookNode:
    """Run every cell in ``folder`` with this interpreter's own kernel; an error stops the run."""
    os.environ["JUPYTER_PREFER_ENV_PATH"] = "1"
    client = NotebookClient(
        notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": str(folder)}}
    )
    client.execute()
    return notebook


def main(names: list[str]) -> None:
    """Build the named notebooks, or all."""
    for source in sources():
        if names and source.stem not in names:
            continue
        with tempfile.TemporaryDirectory() as folder:
            notebook = execute(to_notebook(source.read_text(encoding="utf-8")), Path(folder))
        for cell in notebook.cells:
            cell.metadata.pop("execution", None)
        nbformat.write(notebook, source.with_suffix(".ipynb"))
        print(source.with_suffix(".ipynb").name)


if __name__ == "__main__":
    main(sys.argv[1:])
