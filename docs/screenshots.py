"""Make the pictures in docs/images: every view of page and dashboard, on three tables.

    python docs/screenshots.py [--data ../shared/data] [--rows 1500] [--images docs/images]

Needs the development packages and a Chromium (CHROMIUM=path). Where the folder of data sets is
missing, only the made-up table of 300 columns is shown.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from playwright.sync_api import Page, sync_playwright

from tabnet_auto import Search, auto_fit
from tabnet_auto.result.fit import FitResult

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "benchmarks"))
from data import DEFAULT, read_split  # the data sets' reader is shared with the benchmarks
from live_screenshots import PATIENCE, Save, live_pictures

# Away with the standing bar, which would lie over the pictures; some air around each section.
STYLE = ".ta-nav { position: static } .ta-section, .ta-detail:not(:empty) { padding: 1rem 1.25rem }"
IMAGES = Path(__file__).resolve().parent / "images"
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
MOST_BYTES = 250_000
WIDTH, HEIGHT = 1180, 900
SECTIONS = (
    "overview", "leaderboard", "search", "curves", "attention", "steps", "rows", "cohorts", "trust",
    "drift", "audit", "predictions", "columns", "reproduce",
)  # fmt: skip


def main() -> None:
    """Fit, write the pages, and take their pictures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=DEFAULT, help="folder of data sets")
    parser.add_argument("--rows", type=int, default=1500, help="rows of each table, at most")
    parser.add_argument("--images", type=Path, default=IMAGES, help="folder of the pictures")
    arguments = parser.parse_args()
    arguments.images.mkdir(parents=True, exist_ok=True)
    save = partial(save_in, arguments.images)
    with tempfile.TemporaryDirectory() as folder:
        fits = fit_tables(arguments.data, arguments.rows)
        pages = {name: fit.report(Path(folder) / f"{name}.html") for name, (fit, _) in fits.items()}
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
            for name, path in pages.items():
                for scheme in ("light", "dark"):
                    page = browser.new_page(
                        viewport={"width": WIDTH, "height": HEIGHT}, color_scheme=scheme
                    )
                    page.set_default_timeout(PATIENCE)
                    page.goto(path.as_uri())
                    page.wait_for_selector("html.ta-ready")
                    page.add_style_tag(content=STYLE)
                    take(page, name, scheme, save)
                    page.close()
            live_pictures(browser, fits, Path(folder), save)
            browser.close()


def fit_tables(data: Path, rows: int) -> dict[str, tuple[FitResult, pd.DataFrame]]:
    """Fit every table with the fast preset, the first with a search; return fits and rows."""
    tables = {}
    for name in ("adult", "california_housing"):
        if (data / name).is_dir():
            split = read_split(name, data)
            tables[name] = (split.target, split.train.head(rows), split.test.head(rows))
        else:
            print(f"{name}: not below {data}, left out")
    tables["wide"] = wide_table(rows // 3)
    fits = {}
    for name, (target, train, test) in tables.items():
        search = Search(n_configurations=8) if not fits else False
        fit = auto_fit(train, target, test=test, preset="fast", search=search, verbose=False)
        fits[name] = fit, train
        print(f"{name}: {fit.oof_score:.4f}", flush=True)
    return fits


def wide_table(n_rows: int) -> tuple[str, pd.DataFrame, pd.DataFrame]:
    """Return 300 columns, eight of which decide; the test rows have moved in two of them."""
    rng = np.random.default_rng(0)

    def draw(n: int, moved: float) -> pd.DataFrame:
        values = rng.normal(size=(n, 300))
        values[:, [2, 40]] += moved
        frame = pd.DataFrame(values, columns=[f"sensor_{i:03d}" for i in range(300)])
        signal = values[:, 0] + values[:, 1] * values[:, 2] + values[:, 3:8].sum(axis=1) / 2
        frame["failure"] = np.where(signal + rng.normal(size=n) > 1.5, "failed", "ran")
        return frame

    return "failure", draw(n_rows, 0.0), draw(n_rows // 2, 0.4)


def take(page: Page, name: str, scheme: str, save: Save) -> None:
    """Take a picture of every section; in dark only of what has colours of its own."""
    dark = scheme == "dark"
    for section in ("attention", "rows") if dark else SECTIONS:
        place = page.locator(f"section#{section}")
        if place.count():
            save(f"{name}-{section}{'-dark' * dark}", place.screenshot())
    if not dark:
        page.locator("#rows tbody [data-at]").first.click()
        page.mouse.move(0, 0)  # nor does the pointer shade what it stands on
        save(f"{name}-row", page.locator(".ta-detail").screenshot())


def save_in(folder: Path, name: str, picture: bytes) -> None:
    """Write a picture that is small enough for a repository."""
    path = folder / f"{name}.png"
    if len(picture) > MOST_BYTES:
        message = f"{path.name} has {len(picture):,} bytes, more than {MOST_BYTES:,}"
        raise SystemExit(message)
    path.write_bytes(picture)


if __name__ == "__main__":
    main()
