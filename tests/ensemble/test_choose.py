"""Selection of models, stackers, and the honesty of their scores."""

from __future__ import annotations

from dataclasses import replace
from time import monotonic

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, Ridge

from tabnet_auto.design import Design
from tabnet_auto.ensemble import choose
from tabnet_auto.ensemble.blend import (
    Blend,
    HeldOut,
    blend_from_json,
    held_out_rows,
    stack_inputs,
)
from tabnet_auto.ensemble.choose import check_blend, choose_blend, fold_scores
from tabnet_auto.ensemble.greedy import FEW_ROWS, greedy_blend
from tabnet_auto.ensemble.stacker import fit_stack
from tabnet_auto.errors import InputError
from tabnet_auto.folds import make_folds
from tabnet_auto.metrics import Objective, get_metric
from tabnet_auto.train.members import Task


def rmse(y):
    return lambda predicted, rows: -float(np.sqrt(np.square(predicted - y[rows]).mean()))


def make_values(noise, n=400, seed=0):
    """A target, and a model's predictions for each amount of noise."""
    rng = np.random.default_rng(seed)
    y = rng.normal(size=n)
    return y, np.stack([y + s * rng.normal(size=n) for s in noise])


def held_out(cube, y, kind="regression", n_folds=5, metric="auto", weight=None):
    folds = make_folds(kind, y, folds=n_folds)
    rows = held_out_rows(folds)
    n = len(y)
    held = HeldOut(tuple(tuple(model[own] for own in rows) for model in cube), rows, n)
    empty = Design(np.zeros((n, 0)), np.zeros((n, 0), int), np.zeros((0, n, 0)), y, weight)
    classes = None if kind == "regression" else np.unique(y)
    return held, Task(empty, None, None, folds, get_metric(metric, kind), classes)


class TestGreedy:
    def test_it_weighs_good_models_and_no_others(self):
        y, cube = make_values([0.3, 0.3, 5.0, 8.0])
        blend = greedy_blend(cube, np.arange(400), rmse(y), seed=0)
        assert sum(blend.weights) == pytest.approx(1.0)
        assert min(blend.weights[:2]) > 0.3  # two equals are better together
        assert blend.weights[2:] == (0.0, 0.0)

    def test_one_model_far_ahead_is_alone(self):
        y, cube = make_values([0.01, 3.0, 3.0])
        blend = greedy_blend(cube, np.arange(400), rmse(y), seed=0)
        assert blend.weights == (1.0, 0.0, 0.0)

    def test_it_scores_as_well_as_the_best_pair_by_grid(self):
        y, cube = make_values([0.5, 0.8])
        score = rmse(y)
        blend = greedy_blend(cube, np.arange(400), score, seed=0)
        grid = [score(w * cube[0] + (1 - w) * cube[1], np.arange(400))
                for w in np.linspace(0, 1, 101)]  # fmt: skip
        assert score(blend.apply(cube), np.arange(400)) == pytest.approx(max(grid), rel=0.02)

    def test_a_score_defined_nowhere_leaves_the_mean(self):
        _, cube = make_values([0.5, 0.8])
        blend = greedy_blend(cube, np.arange(400), lambda *_: float("nan"), seed=0)
        assert blend.weights == (0.5, 0.5)

    def test_time_up_ends_it_after_one_bag(self):
        y, cube = make_values([0.5, 0.8])
        calls = []

        def score(predicted, rows):
            calls.append(len(rows))
            return rmse(y)(predicted, rows)

        greedy_blend(cube, np.arange(400), score, seed=0)
        whole = len(calls)
        calls.clear()
        greedy_blend(cube, np.arange(400), score, seed=0, until=0.0)
        assert 0 < len(calls) < whole / 4

    def test_short_time_means_fewer_rows(self):
        y, cube = make_values([0.5, 0.8], n=20_000)
        sizes = []

        def score(predicted, rows):
            sizes.append(len(rows))
            return rmse(y)(predicted, rows)

        for until, rows in ((None, 10_000), (monotonic() + 60.0, 10_000), (0.0, FEW_ROWS)):
            sizes.clear()
            greedy_blend(cube, np.arange(20_000), score, seed=0, until=until)
            assert sizes[-1] == rows


class TestHonesty:
    def test_noise_is_not_chosen_over_the_mean(self):
        # Twelve models of noise: selection on all rows looks good there, and is worth nothing.
        rng = np.random.default_rng(0)
        y, cube = rng.normal(size=100), rng.normal(size=(12, 100)) * 0.5
        held, task = held_out(cube, y)
        everything = np.arange(100)
        seen = greedy_blend(cube, everything, rmse(y), seed=0)
        assert task.score(seen.apply(cube), everything) < task.score(cube.mean(0), everything)
        chosen = choose_blend(held, task, "greedy", recipes=range(12))
        assert chosen.blend.weights == pytest.approx([1 / 12] * 12)
        assert "uniform mean" in chosen.reason

    def test_a_rows_own_target_does_not_touch_its_prediction(self):
        y, cube = make_values([0.3, 0.35, 4.0])
        held, task = held_out(cube, y)
        chosen = choose_blend(held, task, "greedy", recipes="abc")
        assert chosen.reason.startswith("blend: greedy")
        rows = held.rows[0]
        changed = y.copy()
        # Were these targets used for these rows' weights, the third model would have some.
        changed[rows] = 0.7 * y[rows] + 0.3 * cube[2][rows]
        _, other = held_out(cube, changed)
        other = Task(other.design, None, None, task.folds, task.metric, None)
        again = choose_blend(held, other, "greedy", recipes="abc")
        assert again.reason.startswith("blend: greedy")
        np.testing.assert_array_equal(again.oof[rows], chosen.oof[rows])
        # Negative control: the weights of the other folds and the final ones did see them.
        assert not np.array_equal(again.oof, chosen.oof)
        assert again.blend.weights != chosen.blend.weights

    @pytest.mark.parametrize("rule", ["greedy", "stack"])
    def test_the_score_of_the_out_of_fold_predictions_is_what_is_compared(self, rule):
        y, cube = make_values([0.3, 2.0, 4.0])
        held, task = held_out(cube, y)
        chosen = choose_blend(held, task, rule, recipes="abc")
        assert chosen.reason.startswith(f"blend: {rule} (cross-fitted rmse")
        score = task.score(chosen.oof, np.arange(400))
        assert f"cross-fitted rmse {score:.4f}" in chosen.reason
        assert score < task.score(cube.mean(axis=0), np.arange(400))
        by_fold = [task.score(chosen.oof[rows], rows) for rows in held.rows]
        assert fold_scores(task, chosen.oof).tolist() == by_fold


def test_a_stacker_weighs_classes_as_the_models_do():
    rng = np.random.default_rng(0)
    y = (rng.random(400) < 0.1).astype(np.int64)
    p = np.clip(0.2 + 0.1 * y + 0.1 * rng.normal(size=(2, 400)), 0.01, 0.99)
    held, task = held_out(np.stack([1 - p, p], axis=-1), y, kind="binary", metric="log_loss")
    weighed = replace(task, objective=Objective(class_weight="balanced"))
    rows = np.arange(400)
    plain, balanced = (
        choose.LEARNERS["stack"](choose.Sample(held.cube(), rows, np.eye(2)), one, 0, None)
        for one in (task, weighed)
    )
    means = [blend.apply(held.cube())[:, 1].mean() for blend in (plain, balanced)]
    assert means[0] == pytest.approx(y.mean(), abs=0.03)
    assert means[1] > means[0] + 0.05


def test_models_of_one_recipe_weigh_alike():
    # By itself the second of the noisy ones happens to be better than the first.
    y, cube = make_values([0.8, 0.7, 0.2])
    held, task = held_out(cube, y)
    weights = choose_blend(held, task, "greedy", recipes="aab").blend.weights
    assert weights[0] == weights[1] < weights[2]
    assert sum(weights) == pytest.approx(1.0)
    alone = choose_blend(held, task, "greedy", recipes="abc").blend.weights
    assert alone[0] < alone[1]


class TestWhenTheMeanStays:
    def test_folds_share_the_time(self, monkeypatch):
        y, cube = make_values([0.1, 5.0])
        held, task = held_out(cube, y)
        ends = []

        def learn(sample, task, seed, until):
            ends.append(until)
            return Blend((1.0, 0.0))

        monkeypatch.setitem(choose.LEARNERS, "greedy", learn)
        monkeypatch.setattr(choose, "monotonic", lambda: 100.0 + len(ends))
        chosen = choose_blend(held, task, "greedy", recipes="ab", until=112.0)
        assert ends == [102.0, 101 + 11 / 5, 102 + 10 / 4, 103 + 9 / 3, 104 + 8 / 2, 112.0]
        assert chosen.blend.weights == (1.0, 0.0)

    def test_networks_alone_under_auto(self):
        y, cube = make_values([0.1, 5.0])
        held, task = held_out(cube, y)
        assert choose_blend(held, task, "auto", recipes="aa").blend.weights == (0.5, 0.5)
        assert choose_blend(held, task, "auto", recipes="ab").blend.weights == (1.0, 0.0)
        assert choose_blend(held, task, "uniform", recipes="ab").blend.weights == (0.5, 0.5)

    def test_one_fold_or_no_time(self):
        y, cube = make_values([0.1, 5.0])
        held, task = held_out(cube, y, n_folds=[(np.arange(200), np.arange(200, 400))])
        chosen = choose_blend(held, task, "auto", recipes="ab")
        assert chosen.blend.weights == (0.5, 0.5)
        assert "one fold" in chosen.reason
        held, task = held_out(cube, y)
        chosen = choose_blend(held, task, "auto", recipes="ab", until=0.0)
        assert chosen.blend.weights == (0.5, 0.5)
        assert "no time" in chosen.reason

    def test_unknown_blends(self):
        with pytest.raises(InputError, match=r"blend must be one of .* Did you mean 'greedy'\?"):
            check_blend("gredy")
        with pytest.raises(InputError, match="blend must be one of"):
            check_blend(None)


def make_classes(n_classes, n=300):
    rng = np.random.default_rng(0)
    y = rng.integers(0, n_classes, n)
    cube = rng.dirichlet(np.ones(n_classes), (3, n))
    cube[0] = 0.5 * cube[0] + 0.5 * np.eye(n_classes)[y]
    return y, cube


class TestStack:
    def test_values_as_ridge_predicts(self):
        y, cube = make_values([0.3, 1.0, 2.0])
        y, cube = 1e6 + 50 * y, 1e6 + 50 * cube
        weight = np.random.default_rng(0).uniform(0.5, 2.0, 400)
        stack = fit_stack(cube, y, weight)
        z = (cube.T - y.mean()) / y.std()
        model = Ridge(1.0).fit(z, (y - y.mean()) / y.std(), sample_weight=weight)
        expected = model.predict(z) * y.std() + y.mean()
        np.testing.assert_allclose(stack.apply(cube), expected, rtol=1e-9)
        assert stack.weights[0] == max(stack.weights)

    @pytest.mark.parametrize("n_classes", [2, 3])
    def test_classes_as_logistic_regression_predicts(self, n_classes):
        y, cube = make_classes(n_classes)
        stack = fit_stack(cube, y, None)
        x = stack_inputs(cube)
        assert x.shape == (300, 3 if n_classes == 2 else 9)
        expected = LogisticRegression(max_iter=1000).fit(x, y).predict_proba(x)
        np.testing.assert_allclose(stack.apply(cube), expected, atol=1e-9)
        assert stack.weights[0] > 0.5

    @pytest.mark.parametrize(("n_classes", "known"), [(3, [0, 2]), (3, [1]), (2, [0]), (2, [1])])
    def test_classes_that_the_rows_lack(self, n_classes, known):
        y, cube = make_classes(n_classes)
        rows = np.isin(y, known)
        p = fit_stack(cube[:, rows], y[rows], None).apply(cube)
        np.testing.assert_allclose(p.sum(axis=1), 1.0)
        absent = np.setdiff1d(np.arange(n_classes), known)
        assert p[:, absent].max() < 1e-6


class TestTemperature:
    @staticmethod
    def mean_of_two(sharpness, n=600):
        """Class 1 is as likely as p says; two models say less or more, each with its own noise."""
        rng = np.random.default_rng(0)
        odds = 3.0 * rng.normal(size=n)
        y = (rng.random(n) < 1 / (1 + np.exp(-odds))).astype(np.int64)
        said = sharpness * odds + 0.1 * rng.normal(size=(2, n))
        p = 1 / (1 + np.exp(-said))
        return y, np.stack([1 - p, p], axis=-1)

    def test_a_timid_blend_is_made_surer_and_its_score_is_cross_fitted(self):
        y, cube = self.mean_of_two(0.6)
        held, task = held_out(cube, y, kind="binary", metric="log_loss")
        chosen = choose_blend(held, task, "uniform", recipes="ab")
        assert chosen.blend.weights == (0.5, 0.5)
        assert chosen.blend.temperature == pytest.approx(0.6, abs=0.1)
        assert "temperature 0." in chosen.reason
        rows = np.arange(600)
        score, plain = (task.score(p, rows) for p in (chosen.oof, cube.mean(axis=0)))
        assert score < plain - 0.01
        assert f"cross-fitted log_loss {score:.4f}, without it {plain:.4f}" in chosen.reason
        # A row's own fold did not learn its temperature, and the final one saw all.
        other = y.copy()
        other[held.rows[0][:10]] = 1 - y[held.rows[0][:10]]
        _, changed = held_out(cube, other, kind="binary", metric="log_loss")
        again = choose_blend(held, replace(changed, folds=task.folds), "uniform", recipes="ab")
        assert chosen.blend.temperature < again.blend.temperature < 1.0
        np.testing.assert_array_equal(again.oof[held.rows[0]], chosen.oof[held.rows[0]])

    def test_neither_weights_nor_temperature_of_a_row_saw_its_target(self):
        y, cube = self.mean_of_two(0.6)
        cube = np.concatenate([cube, np.full((1, 600, 2), 0.5)])
        held, task = held_out(cube, y, kind="binary", metric="log_loss")
        chosen = choose_blend(held, task, "greedy", recipes="abc")
        rows = held.rows[0]
        other = y.copy()
        other[rows[:10]] = 1 - y[rows[:10]]
        _, changed = held_out(cube, other, kind="binary", metric="log_loss")
        again = choose_blend(held, replace(changed, folds=task.folds), "greedy", recipes="abc")
        for one in (chosen, again):
            assert one.reason.startswith("blend: greedy")
            assert one.blend.temperature < 1.0
        assert again.blend != chosen.blend
        np.testing.assert_array_equal(again.oof[rows], chosen.oof[rows])

    def test_one_that_is_too_sure_stays(self):
        y, cube = self.mean_of_two(2.0)
        held, task = held_out(cube, y, kind="binary", metric="log_loss")
        assert choose_blend(held, task, "uniform", recipes="ab").blend == Blend((0.5, 0.5))

    def test_metrics_of_the_order_have_none(self):
        y, cube = self.mean_of_two(0.6)
        held, task = held_out(cube, y, kind="binary", metric="roc_auc")
        assert choose_blend(held, task, "uniform", recipes="ab").blend == Blend((0.5, 0.5))

    def test_it_keeps_order_and_sum_and_comes_back_from_json(self):
        _, cube = self.mean_of_two(0.6)
        blend = Blend((0.25, 0.75), 0.5)
        out, plain = blend.apply(cube), Blend((0.25, 0.75)).apply(cube)
        np.testing.assert_allclose(out.sum(axis=1), 1.0)
        np.testing.assert_allclose(out, plain**2 / (plain**2).sum(axis=1, keepdims=True))
        assert blend_from_json(blend.to_json()) == blend
        extreme = Blend((1.0,), 0.5).apply(np.array([[[0.0, 1.0]]]))
        np.testing.assert_allclose(extreme, [[0.0, 1.0]], atol=1e-9)
