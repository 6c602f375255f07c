"""auto_fit in a real kernel: what the stop button (an interrupt) leaves, and what is displayed."""

import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.notebook

TRAIN = """\
import sys
sys.path.insert(0, {tests!r})
from view.live_samples import passengers
from tabnet_auto import auto_fit
from tabnet_auto.config import NetConfig, Preset, TrainConfig
frame = passengers().drop(columns="fare")
long = Preset(net=NetConfig(), train=TrainConfig(max_epochs=100_000, patience=100_000), n_seeds=1)
fit = auto_fit(frame, "survived", folds=2, preset=long)
"""
USE = "len(fit.predict(frame)), fit.trace.of('stopped')[0]['reason'], fit.oof_score > 0"


@pytest.fixture
def kernel(monkeypatch):
    manager_module = pytest.importorskip("jupyter_client.manager")
    monkeypatch.setenv("JPY_SESSION_NAME", "a.ipynb")  # as Jupyter's server does
    monkeypatch.setenv("JUPYTER_PREFER_ENV_PATH", "1")
    manager, client = manager_module.start_new_kernel(kernel_name="python3")
    yield manager, client
    client.stop_channels()
    manager.shutdown_kernel(now=True)


def messages(client, until, timeout=120):
    """The kernel's messages up to the first that ``until`` accepts."""
    deadline = time.monotonic() + timeout
    seen = []
    while time.monotonic() < deadline:
        message = client.get_iopub_msg(timeout=timeout)
        seen.append(message)
        if until(message):
            return seen
    raise AssertionError(f"no such message in {timeout} s")


def idle(request):
    return lambda m: (
        m["msg_type"] == "status"
        and m["content"]["execution_state"] == "idle"
        and m["parent_header"].get("msg_id") == request
    )


def test_an_interrupt_ends_the_training_with_a_usable_result(kernel):
    manager, client = kernel
    request = client.execute(TRAIN.format(tests=str(Path(__file__).resolve().parent.parent)))

    def trains(message):
        assert message["msg_type"] != "error", message["content"]
        html = message["content"].get("data", {}).get("text/html", "")
        return "Attention by fold at epoch" in html

    messages(client, trains)
    manager.interrupt_kernel()
    seen = messages(client, idle(request))
    assert not [m["content"] for m in seen if m["msg_type"] == "error"]
    last = [m for m in seen if m["msg_type"] == "update_display_data"][-1]["content"]["data"]
    assert "stopped on request" in last["text/plain"]
    assert "done: out-of-fold roc_auc" in last["text/plain"]
    answer = messages(client, idle(client.execute(USE)))
    result = next(m for m in answer if m["msg_type"] == "execute_result")
    assert result["content"]["data"]["text/plain"] == "(120, 'requested', True)"
