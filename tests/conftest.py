"""Fixtures for every test: seeds, few threads, the shared data, a browser."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(autouse=True)
def _same_numbers_every_time():
    """Seed the global generators, and use one thread: small networks gain nothing from more."""
    import torch

    np.random.seed(0)
    torch.manual_seed(0)
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def shared_data():
    """Return the path of a data set in the folder that lies beside the repository."""

    def find(name):
        path = ROOT.parent / "shared" / "data" / name
        if not path.exists():
            pytest.skip(f"needs the data set {name!r} in ../shared/data, which is not there")
        return path

    return find


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args):
    """Let Playwright drive the Chromium that is installed; it brings none here."""
    names = ("chromium", "chromium-browser", "google-chrome")
    path = next(filter(None, map(shutil.which, names)), None)
    if path is None:
        say = pytest.fail if os.environ.get("CI") else pytest.skip
        say("no Chromium on the path: apt-get install chromium")
    quiet = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking"]
    quiet += ["--no-first-run", "--disable-component-update", "--disable-sync"]
    return {**browser_type_launch_args, "executable_path": path, "args": quiet}


@pytest.fixture
def interruptible():
    """Python's own handler: a job in the background is started with interrupts ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
