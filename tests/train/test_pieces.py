"""Work that does not fit into memory is halved, and gives the same numbers."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from train_helpers import PAPER, SMALL, make_members, make_table, make_tables, make_trainer

from tabnet_auto.design import Design
from tabnet_auto.train.pieces import in_pieces
from tabnet_auto.train.predict import predict_members


class Scarce:
    """Refuses forward passes of more members x rows than fit."""

    def __init__(self, net, cells, error=torch.OutOfMemoryError):
        self.cells, self.error, self.refused = cells, error, 0
        net.register_forward_pre_hook(self)

    def __call__(self, net, inputs):
        n_members, n_rows = inputs[0].shape
        if n_members * n_rows > self.cells:
            self.refused += 1
            raise self.error("out of memory: can't allocate memory")


@pytest.mark.parametrize("net", [SMALL, PAPER])
@pytest.mark.parametrize("error", [torch.OutOfMemoryError, RuntimeError])
def test_training_in_pieces_of_members_is_the_same_training(net, error):
    design, members = make_table(), make_members()
    whole = make_trainer(design, members, net=net)
    expected = whole.run()
    scarce = make_trainer(design, members, net=net)
    memory = Scarce(scarce.net, 70, error)
    state = scarce.run()
    assert memory.refused > 0
    assert scarce.members_at_once < 3 == whole.members_at_once
    assert state.best_epoch == expected.best_epoch
    for name, tensor in expected.best.items():
        torch.testing.assert_close(state.best[name], tensor, rtol=1e-5, atol=1e-6, msg=name)


def test_what_never_fits_is_an_error():
    trainer = make_trainer(make_table(), make_members())
    Scarce(trainer.net, 5)
    with pytest.raises(torch.OutOfMemoryError):
        trainer.run()


def test_other_errors_are_not_retried():
    trainer = make_trainer(make_table(), make_members())
    memory = Scarce(trainer.net, 70, error=lambda _: RuntimeError("shapes do not match"))
    with pytest.raises(RuntimeError, match="shapes"):
        trainer.run()
    assert memory.refused == 1


def test_prediction_in_pieces_is_the_same_prediction():
    design, members = make_table(), make_members()
    trainer = make_trainer(design, members)
    tables = make_tables(design, members)
    predicted = [list(predict_members(trainer.net, _rows(design), tables, is_class=True))]
    Scarce(trainer.net, 100)
    predicted.append(list(predict_members(trainer.net, _rows(design), tables, is_class=True)))
    assert len(predicted[1]) > len(predicted[0]) == 1
    whole, parts = (torch.from_numpy(_joined(chunks)) for chunks in predicted)
    torch.testing.assert_close(whole, parts, rtol=1e-5, atol=1e-7)
    assert whole.shape[1] == design.n_rows


def test_pieces_cover_everything_once_and_stay_small():
    seen = []

    def work(piece):
        if piece.stop - piece.start > 3:
            raise torch.OutOfMemoryError
        seen.extend(range(piece.start, piece.stop))
        return piece.stop - piece.start

    assert list(in_pieces(10, 8, work)) == [2, 2, 2, 2, 2]
    assert seen == list(range(10))


def _rows(design):
    return Design(design.x_num, design.codes, np.zeros((3, design.n_rows, 0), np.float32))


def _joined(chunks):
    return np.concatenate(chunks, axis=1)
