"""An environment with the notebook of some years ago, as some platforms still have it.

It holds the classic notebook 6.5 with ipywidgets 7.7, its Voila, and Kaggle's nbconvert 6.4.
Everything else (torch, pandas, this package) is borrowed from the environment that runs the tests.
"""

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

PACKAGES = (
    "notebook==6.5.7", "ipywidgets==7.7.5", "nbconvert==6.4.5", "voila==0.3.7", "setuptools<81",
)  # fmt: skip
SERVER = [
    "-m", "notebook", "--no-browser", "--allow-root", "--ip=127.0.0.1",
    "--NotebookApp.port_retries=0", "--NotebookApp.token=", "--NotebookApp.password=",
    "--NotebookApp.disable_check_xsrf=True",
    "--NotebookApp.enable_mathjax=False",  # it would come from a CDN
]  # fmt: skip
READY = """() => { const kernel = window.Jupyter?.notebook?.kernel;
  return kernel?.is_connected?.() && kernel.widget_manager; }"""
# On opening a notebook ipywidgets 7 asks the kernel for widgets of an earlier page. Widgets that
# cells make meanwhile it would build a second time, from their first state: let its two requests
# be answered before a cell runs.
RESTORED = """async () => { const kernel = Jupyter.notebook.kernel;
  for (let request = 0; request < 4; request++)
    await new Promise(answered => kernel.execute("", {shell: {reply: answered}}));
  return Object.keys(kernel._msg_callbacks).length === 0; }"""


def python_in(folder):
    """Make the environment in a folder, once; return its Python."""
    python = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    stamp = folder / "made-of.txt"
    made_of = "\n".join([sys.version, sys.prefix, *PACKAGES])
    if stamp.exists() and stamp.read_text() == made_of:
        return python
    subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
    pip = [python, "-m", "pip", "--disable-pip-version-check", "--quiet", "install", *PACKAGES]
    done = subprocess.run(pip, check=False, capture_output=True, text=True)
    if done.returncode:
        say = pytest.fail if os.environ.get("CI") else pytest.skip
        say(f"{' '.join(PACKAGES)} cannot be installed: {done.stderr[-500:]}")
    paths = {"base": str(folder), "platbase": str(folder)}
    site = Path(sysconfig.get_path("purelib", vars=paths))
    # Read last: what both have comes from the older environment.
    (site / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n", "utf-8")
    stamp.write_text(made_of)
    return python


def run_all(page, address):
    """Open a classic notebook and run its cells; returns at once, the outputs come."""
    page.goto(address)
    page.wait_for_function(READY, timeout=60_000)
    page.wait_for_function(RESTORED, timeout=60_000)
    page.evaluate("() => { Jupyter.notebook.execute_all_cells() }")
