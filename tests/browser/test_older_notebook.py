"""The dashboard and the live training as some platforms still have it: ipywidgets 7.7.

A classic notebook 6.5 with ipywidgets 7.7 in a browser, Voila 0.3, and pages by Kaggle's
nbconvert 6.4.
"""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from browser import jupyter, older
from browser.board import (
    LOAD,
    LOCAL,
    OPEN,
    SECOND,
    Board,
    explore_the_framed_page,
    ours,
    write_books,
)
from browser.walk import use_every_control
from playwright.sync_api import expect

pytestmark = [pytest.mark.browser, pytest.mark.slow]

NBCONVERT = (
    # The templates of nbconvert 6 ask CDNs for require.js, jQuery, MathJax and, with widgets in
    # the notebook, for the widget manager.
    "outside request: https://cdnjs.cloudflare.com/ajax/libs/",
    "outside request: https://unpkg.com/",
    "outside request: https://cdn.jsdelivr.net/npm/",
    "console: Failed to load resource: net::ERR_FAILED",
)
VOILA = (
    # Voila asks CDNs for its icons and MathJax; without them nothing of ours is missing.
    "outside request: https://cdnjs.cloudflare.com/ajax/libs/",
    "outside request: https://cdn.jsdelivr.net/npm/@fortawesome/",
    "console: Failed to load resource: net::ERR_FAILED",
)
VERSIONS = "import ipywidgets; print('ipywidgets', ipywidgets.__version__)"


@pytest.fixture(scope="module")
def python(request):
    """The older environment, kept in pytest's cache from run to run."""
    return older.python_in(request.config.cache.mkdir("notebook-6"))


@pytest.fixture(scope="module")
def books(tmp_path_factory):
    folder = tmp_path_factory.mktemp("older-books")
    write_books(folder)
    jupyter.write_notebook(folder / "two.ipynb", VERSIONS, OPEN, SECOND)
    return folder


@pytest.fixture(scope="module")
def server(books, python, tmp_path_factory):
    command = [*older.SERVER, f"--NotebookApp.notebook_dir={books}"]
    with jupyter.serving(command, tmp_path_factory.mktemp("older-server"), python) as url:
        yield url


@pytest.fixture
def page(context, server, guard):
    """A page that may talk to this machine only, and must not complain."""
    complaints = guard(context, LOCAL)
    page = context.new_page()
    page.on("dialog", lambda dialog: dialog.accept())
    yield page
    page.close()
    jupyter.end_sessions(server)
    assert complaints == []


def saved(page, path):
    """Save the notebook from its page, and read it."""
    page.evaluate("() => Jupyter.notebook.save_notebook()")
    page.wait_for_function("() => !Jupyter.notebook.dirty")
    return json.loads(path.read_text("utf-8"))


def test_every_control_in_the_classic_notebook(page, server, books):
    older.run_all(page, f"{server}/notebooks/two.ipynb")
    expect(page.get_by_text("ipywidgets 7.7.")).to_be_visible(timeout=LOAD)
    use_every_control(page)
    outputs = saved(page, books / "two.ipynb")["cells"][1]["outputs"]
    assert any("text/html" in output["data"] for output in outputs), "the page is in the file"


def test_the_page_explores_in_the_classic_notebook(page, server):
    older.run_all(page, f"{server}/notebooks/page.ipynb")
    explore_the_framed_page(page)


def test_the_stop_button_of_the_classic_notebook(page, server, books):
    older.run_all(page, f"{server}/notebooks/train.ipynb")
    panel = page.locator(".ta-live")
    expect(panel.locator("img")).to_have_count(2, timeout=LOAD)
    page.get_by_title("interrupt the kernel").click()
    expect(panel.get_by_text("stopped on request")).to_be_visible(timeout=30_000)
    expect(page.get_by_text("(120,)")).to_be_visible(timeout=30_000)
    assert page.get_by_text("KeyboardInterrupt").count() == 0
    text = json.dumps(saved(page, books / "train.ipynb"))
    assert "done: out-of-fold" in text, "the last state survives in the saved notebook"


def test_voila_with_ipywidgets_7(context, guard, books, python, tmp_path):
    complaints = guard(context, LOCAL)
    command = [*jupyter.VOILA, str(books / "one.ipynb")]
    with jupyter.serving(command, tmp_path, python) as url:
        page = context.new_page()
        page.goto(url, timeout=LOAD)
        board = Board(page)
        assert page.locator(".ta-fragment:visible").count() == 0
        board.choose("Fold", "fold 2")
        board.shows("What the networks look at: fold 2")
        page.close()
    assert ours(complaints, VOILA) == []


@pytest.fixture
def converted(python, books, tmp_path):
    """Convert a notebook with nbconvert 6.4; the page that it makes."""

    def convert(name, *options):
        for part in ("model", "rows.csv", name):
            copy = shutil.copytree if (books / part).is_dir() else shutil.copy
            copy(books / part, tmp_path / part)
        command = [python, "-m", "nbconvert", "--to", "html", *options, tmp_path / name]
        env = jupyter.environment(tmp_path / "own")
        subprocess.run(command, check=True, env=env, cwd=tmp_path)
        return (tmp_path / name).with_suffix(".html")

    return convert


def shows_the_page(context, guard, path: Path):
    complaints = guard(context, LOCAL)
    page = context.new_page()
    page.goto(path.as_uri())
    picture = page.locator(".ta-fragment img").first
    expect(picture).to_be_visible()
    assert picture.evaluate("x => x.naturalWidth") > 300
    explore_the_framed_page(page)
    assert ours(complaints, NBCONVERT) == []


def test_a_batch_run_of_nbconvert_6_has_the_page(context, guard, converted):
    """Executed and in Kaggle's base template, as its saved versions are."""
    path = converted("one.ipynb", "--execute", "--template", "classic")
    assert "widget-view" not in path.read_text("utf-8")
    shows_the_page(context, guard, path)


def test_a_live_notebook_converted_by_nbconvert_6_has_the_page(
    page, server, books, context, guard, converted
):
    """Saved with its widgets, whose manager no page can load without a network."""
    older.run_all(page, f"{server}/notebooks/one.ipynb")
    Board(page)
    saved(page, books / "one.ipynb")
    shows_the_page(context.browser.new_context(), guard, converted("one.ipynb"))
