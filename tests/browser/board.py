"""A dashboard on a page as its user handles it, and the notebooks that show one."""

import re
import struct
from pathlib import Path

from browser import jupyter
from playwright.sync_api import expect
from view.live_samples import fit_to, six_columns

OPEN = """\
import pandas as pd
from tabnet_auto import load
frame = pd.read_csv("rows.csv")
fit = load("model")
fit.dashboard(frame)"""
PAGE = OPEN.replace("(frame)", '(frame, mode="page")')
SECOND = "fit.dashboard(frame.head(60))"
TRAIN = """\
import pandas as pd
from tabnet_auto import auto_fit
from tabnet_auto.config import NetConfig, Preset, TrainConfig
frame = pd.read_csv("rows.csv").drop(columns="fare")
long = Preset(net=NetConfig(), train=TrainConfig(max_epochs=100_000, patience=100_000), n_seeds=1)
fit = auto_fit(frame, "survived", folds=2, preset=long)"""
BREAK = """\
from tabnet_auto.view.live import board
board.TABS["Cohorts"] = lambda *_: 1 / 0
"""
LOCAL = ("http://127.0.0.1", "ws://127.0.0.1", "data:", "blob:", "file:")
LOAD = 60_000
NAMES = """root => [...root.querySelectorAll(
    'button, input, select, summary, a[download], [role=tab]')]
  .filter(x => x.checkVisibility({visibilityProperty: true}))
  .map(x => (x.labels?.[0]?.innerText || x.innerText).trim())"""
# Where a slider's handle is: noUiSlider of ipywidgets 8 says it, of jQuery's in 7 it is the style.
PLACE = """x => Number(x.querySelector('[aria-valuetext]')?.ariaValueText
  ?? parseFloat(x.querySelector('.ui-slider-handle').style.left) / 100)"""


def ours(complaints, known):
    """What is left when the application's own complaints are taken away."""
    return [complaint for complaint in complaints if not complaint.startswith(known)]


def write_books(folder):
    """Write a model, rows, and the notebooks that the tests open."""
    fit_to(six_columns(), "survived").save(folder / "model")
    six_columns().to_csv(folder / "rows.csv", index=False)
    jupyter.write_notebook(folder / "two.ipynb", OPEN, SECOND)
    jupyter.write_notebook(folder / "broken.ipynb", BREAK + OPEN)
    jupyter.write_notebook(folder / "one.ipynb", OPEN)
    jupyter.write_notebook(folder / "page.ipynb", PAGE)
    jupyter.write_notebook(folder / "train.ipynb", TRAIN, "print(fit.predict(frame).shape)")


def explore_the_framed_page(page):
    """Open the report below the short form, and use an explorer and a link in it."""
    page.get_by_text("The whole report").click()
    report = page.frame_locator("iframe.ta-frame")
    expect(report.locator(".ta-drawn")).to_have_count(4, timeout=LOAD)
    folds = report.locator("#attention")
    folds.get_by_label("Find columns").fill("age")
    expect(folds.get_by_role("status")).to_contain_text("1 of 6 columns")
    link = report.get_by_role("link", name="Rows")
    link.click()
    expect(link).to_have_attribute("aria-current", "true")
    report.locator("#rows [data-at]").first.click()
    expect(report.locator(".ta-detail-head")).to_contain_text("predicted out of fold")


class Board:
    """One dashboard on a page, as its user handles it; it knows which controls were used."""

    def __init__(self, page, number=0):
        self.page, self.root = page, page.locator(".ta-board").nth(number)
        self.seen, self.used = set(), set()
        # A PNG is offered as soon as a picture is drawn.
        expect(self.root.get_by_text("(PNG)").first).to_be_visible(timeout=LOAD)

    def look(self):
        """Note which controls can be seen; pictures of one panel are alike."""
        self.seen |= {re.sub(r" \d", "", name) for name in self.root.evaluate(NAMES)}

    def _used(self, name):
        self.used.add(re.sub(r" \d", "", name))

    def unused(self):
        """Controls that were seen on any of the tabs, and not used."""
        self.look()
        return self.seen - self.used

    def open(self, title):
        self.look()
        self._used(title)
        self.root.get_by_role("tab", name=title, exact=True).click()

    def control(self, label):
        return self.root.get_by_label(label, exact=True).locator("visible=true").first

    def choose(self, label, entry):
        self._used(label)
        self.control(label).select_option(label=entry)

    def type(self, label, text, key="Enter"):
        self._used(label)
        box = self.control(label)
        box.fill(text)
        box.press(key)

    def press(self, name):
        self._used(name)
        self.root.get_by_role("button", name=name).click()

    def unfold(self, title):
        self._used(title)
        self.root.locator("summary:visible", has_text=title).click()

    def drag(self, start, end):
        """Drag the slider's handle from ``start``, where it is, to ``end``: shares of it.

        Returns the value that it was let go at.
        """
        slider = self.root.locator(".ta-slider .noUi-target, .ta-slider .ui-slider")
        track = slider.bounding_box()
        x, width = track["x"], track["width"]
        y = track["y"] + track["height"] / 2
        hit = "([x, y]) => document.elementFromPoint(x, y).closest('[class*=-handle]') !== null"
        assert self.page.evaluate(hit, [x + start * width, y]), "there is something to hold"
        self.page.mouse.move(x + start * width, y)
        self.page.mouse.down()
        self.page.mouse.move(x + end * width, y, steps=5)
        self.page.mouse.up()
        return slider.evaluate(PLACE)

    def nameless(self):
        """What can be reached or is read out, and has no name."""
        return self.root.evaluate(
            """root => [...root.querySelectorAll('button, input, select, [tabindex]')]
              .filter(x => x.tabIndex >= 0 && x.checkVisibility({visibilityProperty: true}))
              .filter(x => !(x.ariaLabel || x.title || x.innerText || x.labels?.[0]?.innerText))
              .map(x => x.outerHTML.slice(0, 200))"""
        )

    def shows(self, *words):
        """Wait until the visible panel says all of this."""
        for word in words:
            found = self.root.get_by_text(word).locator("visible=true").first
            expect(found).to_be_visible(timeout=15_000)

    def alts(self):
        images = self.root.locator("img:visible")
        return images.evaluate_all("all => all.map(x => x.alt)")

    def python(self):
        return self.root.locator("pre:visible").last.inner_text()

    def save(self, what, kind="a"):
        self._used(what)
        with self.page.expect_download() as caught:
            self.root.locator(f"{kind}:visible", has_text=what).first.click()
        return Path(caught.value.path()), caught.value.suggested_filename

    def save_png(self, what, number=0):
        """Save a picture that the browser draws; its name. It is twice as large, and not blank."""
        path, name = self.save(what, "button")
        data = path.read_bytes()
        assert data.startswith(b"\x89PNG")
        size = struct.unpack(">II", data[16:24])
        shown = self.root.locator("img:visible").nth(number)
        assert list(size) == shown.evaluate("x => [2 * x.naturalWidth, 2 * x.naturalHeight]")
        assert len(data) > 5_000
        return name

    def pictures_are_drawn(self):
        images = self.root.locator("img:visible")
        widths = images.evaluate_all("all => all.map(x => x.naturalWidth)")
        assert widths
        assert all(width > 200 for width in widths), "every picture is valid SVG"
