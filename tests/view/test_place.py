"""Where the code runs decides what is shown."""

import sys
import types

import pytest

from tabnet_auto.errors import InputError
from tabnet_auto.view.place import choose_place

SAYS = ("KAGGLE_KERNEL_RUN_TYPE", "SERVER_SOFTWARE", "VSCODE_PID", "VSCODE_CWD",
        "JPY_SESSION_NAME", "TABNET_AUTO_DISPLAY")  # fmt: skip


class ZMQInteractiveShell:
    """Asked by nbclient, which cannot answer ``input()``, or by a page, which can."""

    def __init__(self, *, allow_stdin=False):
        self.request = {"content": {"code": "fit", "allow_stdin": allow_stdin}}

    def get_parent(self):
        return self.request


@pytest.fixture
def put(monkeypatch):
    """Pretend to be somewhere."""

    def put(shell=None, **environment):
        for name in SAYS:
            monkeypatch.delenv(name, raising=False)
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.delitem(sys.modules, "google.colab", raising=False)
        fake = types.SimpleNamespace(get_ipython=lambda: shell)
        monkeypatch.setitem(sys.modules, "IPython", fake)

    return put


@pytest.mark.parametrize(
    ("environment", "place"),
    [
        ({"JPY_SESSION_NAME": "/home/me/a.ipynb"}, "live"),
        ({}, "page"),  # nbconvert, papermill, nbclient
        ({"KAGGLE_KERNEL_RUN_TYPE": "Interactive"}, "live"),
        ({"KAGGLE_KERNEL_RUN_TYPE": "Batch", "JPY_SESSION_NAME": "a.ipynb"}, "page"),
        ({"SERVER_SOFTWARE": "voila/0.5.13"}, "live"),
        ({"VSCODE_PID": "12"}, "live"),
    ],
)
def test_a_notebook_that_somebody_watches_is_live(put, environment, place):
    put(ZMQInteractiveShell(), **environment)
    assert choose_place() == place


def test_the_classic_notebook_is_live(put):
    """It names no session, but somebody could answer a question."""
    put(ZMQInteractiveShell(allow_stdin=True))
    assert choose_place() == "live"


def test_colab_is_live(put, monkeypatch):
    put(ZMQInteractiveShell())
    monkeypatch.setitem(sys.modules, "google.colab", types.ModuleType("google.colab"))
    assert choose_place() == "live"


def test_elsewhere_there_is_text(put):
    put(None, JPY_SESSION_NAME="a.ipynb")
    assert choose_place() == "text"


def test_a_word_wins_over_the_guess(put):
    put(ZMQInteractiveShell(), TABNET_AUTO_DISPLAY="live")
    assert choose_place() == "live"
    assert choose_place("text") == "text", "the argument over the environment"


def test_other_words_are_refused(put):
    put(None)
    with pytest.raises(InputError, match="Did you mean 'live'"):
        choose_place("lives")
    put(None, TABNET_AUTO_DISPLAY="off")
    with pytest.raises(InputError, match="TABNET_AUTO_DISPLAY must be one of"):
        choose_place()
