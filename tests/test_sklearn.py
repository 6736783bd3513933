"""The estimators keep scikit-learn's contract, all of it, and work in its pipelines and searches."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from typing import Any

import numpy as np
import pandas as pd
import pytest
from joblib import Parallel, delayed
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import load_iris
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import estimator_checks_generator

import adjoint as ad
from adjoint.sklearn import MLPClassifier, MLPRegressor

CHECKS = [
    pytest.param(estimator, check, id=f"{type(estimator).__name__}-{check.func.__name__}")
    for model in (MLPClassifier(), MLPRegressor())
    for estimator, check in estimator_checks_generator(model)
]


@pytest.mark.parametrize(("estimator", "check"), CHECKS)
@pytest.mark.filterwarnings("default")
def test_scikit_learns_own_checks(estimator: Any, check: Any) -> None:
    check(estimator)  # check_array_api_input skips itself where SCIPY_ARRAY_API is not set; it has a process of its own below


def test_the_check_of_array_api_inputs_passes_where_it_does_not_skip_itself() -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-o", "addopts=", "-k", "check_array_api_input", __file__]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "SCIPY_ARRAY_API": "1"})
    assert "2 passed" in done.stdout, done.stdout


IRIS = load_iris(as_frame=True)


def test_a_pipeline_learns_iris_from_a_data_frame_with_classes_of_text() -> None:
    y = IRIS.target.map(dict(enumerate(IRIS.target_names)))
    model = make_pipeline(
        StandardScaler().set_output(transform="pandas"), MLPClassifier(20, epochs=60, learning_rate=0.01, random_state=0)
    )
    model.fit(IRIS.data, y)
    assert model.score(IRIS.data, y) > 0.95
    assert set(model.predict(IRIS.data)) == set(IRIS.target_names)
    assert list(model[-1].feature_names_in_) == list(IRIS.data.columns)
    proba = model.predict_proba(IRIS.data)
    np.testing.assert_allclose(proba.sum(axis=1), 1.0)


def test_a_search_runs_on_two_processes_and_finds_the_larger_network() -> None:
    model = make_pipeline(StandardScaler(), MLPClassifier(epochs=20, learning_rate=0.01, random_state=0))
    search = GridSearchCV(model, {"mlpclassifier__hidden_units": [1, 30], "mlpclassifier__penalty": [0.0]}, cv=3, n_jobs=2)
    search.fit(IRIS.data, IRIS.target)
    assert search.best_params_["mlpclassifier__hidden_units"] == 30
    assert search.best_score_ > 0.9


def test_scores_by_cross_validation_are_the_same_again() -> None:
    model = make_pipeline(StandardScaler(), MLPClassifier(10, epochs=15, random_state=1))
    first, second = (cross_val_score(model, IRIS.data, IRIS.target, cv=3) for _ in range(2))
    assert first.tolist() == second.tolist()


def test_threads_have_random_numbers_of_their_own() -> None:
    def trained() -> Any:
        return MLPClassifier(4, epochs=3, dropout=0.2, random_state=0).fit(IRIS.data, IRIS.target).weights_

    before = ad.default_generator().get_state()
    alone = trained()
    for weights in Parallel(n_jobs=4, backend="threading")(delayed(trained)() for _ in range(8)):
        for a, b in zip(weights, alone, strict=True):
            np.testing.assert_array_equal(a, b)
    assert ad.default_generator().get_state() == before


def test_a_search_takes_numbers_of_numpy() -> None:
    search = GridSearchCV(MLPClassifier(), {"hidden_units": np.arange(2, 4), "epochs": np.arange(1, 3)}, cv=2)
    assert search.fit(IRIS.data, IRIS.target).best_params_["epochs"] in (1, 2)
    assert len(MLPClassifier(np.array([5, 3]), epochs=1).fit(IRIS.data, IRIS.target).weights_) == 6
    for wrong in (5.0, "5", (5, 2.5), ()):
        with pytest.raises(TypeError, match=r"hidden_units must be an integer"):
            MLPClassifier(wrong).fit(IRIS.data, IRIS.target)


def test_log_probabilities_are_exact() -> None:
    model = MLPClassifier(8, epochs=5, random_state=0).fit(IRIS.data, IRIS.target)
    np.testing.assert_allclose(np.exp(model.predict_log_proba(IRIS.data)), model.predict_proba(IRIS.data), 1e-12)


def test_a_regression_with_a_scaled_target_is_better_than_the_mean() -> None:
    rng = np.random.default_rng(0)
    x = pd.DataFrame(rng.standard_normal((120, 3)), columns=list("abc"))
    y = 1000 + 50 * x["a"] - 20 * x["b"] ** 2
    model = TransformedTargetRegressor(MLPRegressor((20, 20), epochs=80, random_state=0), transformer=StandardScaler())
    assert model.fit(x, y).score(x, y) > 0.95


@pytest.mark.parametrize(
    "options", [{"capture": False}, {"dropout": 0.2}, {"penalty": 0.01}, {"early_stopping": True, "epochs": 40}]
)
def test_the_same_seed_learns_the_same_captured_or_not_and_leaves_the_generators(options: dict[str, Any]) -> None:
    ad.manual_seed(3)
    untouched = ad.rand(1).item()
    ad.manual_seed(3)
    base = MLPClassifier(8, epochs=10, random_state=5).set_params(**{k: v for k, v in options.items() if k != "capture"})
    one = clone(base).fit(IRIS.data, IRIS.target)
    other = clone(base).set_params(**options).fit(IRIS.data, IRIS.target)
    assert all((a == b).all() for a, b in zip(one.weights_, other.weights_, strict=True))
    assert ad.rand(1).item() == untouched
    assert pickle.loads(pickle.dumps(one)).predict(IRIS.data).tolist() == other.predict(IRIS.data).tolist()


def test_early_stopping_ends_before_the_last_epoch() -> None:
    model = MLPClassifier(30, epochs=300, early_stopping=True, patience=3, learning_rate=0.03, random_state=0)
    model.fit(IRIS.data, IRIS.target)
    assert model.n_iter_ < 300
    assert len(model.history_["val_loss"]) == model.n_iter_


def test_a_penalty_makes_the_weights_smaller() -> None:
    small, large = (
        MLPClassifier(8, epochs=40, penalty=penalty, random_state=0).fit(IRIS.data, IRIS.target) for penalty in (0.1, 0.0)
    )
    assert abs(small.weights_[0]).sum() < 0.7 * abs(large.weights_[0]).sum()


def test_unknown_words_come_with_the_nearest_ones() -> None:
    with pytest.raises(ValueError, match=r"unknown activation 'rellu'.*did you mean 'relu'"):
        MLPClassifier(activation="rellu").fit(IRIS.data, IRIS.target)
    with pytest.raises(ValueError, match=r"unknown optimizer 'adan'.*did you mean 'adam'"):
        MLPClassifier(optimizer="adan").fit(IRIS.data, IRIS.target)
