"""Listeners, fed with made-up events."""

import base64
import io
import math
import re
import sys
import types
import warnings

import pytest

from tabnet_auto.trace import Event, Trace
from tabnet_auto.view import progress
from tabnet_auto.view.notebook import notebook_progress
from tabnet_auto.view.progress import choose_progress
from tabnet_auto.view.run_state import RunState, sentence_of
from tabnet_auto.view.terminal import terminal_progress


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


class Terminal(io.StringIO):
    def isatty(self):
        return True


class Cell:
    """Stands in for IPython.display.display and the handle it returns."""

    def __init__(self):
        self.frames = []

    def __call__(self, bundle, *, raw, display_id):
        assert raw
        assert display_id
        self.frames.append(bundle)
        return self

    def update(self, bundle, *, raw):
        assert raw
        self.frames.append(bundle)


PLAN = {
    "n_members": 4, "n_folds": 2, "n_seeds": 2, "n_rows": 8914, "n_columns": 14, "max_epochs": 30,
    "batch_size": 256, "device": "cpu", "metric": "roc_auc", "greater_is_better": True,
    "time_limit": 60,
}  # fmt: skip


def epoch(number, members=(0, 1, 2, 3), **changes):
    n = len(members)
    return {
        "epoch": number, "max_epochs": 30, "members": list(members), "train_loss": [0.5] * n,
        "valid_loss": [0.6 - 0.01 * number] * n, "score": [0.8] * n,
        "best_score": [0.8, 0.9, 0.7, None], "best_epoch": [number, 1, 1, 0], "eta": 95.0,
        **changes,
    }  # fmt: skip


def play(listener, clock, n_epochs=30, step=1.0):
    trace = Trace(listener)
    trace.add("note", text="12 rows <b>without</b> a target were set aside")
    trace.add("plan", **PLAN)
    for number in range(1, n_epochs + 1):
        clock.now += step
        trace.add("epoch", **epoch(number))
    trace.add("stopped", reason="converged")
    trace.add("done", oof_score=0.8731, seconds=75.2)


def test_a_pipe_gets_few_plain_lines():
    stream, clock = io.StringIO(), Clock()
    play(terminal_progress(stream, clock=clock), clock)
    lines = stream.getvalue().splitlines()
    assert lines == [
        "note: 12 rows <b>without</b> a target were set aside",
        (
            "training 2 folds x 2 seeds on 8,914 rows, 14 columns: at most 30 epochs of batches "
            "of 256 on cpu, by roc_auc, within 60 s"
        ),
        *(
            f"epoch {n}/30: best roc_auc 0.7750 (0.8500 0.7000), 2 of 2 folds training, "
            "1 min 35 s left"
            for n in (10, 20, 30)
        ),
        (
            "stopped after epoch 30: every fold has stopped improving; "
            "best roc_auc 0.7750 (0.8500 0.7000)"
        ),
        "done: out-of-fold roc_auc 0.8731 in 1 min 15 s",
    ]
    assert "\r" not in stream.getvalue()


def test_a_terminal_gets_a_bar_with_lines_above_it():
    stream, clock = Terminal(), Clock()
    play(terminal_progress(stream, clock=clock), clock)
    text = stream.getvalue()
    assert "epoch 30/30" in text, "the last epoch is drawn"
    assert "best roc_auc 0.7750 (0.8500 0.7000)" in text
    assert "2 of 2 folds training" in text
    assert text.splitlines()[0].startswith("note: ")
    assert text.rstrip().endswith("done: out-of-fold roc_auc 0.8731 in 1 min 15 s")


def test_a_note_during_training_keeps_the_bar_whole():
    stream = Terminal()
    listener = terminal_progress(stream)
    listener(Event("plan", 0.0, PLAN))
    listener(Event("epoch", 1.0, epoch(1)))
    listener(Event("note", 1.0, {"text": "halfway"}))
    listener(Event("stopped", 1.0, {"reason": "requested"}))
    assert "note: halfway\n" in stream.getvalue()
    assert "stopped on request" in stream.getvalue()


def test_folds_that_stopped_are_not_counted():
    stream, clock = io.StringIO(), Clock()
    listener = terminal_progress(stream, clock=clock)
    listener(Event("plan", 0.0, PLAN))
    clock.now = 11.0
    listener(Event("epoch", 1.0, epoch(3, members=(3,), eta=None)))
    assert "1 of 2 folds training, time left unknown" in stream.getvalue()


def test_a_notebook_gets_one_output_at_most_five_times_a_second():
    cell, clock = Cell(), Clock()
    play(notebook_progress(display=cell, clock=clock), clock, n_epochs=29, step=0.01)
    # the empty panel, and the two forced ones at the end
    assert len(cell.frames) == 3
    last = cell.frames[-1]
    assert set(last) == {"text/html", "text/plain"}
    assert "epoch 29 of 30, finished" in last["text/html"]
    assert "done: out-of-fold roc_auc 0.8731" in last["text/html"]
    assert last["text/plain"].splitlines()[-1].startswith("epoch 29 of 30, best roc_auc 0.7750")


def test_no_second_has_more_than_five_frames():
    cell, clock, shown = Cell(), Clock(), []
    listener = notebook_progress(display=cell, clock=clock, cost=Clock())
    events = [Event("epoch", 0.0, epoch(number)) for number in range(1, 31)] * 10
    events += [Event("stopped", 0.0, {"reason": "converged"}), Event("note", 0.0, {"text": "a"})]
    events += [Event("note", 0.0, {"text": "b"}), Event("done", 0.0, {})]
    for event in events:
        clock.now += 0.01
        before = len(cell.frames)
        listener(event)
        shown += [clock.now] * (len(cell.frames) - before)
    assert len(shown) > 9
    assert max(sum(t <= other < t + 1.0 for other in shown) for t in shown) <= 5


def test_the_notebook_frame_is_safe_and_describes_itself():
    cell, clock = Cell(), Clock()
    play(notebook_progress(display=cell, clock=clock), clock)
    page = cell.frames[-2]["text/html"]
    assert "&lt;b&gt;without&lt;/b&gt;" in page
    assert "<script" not in page
    assert '<progress class="ta-live-bar" max="30"' in page
    assert 'role="status"' in page
    assert 'src="data:image/svg+xml;base64,' in page
    assert 'alt="Validation loss of 4 members up to epoch 30"' in page
    assert "fold 2" in page
    assert "http" not in page


def test_a_long_run_keeps_its_frames_small():
    cell, clock = Cell(), Clock()
    listener = notebook_progress(display=cell, clock=clock)
    for number in range(1, 3001):
        listener(Event("epoch", 0.0, epoch(number, max_epochs=3000)))
        clock.now += 0.001
    assert len(cell.frames[-1]["text/html"]) < 60_000


def test_a_listener_that_fails_warns_once_and_goes_quiet():
    class Broken(io.StringIO):
        calls = 0

        def write(self, text):
            Broken.calls += 1
            raise OSError("no space")

    listener = terminal_progress(Broken())
    with pytest.warns(RuntimeWarning, match="display failed and is off: OSError: no space"):
        listener(Event("note", 0.0, {"text": "a"}))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        listener(Event("note", 0.0, {"text": "b"}))
    assert Broken.calls == 1


def test_it_does_not_raise_even_where_warnings_are_errors(capsys):
    listener = terminal_progress(io.StringIO())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        listener(Event("epoch", 0.0, {}))
    assert "display failed and is off: KeyError" in capsys.readouterr().err


def test_an_interrupt_passes_through():
    class Stop(io.StringIO):
        def write(self, text):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        terminal_progress(Stop())(Event("note", 0.0, {"text": "a"}))


def test_the_choice_follows_the_place(monkeypatch):
    monkeypatch.setattr(progress, "notebook_progress", lambda *, watched: ("page", "live")[watched])
    monkeypatch.setattr(progress, "terminal_progress", lambda: "bar")
    assert choose_progress(False) is None
    monkeypatch.delitem(sys.modules, "IPython", raising=False)
    assert choose_progress("auto") == "bar"

    class ZMQInteractiveShell: ...

    class Colab(ZMQInteractiveShell): ...

    class TerminalInteractiveShell: ...

    monkeypatch.setenv("JPY_SESSION_NAME", "a.ipynb")
    for shell, expected in ((Colab(), "live"), (TerminalInteractiveShell(), "bar"), (None, "bar")):
        fake = types.SimpleNamespace(get_ipython=lambda shell=shell: shell)
        monkeypatch.setitem(sys.modules, "IPython", fake)
        assert choose_progress(True) == expected


def test_ipythons_own_display_is_the_default(monkeypatch):
    display = pytest.importorskip("IPython.display")
    cell = Cell()
    monkeypatch.setattr(display, "display", cell)
    listener = notebook_progress()
    listener(Event("note", 0.0, {"text": "a"}))
    listener(Event("done", 0.0, {}))
    assert "note: a" in cell.frames[-1]["text/plain"]


def test_a_finished_companion_is_a_line():
    state = RunState(plan={"metric": "roc_auc"})
    data = {"name": "lightgbm", "state": "finished", "scores": [0.8, 0.9], "seconds": 3.2}
    line = sentence_of(Event("companion", 1.0, data), state)
    assert line == "companion lightgbm: roc_auc 0.8500 in 3.2 s"
    assert sentence_of(Event("companion", 1.0, {"name": "x", "state": "started"}), state) == ""


TOLD = {"attention_columns": [2, 0], "attention": [[0.6, 0.1], [0.5, 0.2], [0.4, 0.3], [0.3, 0.4]]}
NAMED = {**PLAN, "columns": ["age", "sex", "fare"]}


def test_attention_appears_as_it_forms_fold_by_fold():
    state = RunState()
    state.read(Event("plan", 0.0, NAMED))
    state.read(Event("epoch", 0.0, epoch(1, **TOLD)))
    assert state.fold_attention(5) == [
        ("fare", pytest.approx([0.55, 0.35])), ("age", pytest.approx([0.15, 0.35])),
    ]  # fmt: skip
    # The second fold goes on alone, and is told another column; the first keeps its last weights.
    later = {"attention_columns": [1], "attention": [[0.9], [0.7]]}
    state.read(Event("epoch", 0.0, epoch(2, members=(2, 3), **later)))
    (name, weights), *rest = state.fold_attention(1)
    assert name == "sex"
    assert math.isnan(weights[0])
    assert weights[1] == pytest.approx(0.8)
    assert rest == []


def test_a_column_without_a_number_is_left_out():
    state = RunState()
    state.read(Event("plan", 0.0, NAMED))
    state.read(Event("epoch", 0.0, epoch(1, **{**TOLD, "attention": [[math.nan, 0.2]] * 4})))
    assert [name for name, _ in state.fold_attention(5)] == ["age"]


def test_the_panel_shows_attention_and_how_to_stop():
    cell, clock = Cell(), Clock()
    listener = notebook_progress(display=cell, clock=clock)
    listener(Event("plan", 0.0, NAMED))
    clock.now = 1.0
    listener(Event("epoch", 0.0, epoch(2, **TOLD)))
    page = cell.frames[-1]["text/html"]
    assert 'alt="Attention by fold at epoch 2: fare 45%, age 25%"' in page
    curve, heat = (base64.b64decode(part).decode() for part in re.findall('base64,([^"]+)', page))
    assert "validation loss, mean of a fold&#x27;s seeds" in curve
    assert curve.count('class="line s') == 2 + 2, "a line a fold, and its colour's name"
    assert curve.count('class="faint s') == 4
    assert "line from lowest to highest fold" in heat
    assert [words in heat for words in ("45.0%", "25.0%")] == [True, True], "the means"
    assert "notebook&#x27;s ■" in page or "notebook's ■" in page
    listener(Event("stopped", 1.0, {"reason": "requested"}))
    assert "■" not in cell.frames[-1]["text/html"], "there is nothing left to stop"


def test_dear_frames_are_drawn_less_often():
    cell, clock, cost = Cell(), Clock(), Clock()

    class Slow(Cell):
        def update(self, bundle, *, raw):
            cost.now += 0.03
            super().update(bundle, raw=raw)

    cell = Slow()
    listener = notebook_progress(display=cell, clock=clock, cost=cost)
    for number in range(1, 1001):
        clock.now += 0.01
        listener(Event("epoch", 0.0, epoch(number, max_epochs=2000)))
    n_frames = len(cell.frames) - 1
    assert n_frames == 4, "ten seconds, thirty milliseconds a frame, one per cent"
    assert n_frames * 0.03 < 0.02 * clock.now


def test_unwatched_there_are_only_the_empty_panel_and_the_last_state():
    cell, clock = Cell(), Clock()
    play(notebook_progress(display=cell, clock=clock, watched=False), clock, n_epochs=29)
    # the empty panel, and the two last words: stopped, done
    assert len(cell.frames) == 3
    assert "done: out-of-fold roc_auc 0.8731" in cell.frames[-1]["text/html"]
