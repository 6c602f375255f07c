"""A peer in a process of its own: whichever ``pytorch_tabnet`` is importable, by its own fit().

Reads one JSON command a line, answers one JSON line. Imports nothing of this repository, so that
it runs in any environment.

    {"op": "open", "data": "x.npz", "n_d": 8, ...}   read the folds, fit a few batches of each
    {"op": "epoch", "fold": 0, "threads": 2}         one epoch of fit() with validation: seconds
    {"op": "probe", "threads": 2}                    one epoch of the warm-up rows: seconds
    {"op": "predict", "threads": 2}                  predict_proba of all folds' models: seconds
"""

from __future__ import annotations

import json
import os
import sys
import time
import warnings

import numpy as np
import torch

WARM_BATCHES = 2


def make_models(order):
    """One untrained model a fold, with the peer's own defaults where the order says nothing."""
    try:
        from pytorch_tabnet.tab_model import TabNetClassifier
    except ModuleNotFoundError:  # the fork has moved it
        from pytorch_tabnet.tab_models import TabNetClassifier

    settings = {
        "n_d": order["n_d"], "n_a": order["n_d"], "n_steps": order["n_steps"],
        "gamma": order["gamma"], "n_independent": order["n_independent"],
        "n_shared": order["n_shared"], "cat_idxs": order["cat_idxs"],
        "cat_dims": order["cat_dims"], "cat_emb_dim": 1, "mask_type": "sparsemax",
        "grouped_features": order["grouped_features"], "verbose": 0,
        "device_name": order["device"],
    }  # fmt: skip
    return [TabNetClassifier(**settings) for _ in range(order["folds"])]


class Peer:
    """Five models and their rows."""

    def open(self, order):
        """Read the folds and fit a few batches of each: everything is loaded, nothing is timed."""
        self.order = order
        self.data = dict(np.load(order["data"]))
        self.models = make_models(order)
        for fold in range(order["folds"]):
            self.train(fold, self.few(fold), warm=False)

    def few(self, fold):
        """Rows of a few batches that hold every class."""
        y = self.data[f"y_train{fold}"]
        _, first = np.unique(y, return_index=True)
        n = WARM_BATCHES * self.order["batch"]
        return np.unique(np.concatenate([first, np.arange(min(n, len(y)))]))

    def train(self, fold, rows=None, *, warm=True):
        """One epoch of fit() with validation; seconds from the epoch's begin to its end."""
        from pytorch_tabnet.callbacks import Callback

        class Clock(Callback):
            def on_epoch_begin(self, epoch, logs=None):  # noqa: ARG002 - the peer's interface
                self.start = time.perf_counter()

            def on_epoch_end(self, epoch, logs=None):  # noqa: ARG002
                if torch.cuda.is_available():
                    torch.cuda.synchronize()
                self.seconds = time.perf_counter() - self.start

        clock = Clock()
        x, y = self.data[f"x_train{fold}"], self.data[f"y_train{fold}"]
        held = self.data[f"x_valid{fold}"], self.data[f"y_valid{fold}"]
        if rows is not None:
            x, y = x[rows], y[rows]
            held = x, y
        self.models[fold].fit(
            x, y, eval_set=[held], max_epochs=1, patience=0, batch_size=self.order["batch"],
            virtual_batch_size=self.order["virtual"], num_workers=0, callbacks=[clock],
            warm_start=warm, compute_importance=False,
        )  # fmt: skip
        return clock.seconds

    def predict(self):
        """Seconds of predict_proba of all models on the test rows."""
        start = time.perf_counter()
        for fold, model in enumerate(self.models):
            model.predict_proba(self.data[f"x_test{fold}"])
        return time.perf_counter() - start

    def answer(self, order):
        """Carry out one command."""
        torch.set_num_threads(order.get("threads", torch.get_num_threads()))
        if order["op"] == "open":
            self.open(order)
            return {"ok": True}
        if order["op"] == "epoch":
            return {"seconds": self.train(order["fold"])}
        if order["op"] == "probe":
            return {"seconds": self.train(0, self.few(0))}
        return {"seconds": self.predict()}


def main():
    """Answer until the input ends. What the peer prints goes to the error stream."""
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    warnings.simplefilter("ignore")
    peer = Peer()
    for line in sys.stdin:
        try:
            reply = peer.answer(json.loads(line))
        except Exception as error:  # noqa: BLE001 - the other side decides
            reply = {"error": f"{type(error).__name__}: {error}"}
        out.write(json.dumps(reply) + "\n")
        out.flush()


if __name__ == "__main__":
    main()
