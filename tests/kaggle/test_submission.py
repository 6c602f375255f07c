"""Every rule of the submission file, and every way in which one is refused."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tabnet_auto.errors import InputError
from tabnet_auto.kaggle.submission import build_submission, check_submission

TEST = pd.DataFrame({"id": [11, 12, 13], "x": [0.0, 1.0, 2.0]})


def binary(classes=(0, 1)):
    """A stand-in that is sure of the second class where x is large."""

    def predict_proba(frame):
        p = frame["x"].to_numpy() / 4
        return np.column_stack([1 - p, p])

    def predict(frame):
        return np.asarray(classes)[predict_proba(frame).argmax(axis=1)]

    return {"predict": predict, "predict_proba": predict_proba, "classes": list(classes)}


def three(classes=("A", "B", "C")):
    def predict_proba(frame):
        return np.eye(3)[frame["x"].astype(int)]

    def predict(frame):
        return np.asarray(classes)[frame["x"].astype(int)]

    return {"predict": predict, "predict_proba": predict_proba, "classes": list(classes)}


VALUE = {"predict": lambda frame: frame["x"].to_numpy() * 10, "predict_proba": None, "classes": []}


def build(model, sample=None, test=TEST, **options):
    return build_submission(test, target="y", sample=sample, **model, **options)


def sample_of(value, ids=(11, 12, 13), name="y"):
    return pd.DataFrame({"id": list(ids), name: value})


class TestZeros:
    """The same whole number in all rows tells nothing."""

    @pytest.mark.parametrize(("classes", "value"), [((0, 1), 0), ((0.0, 1.0), 0.0), ((0, 1), 1)])
    def test_labels_are_submitted_with_a_warning(self, classes, value):
        with pytest.warns(UserWarning, match=r'does not tell labels.*values="probabilities"'):
            out = build(binary(classes), sample_of(value))
        assert out["y"].tolist() == [0, 0, 0]

    def test_there_is_no_warning_where_the_sample_tells(self):
        build(binary(), sample_of([0, 1, 0]))
        build(binary((False, True)), sample_of(False))
        build(VALUE, sample_of(0))

    def test_the_caller_ends_it(self):
        assert build(binary(), sample_of(0), values="labels")["y"].tolist() == [0, 0, 0]


class TestForm:
    def test_whole_numbers_ask_for_labels(self):
        out = build(binary((0, 1)), sample_of([0, 1, 0]), test=TEST.assign(x=[0, 3, 4]))
        assert out["y"].tolist() == [0, 1, 1]
        assert out["y"].dtype.kind == "i"

    def test_labels_that_became_floats_are_written_as_whole_numbers(self):
        out = build(binary((0.0, 1.0)), sample_of([0, 1, 0]), test=TEST.assign(x=[0, 3, 4]))
        assert out["y"].dtype.kind == "i"

    @pytest.mark.parametrize("value", [0.5, 0.0])
    def test_fractions_ask_for_the_probability_of_the_second_class(self, value):
        assert build(binary(), sample_of(value))["y"].tolist() == [0.0, 0.25, 0.5]

    def test_fractions_ask_for_probabilities_of_words_too(self):
        assert build(binary(("No", "Yes")), sample_of(0.5))["y"].tolist() == [0.0, 0.25, 0.5]

    def test_fractions_that_are_the_labels_ask_for_labels(self):
        sample = sample_of([0.0, 1.0, 0.0])
        assert build(binary((0.0, 1.0)), sample)["y"].tolist() == [0.0, 0.0, 0.0]

    def test_words_and_booleans_ask_for_labels(self):
        assert build(three(), sample_of("A"))["y"].tolist() == ["A", "B", "C"]
        assert build(binary((False, True)), sample_of(False))["y"].tolist() == [False] * 3

    def test_values_stay_values_whatever_the_sample_holds(self):
        for value in (0, 0.0, np.nan):
            assert build(VALUE, sample_of(value))["y"].tolist() == [0.0, 10.0, 20.0]

    def test_the_caller_can_decide(self):
        assert build(binary(), sample_of(0), values="probabilities")["y"].iloc[2] == 0.5
        assert build(binary(), sample_of(0.5), values="labels")["y"].tolist() == [0, 0, 0]

    @pytest.mark.parametrize("prefix", ["", "Status_", "class "])
    def test_a_column_for_each_class(self, prefix):
        names = [prefix + label for label in ("C", "A", "B")]
        sample = pd.DataFrame({"id": [13, 12, 11], **dict.fromkeys(names, 0.3)})
        out = build(three(), sample)
        assert list(out.columns) == ["id", *names]
        assert out[prefix + "A"].tolist() == [0.0, 0.0, 1.0]
        assert out[prefix + "C"].tolist() == [1.0, 0.0, 0.0]

    def test_a_column_for_each_class_of_numbers(self):
        sample = pd.DataFrame({"id": [11, 12, 13], "class_3": 0, "class_1": 0, "class_2": 0})
        assert build(three((1, 2, 3)), sample)["class_1"].tolist() == [1.0, 0.0, 0.0]
        assert build(three((1.0, 2.0, 3.0)), sample)["class_3"].tolist() == [0.0, 0.0, 1.0]


class TestRows:
    def test_rows_follow_the_sample(self):
        out = build(VALUE, sample_of(0.0, ids=(13, 11, 12)))
        assert out.to_dict("list") == {"id": [13, 11, 12], "y": [20.0, 0.0, 10.0]}
        assert list(out.index) == [0, 1, 2]

    def test_the_index_of_the_sample_does_not_matter(self):
        sample = sample_of(0.0, ids=(13, 11, 12)).set_index(pd.Index([7, 7, 9]))
        assert build(VALUE, sample)["y"].tolist() == [20.0, 0.0, 10.0]

    def test_ids_may_be_the_index(self):
        out = build(VALUE, sample_of(0.0, ids=(12, 13, 11)), test=TEST.set_index("id"))
        assert out["y"].tolist() == [10.0, 20.0, 0.0]

    def test_ids_match_across_numbers_and_text(self):
        out = build(VALUE, sample_of(0.0, ids=("12", "13", "11")))
        assert out["y"].tolist() == [10.0, 20.0, 0.0]

    def test_the_id_need_not_be_the_first_column(self):
        sample = sample_of(0.0)[["y", "id"]]
        assert list(build(VALUE, sample).columns) == ["y", "id"]

    def test_a_target_in_the_test_data_is_no_id(self):
        sample = sample_of(0.0)[["y", "id"]]
        assert build(VALUE, sample, test=TEST.assign(y=[1, 2, 3]))["y"].tolist() == [0, 10, 20]

    @pytest.mark.parametrize("start", [0, 1])
    def test_a_column_that_counts_the_rows(self, start):
        sample = pd.DataFrame({"ImageId": np.arange(3) + start, "y": 0})
        assert build(VALUE, sample, test=TEST[["x"]])["y"].tolist() == [0.0, 10.0, 20.0]

    def test_without_a_sample(self):
        assert build(VALUE).to_dict("list") == {"id": [11, 12, 13], "y": [0.0, 10.0, 20.0]}
        assert build(VALUE, test=TEST[["x"]])["id"].tolist() == [0, 1, 2]
        assert list(build(VALUE, id_column="x").columns) == ["x", "y"]
        assert list(build(three(), values="probabilities").columns) == ["id", "y_A", "y_B", "y_C"]
        assert build(binary(), values="probabilities")["y"].tolist() == [0.0, 0.25, 0.5]


class TestRefusals:
    @pytest.mark.parametrize(
        ("test", "sample", "message"),
        [
            (TEST, sample_of(0.0, ids=(11, 12, 14)), "missing in test, 14"),
            (TEST, sample_of(0.0, ids=(11, 12))[:2], "not in the sample, 13"),
            (TEST, sample_of(0.0, ids=(11, 12, 12)), "12 occur more than once"),
            (TEST.assign(id=[11, 11, 13]), sample_of(0.0), "11 occur more than once"),
            (TEST.assign(id=[11, None, 13]), sample_of(0.0), "row 1 has none"),
            (TEST[["x"]], sample_of(0.0), "must be in the test data"),
            (TEST, sample_of(0.0)[["id"]], "at least one value column"),
            (TEST, pd.DataFrame({"id": [11, 12, 13], "a": 0, "b": 0}), "named like the classes"),
            (TEST[:0], sample_of(0.0), "must have rows"),
            (TEST, sample_of("low"), "must hold words such as 'low'"),
        ],
    )
    def test_values(self, test, sample, message):
        with pytest.raises(InputError, match=message):
            build(VALUE, sample, test=test)

    def test_columns_that_are_not_the_classes_are_both_listed(self):
        sample = pd.DataFrame({"id": [11, 12, 13], "A": 0, "B": 0, "D": 0})
        with pytest.raises(InputError, match=r"\['A', 'B', 'D'\].*\['A', 'B', 'C'\]"):
            build(three(), sample)

    def test_words_where_the_sample_has_whole_numbers(self):
        with pytest.raises(InputError, match="values="):
            build(binary(("No", "Yes")), sample_of([0, 1, 0]))

    def test_one_column_of_probabilities_needs_two_classes(self):
        with pytest.raises(InputError, match="3 classes"):
            build(three(), sample_of(0.5), values="probabilities")

    def test_probabilities_of_a_value(self):
        with pytest.raises(InputError, match="need a classifier"):
            build(VALUE, values="probabilities")

    def test_unknown_words(self):
        with pytest.raises(InputError, match="'logits'"):
            build(VALUE, values="logits")
        with pytest.raises(InputError, match="'key' is not among"):
            build(VALUE, id_column="key")

    def test_a_model_that_predicts_too_few_rows(self):
        with pytest.raises(InputError, match="1 predictions for 3 rows"):
            build({**VALUE, "predict": lambda _: np.zeros(1)}, sample_of(0.0))

    @pytest.mark.parametrize("bad", [np.nan, np.inf])
    def test_values_that_are_none(self, bad):
        for sample in (None, sample_of(0.0)):
            with pytest.raises(InputError, match="row 1"):
                build({**VALUE, "predict": lambda _: np.array([1.0, bad, 1.0])}, sample)


class TestCheck:
    sample = pd.DataFrame({"id": [1, 2, 3], "y": [0.0, 0.0, 0.0]})

    def test_rows_in_any_order_are_fine(self):
        check_submission(self.sample[::-1], self.sample)

    @pytest.mark.parametrize(
        ("submission", "message"),
        [
            (sample[["y", "id"]], "header"),
            (sample.rename(columns={"y": "Y"}), "header"),
            (sample.assign(id=[1, 2, 2]), "2 occur more than once"),
            (sample.assign(id=[1, 2, 4]), "missing in the submission, 3"),
            (sample[:2], "missing in the submission, 3"),
            (pd.concat([sample, sample.assign(id=[4, 5, 6])]), "not in the sample, 4, 5, 6"),
            (sample.assign(y=[0.0, np.nan, 0.0]), "1 values are missing, row 1 first"),
            (sample.assign(y=[0.0, 0.0, -np.inf]), "row 2 holds -inf"),
            (sample.assign(y=["a", "b", "c"]), "must hold numbers"),
            (sample.assign(y=[True, False, True]), "it holds booleans"),
        ],
    )
    def test_refusals(self, submission, message):
        with pytest.raises(InputError, match=message):
            check_submission(submission, self.sample)
