"""A Jupyter server and a Voila page on this machine, and how a test drives them."""

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.request import Request, urlopen

import nbformat
from nbformat.v4 import new_code_cell, new_notebook

KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}
ROOT = Path(__file__).resolve().parent.parent.parent
IDLE = """() => { const panel = window.jupyterapp?.shell.currentWidget,
  kernel = panel?.sessionContext?.session?.kernel;
  return kernel?.connectionStatus === 'connected' && kernel.status === 'idle'; }"""
SERVER = [
    "-m", "jupyterlab", "--no-browser", "--allow-root", "--ip=127.0.0.1",
    "--ServerApp.port_retries=0", "--IdentityProvider.token=", "--ServerApp.password=",
    "--ServerApp.disable_check_xsrf=True", "--LabApp.expose_app_in_browser=True",
    "--JupyterNotebookApp.expose_app_in_browser=True", "--LabApp.extension_manager=readonly",
    "--LabApp.news_url=None", "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
]  # fmt: skip
VOILA = ["-m", "voila", "--no-browser", "--Voila.ip=127.0.0.1", "--strip_sources=True"]


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def environment(folder):
    """An environment of its own: no settings of the user's, no proxy, nothing left behind."""
    env = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
    own = ("HOME", "JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR", "JUPYTER_DATA_DIR", "IPYTHONDIR",
           "JUPYTERLAB_SETTINGS_DIR", "JUPYTERLAB_WORKSPACES_DIR")  # fmt: skip
    for name in own:
        env[name] = str(folder / name.lower())
    news = Path(env["JUPYTERLAB_SETTINGS_DIR"]) / "@jupyterlab" / "apputils-extension"
    news.mkdir(parents=True)
    (news / "notification.jupyterlab-settings").write_text(
        '{"fetchNews": "false", "checkForUpdates": false}'
    )
    # Compiled once for the machine, not by each server while a test waits.
    env["XDG_CACHE_HOME"] = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    env |= {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "JUPYTER_PREFER_ENV_PATH": "1"}
    return env


@contextlib.contextmanager
def serving(command, folder, python=sys.executable):
    """Run a server on a free port until the block ends; yields its address."""
    port, log = free_port(), folder / "server.log"
    with log.open("w") as out:
        process = subprocess.Popen(
            [python, *command, f"--port={port}"],
            env=environment(folder), stdout=out, stderr=out, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        url = f"http://127.0.0.1:{port}"
        try:
            deadline = time.monotonic() + 90
            while not _listens(port):
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < deadline, log.read_text()
                time.sleep(0.1)
            yield url
        finally:
            process.terminate()
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _listens(port):
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 5):
        return True
    return False


def end_sessions(url):
    """Kernels would pile up on a small machine."""
    for session in json.loads(urlopen(url + "/api/sessions").read()):
        urlopen(Request(f"{url}/api/sessions/{session['id']}", method="DELETE"))


def write_notebook(path, *cells):
    book = new_notebook(
        cells=[new_code_cell(source, id=f"c{i}") for i, source in enumerate(cells)],
        metadata={"kernelspec": KERNEL},
    )
    nbformat.write(book, path)


def run_all(page, address, patience=60_000):
    """Open a notebook and run its cells; returns at once, the outputs come."""
    page.goto(address)
    page.wait_for_function(IDLE, timeout=patience)
    page.evaluate("() => { jupyterapp.commands.execute('notebook:run-all-cells') }")
