"""The dashboard and the live training in JupyterLab, Notebook 7, Voila, and after nbconvert."""

import csv
import json
import re
import shutil
import subprocess
import sys

import pytest
from browser import jupyter
from browser.board import LOAD, LOCAL, OPEN, Board, ours, write_books
from playwright.sync_api import expect
from view.live_samples import passengers

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


def try_networks_and_columns(board):
    """Fold, seed, step, columns; what can be saved."""
    board.choose("Fold", "fold 2")
    board.shows("What the networks look at: fold 2, all seeds, mean over steps")
    board.choose("Seed", "seed 1")
    board.choose("Step", "step 2")
    board.shows("What the networks look at: fold 2, seed 1, step 2")
    assert "member_steps[2, 1]" in board.python()
    for label, entry in (("Fold", "all folds"), ("Seed", "all seeds"), ("Step", "all steps")):
        board.choose(label, entry)
    board.shows("What the networks look at: all folds, all seeds, mean over steps")
    board.type("named", "age")
    board.shows("1 of 4 columns are shown")
    board.type("named", "")
    expect(board.root.get_by_text("columns are shown")).to_have_count(0, timeout=15_000)
    board.choose("Columns", "5 most read")
    path, _ = board.save("Save Table")
    assert len(path.read_text("utf-8-sig").splitlines()) == 1 + 4, "there are no more than four"
    board.pictures_are_drawn()
    path, name = board.save("Save Table")
    assert name == "attention.csv"
    with path.open(encoding="utf-8-sig") as file:
        assert next(csv.reader(file)) == ["Column", "Mean", "fold 1", "fold 2"]
    path, name = board.save("Save Picture")
    assert name == "attention.svg"
    assert path.read_text("utf-8").startswith("<svg")
    assert board.save_png("Save Picture") == "attention.png"


def try_rows(board):
    """Order, screen, query, and the way to another tab."""
    board.open("Rows")
    board.choose("Order", "as they come")
    board.shows("Rows as they come")
    board.type("Screen", "3")
    board.shows("Screen 3 of 8")
    assert "iloc[[30, 31," in board.python()
    board.type("Rows where", "age >> old")
    board.shows("must be a pandas query")
    board.type("Rows where", "age > 60")
    board.shows("Screen 1 of")
    expect(board.root.get_by_role("alert")).to_have_count(0)
    board.type("Rows where", "")
    board.shows("Screen 1 of 8")
    board.choose("Take row", "row 4")
    board.root.get_by_role("button", name="What if …").click()


def try_what_if(board):
    """A changed cell, a wrong one, and back."""
    board.shows("Row 4: all folds")
    sex = passengers()["sex"][4]
    changed = {"male": "female", "female": "male"}[sex]
    expect(board.control("sex")).to_have_value(sex)
    before = board.alts()
    board.type("sex", changed)
    board.shows("With the changes", "P(yes) moves by")
    assert board.alts() != before
    assert f".assign(**{{'sex': '{changed}'}})" in board.python()
    board.type("age", "old")
    board.shows("must be a number or blank")
    board.root.get_by_role("button", name="Put all back").click()
    expect(board.root.get_by_text("With the changes")).to_have_count(0)
    expect(board.control("age")).not_to_have_value("old")


def try_pairs_and_cohorts(board):
    """Two rows, and two groups of rows."""
    board.open("Compare")
    board.type("with row", "7")
    board.shows("Rows 4 and 7: all folds", "Attention in common")
    board.type("Row", "5")
    board.shows("Rows 5 and 7: all folds", "Prediction, row 5")
    assert "iloc[[5, 7]]" in board.python()
    board.choose("Seed", "seed 2")
    board.shows("Rows 5 and 7: all folds, seed 2")
    board.choose("Seed", "all seeds")
    path, name = board.save("Save Table")
    assert name == "compare.csv"
    heads = path.read_text("utf-8-sig").splitlines()[0]
    assert heads == "Column,value row 5,value row 7,attention row 5,attention row 7"
    board.open("Rows")
    board.choose("Take row", "row 8")
    board.root.get_by_role("button", name="Compare with …").click()
    board.shows("Rows 5 and 8: all folds")
    board.open("Cohorts")
    board.choose("Group by", "column sex")
    board.choose("Show", "male")
    board.choose("against", "male")
    expect(board.root.locator("img:visible")).to_have_count(1)
    board.choose("against", "female")
    board.shows("male against female")
    board.pictures_are_drawn()


def try_threshold(board):
    """The number by keyboard, the slider by pointer."""
    board.open("Threshold")
    board.shows("Confusion at 0.50")
    for label in ("Fold", "Seed", "Step", "Columns", "named"):
        expect(board.control(label)).to_be_disabled()
    board.drag(0.5, 0.8)
    board.settles("Threshold")
    expect(board.control("Threshold")).to_have_value(re.compile("0.[78]"))
    board.type("Threshold", "0.544")
    board.shows("Confusion at 0.54")
    expect(board.control("Threshold")).to_have_value("0.54")
    board.page.keyboard.press("ArrowUp")
    board.shows("Confusion at 0.55")
    assert ">= 0.55)" in board.python()
    assert board.nameless() == []
    assert board.root.get_by_label("Judged on").count() == 0, "training rows are judged out of fold"
    board.root.locator("summary:visible").click()
    board.shows("Matthews correlation")
    board.pictures_are_drawn()
    assert board.save_png("Save Picture 2 (PNG)", 1) == "threshold-2.png"


def try_judged_on(board):
    """Rows of a frame with a target that is not the training frame."""
    board.open("Threshold")
    board.shows("Out-of-fold: no row is judged by a network that learned from it.", "120 rows")
    board.choose("Judged on", "this frame")
    board.shows("If the model learned from these rows, they flatter it.", "60 rows")
    assert "fit.predict_proba(rows)" in board.python()


def test_every_control_in_jupyterlab(page, server):
    jupyter.run_all(page, f"{server}/lab/tree/two.ipynb?reset")
    other = Board(page, 1)
    untouched = other.root.inner_html()
    board = Board(page)
    assert page.locator(".ta-fragment:visible").count() == 0, "the live view hides the page"
    try_networks_and_columns(board)
    try_rows(board)
    try_what_if(board)
    try_pairs_and_cohorts(board)
    try_threshold(board)
    assert other.root.inner_html() == untouched, "dashboards do not disturb each other"
    kept = board.root.inner_html()
    try_judged_on(other)
    assert board.root.inner_html() == kept, "nor the other way round"


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


def test_notebook_7_and_a_saved_copy(page, server, books):
    jupyter.run_all(page, f"{server}/notebooks/one.ipynb")
    board = Board(page)
    board.choose("Fold", "fold 1")
    board.shows("What the networks look at: fold 1")
    board.open("What if")
    board.type("Row", "9")
    board.shows("Row 9: fold 1")
    box = board.control("age")
    box.fill("33")
    box.press("Tab")
    board.shows("With the changes")
    page.evaluate("() => jupyterapp.commands.execute('docmanager:save')")
    assert page.locator(".ta-fragment:visible").count() == 0
    saved = json.loads((books / "one.ipynb").read_text())
    kinds = [set(output["data"]) for output in saved["cells"][0]["outputs"]]
    assert any("text/html" in kind for kind in kinds), "the page survives in the file"

    # Opened again with a new kernel there are no widgets: the page shows.
    jupyter.end_sessions(server)
    page.goto(f"{server}/notebooks/one.ipynb")
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


def test_voila(context, guard, books, tmp_path):
    pytest.importorskip("voila")
    complaints = guard(context, LOCAL)
    with jupyter.serving([*jupyter.VOILA, str(books / "two.ipynb")], tmp_path) as url:
        page = context.new_page()
        page.goto(url, timeout=LOAD)
        board = Board(page)
        assert page.locator(".ta-fragment:visible").count() == 0
        board.choose("Fold", "fold 2")
        board.shows("What the networks look at: fold 2")
        board.open("What if")
        board.type("age", "41")
        board.shows("With the changes")
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
    assert ours(complaints, NBCONVERT) == []
