"""The encoder: tensors from tables, the same from a saved description, and clear words where a table does not fit."""

from __future__ import annotations

import json

import numpy as np
import pytest

import adjoint as ad
from adjoint.data import Encoder, Table, read_csv

pytestmark = pytest.mark.usefixtures("backend")


def table(**changes):
    columns = {"size": [1, 2, 3, 6], "kind": ["b", "a", "b", "c"], "same": [0.1] * 4, "one": ["x"] * 4, "y": [10, 20, 30, 60]}
    return Table({name: values for name, values in (columns | changes).items() if values is not None})


def test_numbers_are_standardized_text_is_one_hot_and_constants_are_left_out():
    encoder = Encoder("y").fit(table())
    x, y = encoder.transform(table())
    assert encoder.task == "regression"
    assert encoder.feature_names == ["size", "kind=a", "kind=b", "kind=c"]
    assert encoder.dropped == ["same", "one"]
    assert encoder.n_outputs == 1
    assert (x.dtype, y.dtype, y.shape) == (ad.float32, ad.float32, (4, 1))
    size = np.array([1, 2, 3, 6])
    assert np.allclose(x.cpu().numpy()[:, 0], (size - size.mean()) / size.std())
    assert x[:, 1:].tolist() == [[0, 1, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]]
    assert np.allclose(y.cpu().numpy()[:, 0], x.cpu().numpy()[:, 0])
    assert np.allclose(encoder.decode(y), [10, 20, 30, 60])


def test_a_text_target_makes_a_classification():
    encoder = Encoder("kind").fit(table())
    x, y = encoder.transform(table())
    assert (encoder.task, encoder.classes, encoder.n_outputs) == ("classification", ["a", "b", "c"], 3)
    assert (y.dtype, y.tolist(), x.shape) == (ad.int64, [1, 0, 1, 2], (4, 2))
    assert encoder.decode(y) == ["b", "a", "b", "c"]


def test_task_makes_classes_of_numbers():
    encoder = Encoder("y", task="classification").fit(table(y=[7, 5, 7, 5]))
    assert encoder.classes == [5, 7]
    assert encoder.targets(table(y=[5, 5, 7, 7])).tolist() == [0, 0, 1, 1]


def test_fitting_again_on_another_table_tells_the_task_anew():
    encoder = Encoder("y").fit(table())
    assert encoder.fit(table(y=["a", "b", "a", "b"])).task == "classification"
    assert Encoder("y", task="classification").fit(table()).fit(table(y=[1, 2, 1, 2])).task == "classification"


@pytest.mark.parametrize("column", ["size", "y"])
def test_numbers_that_would_overflow_are_refused_by_their_column(column):
    huge = table(**{column: [1e308, -1e308, 1, 2]})
    with pytest.raises(ValueError, match=f"'{column}' are too large for a standard deviation"):
        Encoder("y").fit(huge)
    with pytest.raises(ValueError, match=rf"'{column}' has numbers too far from those fitted on .* to 1e\+308"):
        Encoder("y").fit(table()).transform(huge)


def test_scales_come_from_the_rows_given_and_categories_from_all():
    encoder = Encoder("y").fit(table(), rows=[0, 2])
    assert encoder.numeric == {"size": (2.0, 1.0)}
    assert encoder.categories == {"kind": ["a", "b", "c"]}
    assert encoder.scale == (20.0, 10.0)


def test_a_saved_encoder_gives_the_same_tensors():
    for target in ("y", "kind"):
        encoder = Encoder(target).fit(table())
        again = Encoder.from_dict(json.loads(json.dumps(encoder.to_dict())))
        assert again.to_dict() == encoder.to_dict()
        for ours, theirs in zip(encoder.transform(table()), again.transform(table()), strict=True):
            assert ours.tolist() == theirs.tolist()
    with pytest.raises(ValueError, match="lacks task, numeric"):
        Encoder.from_dict({"target": "y"})


def test_features_of_a_table_without_the_target():
    encoder = Encoder("y").fit(table())
    assert encoder.features(table(y=None)).tolist() == encoder.features(table()).tolist()


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"size": None}, "no column 'size'"),
        ({"size": [1, None, 2, 3]}, "'size' has 1 missing values; use table.drop_missing"),
        ({"size": [1, float("inf"), 2, 3]}, "'size' has the value inf"),
        ({"size": ["1", "x", "2", "3"]}, "'size' has the value '1'; it must be a finite number"),
        ({"kind": ["a", "bb", "c", "a"]}, "row 2: unknown category 'bb' in 'kind'.*known: a, b, c"),
    ],
)
def test_a_table_that_does_not_fit_is_refused(changes, match):
    encoder = Encoder("y").fit(table())
    with pytest.raises(ValueError, match=match):
        encoder.features(table(**changes))


def test_text_that_looks_like_numbers_in_one_file_is_still_text():
    encoder = Encoder("kind").fit(table(kind=["1", "b", "1", "b"]))
    assert encoder.targets(table(kind=[1, 1, 1, 1])).tolist() == [0] * 4
    encoder = Encoder("y").fit(table(kind=["1", "b", "1", "b"]))
    assert encoder.features(table(kind=[1, 1, 1, 1]))[:, 1].tolist() == [1.0] * 4


def test_an_unknown_class_is_refused():
    encoder = Encoder("kind").fit(table())
    with pytest.raises(ValueError, match="row 4: unknown class 'z' in 'kind'"):
        encoder.targets(table(kind=["a", "b", "c", "z"]))


@pytest.mark.parametrize(
    ("target", "task", "changes", "match"),
    [
        ("nil", None, {}, "no column 'nil'"),
        ("y", None, {"y": [5, 5, 5, 5]}, r"'y' is constant \(5\)"),
        ("kind", None, {"kind": ["a"] * 4}, "'kind' has the single class 'a'"),
        ("kind", "regression", {}, "'kind' is text and a regression needs numbers"),
        ("y", None, {"y": [1, None, 2, 3]}, "'y' has 1 missing"),
        ("y", None, {"kind": ["a", None, "b", "b"]}, "'kind' has 1 missing"),
        ("y", None, {"size": None, "kind": None}, r"no feature is left.*same"),
        ("y", None, {"size": [1, 2, float("inf"), 3]}, "'size' has the value inf"),
    ],
)
def test_a_table_that_nothing_can_be_learnt_from_is_refused(target, task, changes, match):
    with pytest.raises(ValueError, match=match):
        Encoder(target, task=task).fit(table(**changes))


def test_wrong_uses_are_refused():
    with pytest.raises(ValueError, match=r"'regresion'.*did you mean 'regression'"):
        Encoder("y", task="regresion")
    with pytest.raises(ValueError, match="not fitted"):
        Encoder("y").features(table())
    with pytest.raises(ValueError, match="no rows"):
        Encoder("y").fit(table(), rows=[])


@pytest.mark.parametrize(
    ("name", "target", "task", "features"),
    [
        ("airquality", "Ozone", "regression", 5),
        ("iris", "Species", "classification", 4),
        ("penguins", "species", "classification", 10),
        ("titanic", "survived", "classification", 6),
    ],
)
def test_the_real_tables_are_encoded(name, target, task, features, files):
    whole, _ = read_csv(name).drop_missing()
    encoder = Encoder(target).fit(whole)
    x, _ = encoder.transform(whole)
    assert (encoder.task, x.shape) == (task, (len(whole), features))
