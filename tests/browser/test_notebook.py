"""The dashboard and the live training in JupyterLab, Notebook 7, Voila, and after nbconvert."""

import json
import shutil
import subprocess
import sys

import pytest
from browser import jupyter
from browser.board import (
    LOAD,
    LOCAL,
    OPEN,
    Board,
    explore_the_framed_page,
    ours,
    write_books,
)
from browser.walk import use_every_control
from playwright.sync_api import expect

pytestmark = [pytest.mark.browser, pytest.mark.slow]
pytest.importorskip("jupyterlab")
pytest.importorskip("notebook")

# Complaints of the applications around our output; each was seen without it too.
NOTEBOOK = (
    # Notebook 7.6 looks for settings of a panel that it does not have, with an empty notebook too.
    "page error: Cannot read properties of undefined (reading 'schema')",
    # Its notebook page calls a command of the file browser, which it does not have either.
    "page error: Command 'filebrowser:open-path' not registered.",
)
VOILA = (
    # Voila asks a CDN for its icons; without them nothing is missing but the icons.
    "outside request: https://cdn.jsdelivr.net/npm/@fortawesome/fontawesome-free@",
    "console: Failed to load resource: net::ERR_FAILED",
    # Voila 0.5 loads Notebook's own extension, whose modules it does not have.
    "console: Error: The getter for the shared module is not a function.",
)
NBCONVERT = (
    # nbconvert's template asks a CDN for require.js, MathJax and mermaid.
    "outside request: https://cdnjs.cloudflare.com/ajax/libs/",
    "console: Failed to load resource: net::ERR_FAILED",
)


# Counts for three seconds how often the panel is drawn anew.
FRAMES = """async () => {
  let [frames, seen, start] = [0, document.querySelector('.ta-live'), performance.now()];
  const seconds = () => (performance.now() - start) / 1000;
  while (seconds() < 3) {
    await new Promise(requestAnimationFrame);
    const now = document.querySelector('.ta-live');
    if (now && now !== seen) { frames += 1; seen = now; }
  }
  return [frames, seconds()];
}"""


@pytest.fixture(scope="module")
def books(tmp_path_factory):
    """A folder with a model, rows and the notebooks."""
    folder = tmp_path_factory.mktemp("books")
    write_books(folder)
    return folder


@pytest.fixture(scope="module")
def server(books, tmp_path_factory):
    folder = tmp_path_factory.mktemp("server")
    command = [*jupyter.SERVER, f"--ServerApp.root_dir={books}"]
    with jupyter.serving(command, folder) as url:
        yield url


@pytest.fixture
def page(context, server, guard):
    """A page that may talk to this machine only, and must not complain."""
    complaints = guard(context, LOCAL)
    page = context.new_page()
    yield page
    page.close()
    jupyter.end_sessions(server)
    assert ours(complaints, NOTEBOOK) == []


def test_every_control_in_jupyterlab(page, server):
    jupyter.run_all(page, f"{server}/lab/tree/two.ipynb?reset")
    use_every_control(page)


@pytest.mark.parametrize("address", ["lab/tree/page.ipynb?reset", "notebooks/page.ipynb"])
def test_the_page_explores_in_its_frame(page, server, address):
    jupyter.run_all(page, f"{server}/{address}")
    explore_the_framed_page(page)


def test_an_error_in_a_callback_is_shown(page, server):
    jupyter.run_all(page, f"{server}/lab/tree/broken.ipynb?reset")
    board = Board(page)
    board.open("Cohorts")
    alert = board.root.get_by_role("alert")
    expect(alert).to_contain_text("ZeroDivisionError: division by zero")
    alert.locator("summary").click()
    expect(alert.locator("pre")).to_contain_text("Traceback")
    board.open("Compare")
    board.shows("Rows 0 and 1")
    expect(alert).to_have_count(0)


def test_every_control_in_notebook_7_and_a_saved_copy(page, server, books):
    jupyter.run_all(page, f"{server}/notebooks/two.ipynb")
    use_every_control(page)
    page.evaluate("() => jupyterapp.commands.execute('docmanager:save')")
    saved = json.loads((books / "two.ipynb").read_text())
    kinds = [set(output["data"]) for output in saved["cells"][0]["outputs"]]
    assert any("text/html" in kind for kind in kinds), "the page survives in the file"

    # Opened again with a new kernel there are no widgets: the page shows.
    jupyter.end_sessions(server)
    page.goto(f"{server}/notebooks/two.ipynb")
    expect(page.locator(".ta-fragment img").first).to_be_visible(timeout=LOAD)


def test_the_stop_button_ends_the_training_with_the_best_so_far(page, server, books):
    jupyter.run_all(page, f"{server}/lab/tree/train.ipynb?reset")
    panel = page.locator(".ta-live")
    expect(panel.locator("img")).to_have_count(2, timeout=LOAD)
    early = panel.locator("img").first.get_attribute("alt")
    expect(panel.locator("img").first).not_to_have_attribute("alt", early, timeout=15_000)
    assert "by fold at epoch" in panel.locator("img").nth(1).get_attribute("alt")
    expect(panel.get_by_text("press the notebook's ■")).to_be_visible()
    frames, seconds = page.evaluate(FRAMES)
    assert frames >= 2, "it is alive"
    assert frames <= 5 * seconds + 1, "at most five a second"
    page.locator('[data-command="notebook:interrupt-kernel"]:visible').first.click()
    expect(panel.get_by_text("stopped on request")).to_be_visible(timeout=30_000)
    expect(page.get_by_text("(120,)")).to_be_visible(timeout=30_000)
    assert page.get_by_text("KeyboardInterrupt").count() == 0
    page.evaluate("() => jupyterapp.commands.execute('docmanager:save')")
    text = (books / "train.ipynb").read_text()
    assert "stopped on request" in text, "the last state survives in the saved notebook"
    assert "done: out-of-fold" in text

    # Opened again nothing runs, and the last state is there.
    jupyter.end_sessions(server)
    page.goto(f"{server}/lab/tree/train.ipynb?reset")
    expect(page.locator(".ta-live").get_by_text("stopped on request")).to_be_visible(timeout=LOAD)
    expect(page.locator(".ta-live progress")).to_be_visible()


def test_every_control_in_voila(context, guard, books, tmp_path):
    pytest.importorskip("voila")
    complaints = guard(context, LOCAL)
    with jupyter.serving([*jupyter.VOILA, str(books / "two.ipynb")], tmp_path) as url:
        page = context.new_page()
        page.goto(url, timeout=LOAD)
        use_every_control(page)
        page.close()
    assert ours(complaints, VOILA) == []


def test_after_nbconvert_there_is_the_page(context, guard, books, tmp_path):
    """A batch run: no browser listens, so no widget is made, and the page is what remains."""
    complaints = guard(context, LOCAL)
    for name in ("model", "rows.csv"):
        copy = shutil.copytree if (books / name).is_dir() else shutil.copy
        copy(books / name, tmp_path / name)
    jupyter.write_notebook(tmp_path / "batch.ipynb", OPEN)
    command = ["-m", "nbconvert", "--to", "html", "--execute", str(tmp_path / "batch.ipynb")]
    env = jupyter.environment(tmp_path / "own")
    subprocess.run([sys.executable, *command], check=True, env=env, cwd=tmp_path)
    text = (tmp_path / "batch.html").read_text("utf-8")
    assert "widget-view" not in text
    page = context.new_page()
    page.goto((tmp_path / "batch.html").as_uri())
    expect(page.locator(".ta-fragment img").first).to_be_visible()
    assert page.locator(".ta-fragment img").first.evaluate("x => x.naturalWidth") > 300
    explore_the_framed_page(page)
    assert ours(complaints, NBCONVERT) == []
