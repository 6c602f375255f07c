"""Make the pictures of the live views: the dashboard's tabs in a notebook, and a training.

Called by screenshots.py, which says where they go.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import nbformat
import pandas as pd
from nbformat.v4 import new_code_cell, new_notebook
from playwright.sync_api import Browser, Page

from tabnet_auto.result.fit import FitResult

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
from browser import jupyter  # how a test opens a notebook is how a picture is taken

Save = Callable[[str, bytes], None]
"""``save(name, picture)``."""
VIEWPORT = {"width": 1180, "height": 1700}
PATIENCE = 300_000
"""Milliseconds."""
OPEN = """\
import pandas as pd
from tabnet_auto import load
load("{name}").dashboard(pd.read_pickle("{name}.pkl"))"""
TRAIN = """\
import pandas as pd
from tabnet_auto import auto_fit
fit = auto_fit(pd.read_pickle("{name}.pkl"), "{target}", preset="balanced")"""


def live_pictures(
    browser: Browser, fits: dict[str, tuple[FitResult, pd.DataFrame]], folder: Path, save: Save
) -> None:
    """Take every tab of every fit's dashboard, and a training of the first table halfway."""
    books = folder / "books"
    books.mkdir()
    for name, (fit, train) in fits.items():
        fit.save(books / name)
        train.to_pickle(books / f"{name}.pkl")
        write_notebook(books / f"{name}.ipynb", OPEN.format(name=name))
    first = next(iter(fits))
    target = fits[first][0].schema.target
    write_notebook(books / "train.ipynb", TRAIN.format(name=first, target=target))
    command = [*jupyter.SERVER, f"--ServerApp.root_dir={books}"]
    with jupyter.serving(command, folder) as url:
        for name in fits:
            page = patient_page(browser)
            jupyter.run_all(page, f"{url}/notebooks/{name}.ipynb", PATIENCE)
            take_tabs(page, name, save)
            page.close()
            jupyter.end_sessions(url)
        page = patient_page(browser)
        jupyter.run_all(page, f"{url}/notebooks/train.ipynb", PATIENCE)
        take_training(page, first, save)
        page.close()
        jupyter.end_sessions(url)


def patient_page(browser: Browser) -> Page:
    """Return a page that waits for a kernel on a machine that is busy."""
    page = browser.new_page(viewport=VIEWPORT)
    page.set_default_timeout(PATIENCE)
    return page


def write_notebook(path: Path, source: str) -> None:
    """Write a notebook of one cell whose source is folded away."""
    cell = new_code_cell(source, metadata={"jupyter": {"source_hidden": True}})
    nbformat.write(new_notebook(cells=[cell], metadata={"kernelspec": jupyter.KERNEL}), path)


def take_tabs(page: Page, name: str, save: Save) -> None:
    """Take each tab with something to see in it: a changed cell, two cohorts."""
    board = page.locator(".ta-board")
    board.locator("img").first.wait_for()
    for tab in board.get_by_role("tab").all():
        title = tab.inner_text()
        tab.click()
        board.locator("img:visible").first.wait_for()
        if title == "What if":
            change_a_cell(board)
        page.wait_for_timeout(500)
        file = f"{name}-live-{title.lower().replace(' ', '-')}"
        save(file, board.screenshot())


def change_a_cell(board) -> None:
    """Make who the row is of older, or put another number into the first box that holds one."""
    age = board.get_by_label("age", exact=True).filter(visible=True)
    for box in [*age.all(), *board.locator(".widget-text input[type=text]:visible").all()]:
        if box.input_value().replace(".", "").isdigit():
            box.fill(str(1 + int(1.1 * float(box.input_value()))))
            box.press("Enter")
            board.get_by_text("With the changes").wait_for()
            return


def take_training(page: Page, name: str, save: Save) -> None:
    """Take the panel when some epochs are done, and stop."""
    panel = page.locator(".ta-live")
    page.wait_for_function(
        """() => { const bar = document.querySelector('.ta-live progress');
          return bar && bar.value > bar.max * 0.3; }"""
    )
    save(f"{name}-live-training", panel.screenshot())
    page.evaluate("() => { jupyterapp.commands.execute('notebook:interrupt-kernel') }")
    panel.get_by_text("stopped on request").wait_for()
