"""Metrics: against scikit-learn, over any division into batches; and what they refuse."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import assume, given, settings, strategies as st

import adjoint as ad
from adjoint import nn
from adjoint.nn import functional as F
from adjoint.train import losses, metrics as m

oracle = pytest.importorskip("sklearn.metrics", reason="scikit-learn is in the data extra")
pytestmark = [pytest.mark.usefixtures("backend"), pytest.mark.filterwarnings("ignore:.*:UserWarning:sklearn")]
few = settings(max_examples=10)


@st.composite
def samples(draw, least=1):
    """Samples' number, the places at which they are divided into batches, random numbers, and weights or none."""
    n = draw(st.integers(least, 40))
    cuts = sorted(draw(st.sets(st.integers(1, n), max_size=4)) | {0, n})
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    return n, cuts, rng, rng.uniform(0.1, 3.0, n) if draw(st.booleans()) else None


def over(metric, cuts, output, target, weight=None):
    """The metric's result over batches, after one that is to be forgotten."""
    whole = [None if x is None else ad.tensor(x) for x in (output, target, weight)]
    metric.update(*whole)
    metric.reset()
    for a, b in pairwise(cuts):
        metric.update(*(None if x is None else x[a:b] for x in whole))
    return metric.result()


def close(ours, theirs):
    return math.isclose(ours, theirs, rel_tol=1e-9, abs_tol=1e-12) or (math.isnan(ours) and math.isnan(theirs))


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


# --- against scikit-learn --------------------------------------------------------------------------------------------------------

BINARY = [
    (m.Accuracy, oracle.accuracy_score),
    (m.BinaryAccuracy, oracle.accuracy_score),
    (m.Precision, lambda *a, **k: oracle.precision_score(*a, **k, zero_division=0)),
    (m.Recall, lambda *a, **k: oracle.recall_score(*a, **k, zero_division=0)),
    (m.F1Score, lambda *a, **k: oracle.f1_score(*a, **k, zero_division=0)),
    (lambda **k: m.ConfusionMatrix(2, **k), lambda *a, **k: oracle.confusion_matrix(*a, **k, labels=[0, 1])),
]


@pytest.mark.parametrize(("make", "theirs"), BINARY, ids="accuracy binary precision recall f1 confusion".split())
@given(drawn=samples(), column=st.booleans(), threshold=st.sampled_from([0.5, 0.3]), from_logits=st.booleans())
@few
def test_a_decision_between_two_is_counted_as_by_scikit_learn(make, theirs, drawn, column, threshold, from_logits):
    n, cuts, rng, weight = drawn
    logits, y = rng.normal(size=n), rng.integers(0, 2, n)
    p = 1 / (1 + np.exp(-logits))
    output = logits if from_logits else p
    ours = over(make(threshold=threshold, from_logits=from_logits), cuts, output[:, None] if column else output, y, weight)
    assert np.allclose(ours, theirs(y, p > threshold, sample_weight=weight), rtol=1e-9)


@pytest.mark.parametrize("average", ["macro", "micro", "weighted"])
@given(drawn=samples(), classes=st.integers(2, 6), one_hot=st.booleans())
@few
def test_decisions_between_several_are_averaged_as_by_scikit_learn(average, drawn, classes, one_hot):
    n, cuts, rng, weight = drawn
    output, y = rng.normal(size=(n, classes)), rng.integers(0, rng.integers(1, classes + 1), n)
    target = np.eye(classes)[y] if one_hot else y
    for make, theirs in (
        (m.Precision, oracle.precision_score),
        (m.Recall, oracle.recall_score),
        (m.F1Score, oracle.f1_score),
    ):
        expected = theirs(y, output.argmax(1), average=average, sample_weight=weight, zero_division=0)
        assert close(over(make(average), cuts, output, target, weight), expected)


@given(drawn=samples(), classes=st.integers(2, 6), k=st.integers(1, 7))
@few
def test_shares_of_right_classes_are_scikit_learns(drawn, classes, k):
    n, cuts, rng, weight = drawn
    output, y = rng.normal(size=(n, classes)).astype(np.float32), rng.integers(0, classes, n)
    one_hot = np.eye(classes, dtype=np.float32)[y]
    accuracy = oracle.accuracy_score(y, output.argmax(1), sample_weight=weight)
    for make, target in [
        (m.Accuracy, y),
        (m.Accuracy, y[:, None]),
        (m.Accuracy, one_hot),
        (m.SparseCategoricalAccuracy, y),
        (m.CategoricalAccuracy, one_hot),
        (lambda: m.TopKCategoricalAccuracy(1), y),
    ]:
        assert close(over(make(), cuts, output, target, weight), accuracy)
    matrix = over(m.ConfusionMatrix(classes), cuts, output, y, weight)
    assert np.allclose(matrix, oracle.confusion_matrix(y, output.argmax(1), labels=range(classes), sample_weight=weight))
    if classes > 2:  # of two it has another notion
        expected = oracle.top_k_accuracy_score(y, output, k=k, labels=range(classes), sample_weight=weight)
        assert close(over(m.TopKCategoricalAccuracy(k), cuts, output, y, weight), expected)
        assert close(over(m.TopKCategoricalAccuracy(k), cuts, output, one_hot, weight), expected)


@given(drawn=samples(2), levels=st.sampled_from([1, 2, 5, 10**6]))
@few
def test_the_area_under_the_curve_is_scikit_learns_with_ties(drawn, levels):
    n, cuts, rng, weight = drawn
    scores, y = rng.integers(0, levels, n) / levels, rng.integers(0, 2, n)
    assume(0 < y.sum() < n)
    assert close(over(m.AUC(), cuts, scores, y, weight), oracle.roc_auc_score(y, scores, sample_weight=weight))


@given(drawn=samples(8), classes=st.integers(3, 5), from_logits=st.booleans())
@few
def test_the_area_of_several_classes_is_each_against_the_rest(drawn, classes, from_logits):
    n, cuts, rng, weight = drawn
    logits = rng.normal(size=(n, classes))
    y = np.concatenate([np.arange(classes), rng.integers(0, classes, n - classes)])
    expected = oracle.roc_auc_score(y, softmax(logits), multi_class="ovr", sample_weight=weight)
    ours = over(m.AUC(from_logits=from_logits), cuts, logits if from_logits else softmax(logits), y, weight)
    assert close(ours, expected)


@given(drawn=samples(), classes=st.integers(2, 5), from_logits=st.booleans())
@few
def test_the_log_loss_is_scikit_learns(drawn, classes, from_logits):
    n, cuts, rng, weight = drawn
    logits, y = rng.normal(size=(n, classes)), rng.integers(0, classes, n)
    output = logits if from_logits else softmax(logits)
    expected = oracle.log_loss(y, softmax(logits), labels=range(classes), sample_weight=weight)
    for target in (y, y[:, None], np.eye(classes)[y]):
        assert close(over(m.LogLoss(from_logits=from_logits), cuts, output, target, weight), expected)
    p, y = 1 / (1 + np.exp(-logits[:, 0])), y % 2
    expected = oracle.log_loss(y, p, labels=[0, 1], sample_weight=weight)
    assert close(over(m.LogLoss(from_logits=from_logits), cuts, logits[:, 0] if from_logits else p, y, weight), expected)


@given(drawn=samples(2), outputs=st.integers(0, 3))
@few
def test_distances_are_scikit_learns(drawn, outputs):
    n, cuts, rng, weight = drawn
    shape = (n, outputs) if outputs else (n,)
    output, y = rng.normal(size=shape), rng.normal(size=shape)
    for make, theirs in (
        (m.MeanSquaredError, oracle.mean_squared_error),
        (m.RootMeanSquaredError, lambda *a, **k: math.sqrt(oracle.mean_squared_error(*a, **k))),
        (m.MeanAbsoluteError, oracle.mean_absolute_error),
        (m.R2Score, oracle.r2_score),
    ):
        assert close(over(make(), cuts, output, y, weight), theirs(y, output, sample_weight=weight))


# --- corners ---------------------------------------------------------------------------------------------------------------------


@given(drawn=samples(3), mean=st.sampled_from([0.0, 1e6, -1e9]))
@few
def test_the_score_of_determination_loses_no_digits_to_a_large_mean(drawn, mean):
    n, cuts, rng, weight = drawn
    y, error = rng.integers(-50, 50, n) / 4.0, rng.integers(-9, 9, n) / 4.0
    assume(len(set(y)) > 1)
    expected = oracle.r2_score(y, y + error, sample_weight=weight)
    assert close(over(m.R2Score(), cuts, y + error + mean, y + mean, weight), expected)


def test_constant_targets_have_a_score_of_determination_of_1_or_0():
    y = np.full(7, 0.1)
    assert over(m.R2Score(), [0, 3, 7], y, y) == oracle.r2_score(y, y) == 1.0
    assert over(m.R2Score(), [0, 3, 7], y + 1, y, np.linspace(0.1, 1, 7)) == 0.0
    assert math.isnan(over(m.R2Score(), [0, 1], y, y))


def of_its_form(name, numbers):
    """Targets for outputs (N, 3): one-hot where the metric takes no class numbers."""
    return numbers if name == "sparse_categorical_accuracy" else F.one_hot(numbers, 3)


@pytest.mark.parametrize("name", m.METRICS)
def test_there_is_no_result_before_the_first_sample(name):
    metric = m.as_metric(name, None)
    assert metric.name == name
    assert math.isnan(metric.result())
    metric.update(ad.ones(2, 3), of_its_form(name, ad.tensor([0, 2])))
    metric.reset()
    assert math.isnan(metric.result())


def test_a_confusion_matrix_of_no_samples_is_zeros():
    assert m.ConfusionMatrix(3).result() == [[0.0] * 3] * 3


@pytest.mark.parametrize("make", [m.Precision, m.Recall, m.F1Score])
def test_a_ratio_of_nothing_to_nothing_is_0(make):
    assert over(make(), [0, 2], np.zeros(2), np.zeros(2)) == 0.0


def test_the_area_of_one_class_alone_is_not_a_number():
    assert math.isnan(over(m.AUC(), [0, 3], np.array([0.1, 0.2, 0.3]), np.ones(3)))
    assert math.isnan(over(m.AUC(), [0, 3], np.array([0.1, np.nan, 0.3]), np.array([0, 1, 1])))


def test_outputs_that_are_not_numbers_are_among_no_top_k():
    assert over(m.TopKCategoricalAccuracy(2), [0, 2], np.full((2, 3), np.nan), np.array([0, 2])) == 0.0


def test_of_equal_outputs_the_first_is_the_larger():
    assert over(m.TopKCategoricalAccuracy(2), [0, 3], np.zeros((3, 3)), np.arange(3)) == 2 / 3
    assert over(m.Accuracy(), [0, 3], np.zeros((3, 3)), np.arange(3)) == 1 / 3


def test_probabilities_of_0_and_1_have_a_finite_log_loss():
    assert close(over(m.LogLoss(), [0, 2], np.array([0.0, 1.0]), np.array([1, 1])), -(math.log(1e-7) + math.log(1 - 1e-7)) / 2)


def test_targets_of_minus_one_and_one_are_two_classes():
    assert over(m.Accuracy(threshold=0.0), [0, 3], np.array([-0.3, 2.0, 0.1]), np.array([-1.0, 1.0, -1.0])) == 2 / 3


def test_outputs_that_are_not_exclusive_are_each_right_or_wrong():
    output, target = np.array([[0.9, 0.2, 0.8], [0.1, 0.7, 0.2]]), np.array([[1, 0, 0], [0, 1, 0]])
    assert over(m.BinaryAccuracy(), [0, 2], output, target) == 5 / 6


@given(drawn=samples())
@few
def test_steps_in_time_are_samples_of_their_sequences_weight(drawn):
    n, cuts, rng, weight = drawn
    output, y = rng.normal(size=(n, 3, 4)), rng.integers(0, 4, (n, 3))
    flat, by = output.reshape(-1, 4).argmax(1), np.repeat(np.ones(n) if weight is None else weight, 3)
    assert close(over(m.Accuracy(), cuts, output, y, weight), oracle.accuracy_score(y.reshape(-1), flat, sample_weight=by))
    expected = oracle.f1_score(y.reshape(-1), flat, average="macro", sample_weight=by, zero_division=0)
    assert close(over(m.F1Score(), cuts, output, np.eye(4)[y], weight), expected)


def test_a_sample_of_weight_0_is_as_if_it_were_not_there():
    rng = np.random.default_rng(0)
    output, y, weight = rng.uniform(size=9), rng.integers(0, 2, 9), np.array([0, 0, 0, 1, 1, 1, 1, 0, 1.0])
    for name in m.METRICS:
        if name not in ("categorical_accuracy", "sparse_categorical_accuracy", "top_k_categorical_accuracy"):
            kept = weight > 0
            ours = over(m.as_metric(name, None), [0, 3, 9], output, y, weight)
            assert close(ours, over(m.as_metric(name, None), [0, kept.sum()], output[kept], y[kept])), name


@pytest.mark.parametrize("name", m.METRICS)
def test_a_batch_of_no_samples_changes_nothing(name):
    metric = m.as_metric(name, None)
    metric.update(ad.tensor([[0.6, 0.3, 0.1], [0.3, 0.3, 0.4]]), of_its_form(name, ad.tensor([0, 1])))
    before = metric.result()
    metric.update(ad.zeros(0, 3), of_its_form(name, ad.zeros(0, dtype=ad.int64)))
    assert close(metric.result(), before)


def test_outputs_with_a_graph_leave_none_behind():
    output = ad.tensor([0.3, 0.8], requires_grad=True) * 1.0
    for name in ("accuracy", "log_loss", "mse", "auc", "r2_score"):
        metric = m.as_metric(name, None)
        metric.update(output, ad.tensor([0.0, 1.0]))
        held = [x for x in vars(metric).values() if isinstance(x, ad.Tensor)]
        assert not any(x.requires_grad for x in held), name


# --- by name, and functions ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "loss", [nn.BCEWithLogitsLoss(), losses.binary_cross_entropy_with_logits, F.binary_cross_entropy_with_logits]
)
def test_a_metric_by_name_takes_logits_where_the_loss_does(loss):
    logits, y = ad.tensor([0.3, -0.2, 0.4], dtype=ad.float64), ad.tensor([1, 0, 0])
    for name in ("accuracy", "binary_accuracy", "precision", "f1_score", "log_loss"):
        ours, plain = m.as_metric(name, loss), m.as_metric(name, "mse")
        ours.update(logits, y)
        plain.update(logits.sigmoid(), y)
        assert close(ours.result(), plain.result()), name


def test_a_metric_object_is_taken_as_it_is():
    given_one = m.Precision()
    assert m.as_metric(given_one, nn.BCEWithLogitsLoss()) is given_one
    assert not given_one.from_logits


@given(drawn=samples())
@few
def test_a_function_is_averaged_over_samples(drawn):
    n, cuts, rng, weight = drawn
    output, y = rng.normal(size=(n, 2)), rng.normal(size=(n, 2))

    def furthest(output, target):
        return (output - target).abs().amax(dim=1)

    metric = m.as_metric(furthest, None)
    assert metric.name == "furthest"
    assert close(over(metric, cuts, output, y, weight), np.average(np.abs(output - y).max(1), weights=weight))
    whole = m.as_metric(nn.L1Loss(), None)
    assert whole.name == "L1Loss"
    assert close(over(whole, cuts, output, y, weight), np.abs(output - y).mean())
    assert close(over(m.as_metric(lambda o, t: 0.25, None), cuts, output, y), 0.25)


def test_a_metric_of_ones_own_needs_its_methods_and_a_name():
    class Largest(m.Metric):
        name = "largest"

        def reset(self):
            self.seen = math.nan

        def update(self, output, target, weight=None):
            self.seen = max(float(output.max()), self.seen if self.seen == self.seen else -math.inf)

        def result(self):
            return self.seen

    assert over(m.as_metric(Largest(), None), [0, 2, 3], np.array([1.0, 7.0, 2.0]), np.zeros(3)) == 7.0
    with pytest.raises(NotImplementedError, match="Metric has no reset"):
        m.Metric()


# --- what is refused -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", m.METRICS)
def test_shapes_that_do_not_fit_are_named(name):
    with pytest.raises(ValueError, match=rf"{name}: .*\(4, 3\).*\(5,\)"):
        m.as_metric(name, None).update(ad.zeros(4, 3), ad.zeros(5))


@pytest.mark.parametrize(
    ("make", "shapes"),
    [
        (m.CategoricalAccuracy, ((4, 3), (4,))),
        (m.SparseCategoricalAccuracy, ((4, 3), (4, 3))),
        (m.MeanSquaredError, ((4, 3), (4,))),
        (m.Accuracy, ((4,), (4, 2))),
        (m.Accuracy, ((), ())),
        (m.ConfusionMatrix, ((4, 3), (4,))),
    ],
)
def test_shapes_of_another_form_are_refused(make, shapes):
    metric = make(2) if make is m.ConfusionMatrix else make()
    with pytest.raises(ValueError, match=metric.name):
        metric.update(ad.zeros(*shapes[0]), ad.zeros(*shapes[1]))


@pytest.mark.parametrize("make", [m.Accuracy, m.Precision, m.LogLoss, m.AUC, lambda: m.ConfusionMatrix(3)])
@pytest.mark.parametrize("wrong", [-1, 3])
def test_class_numbers_that_the_output_does_not_have_are_refused(make, wrong):
    with pytest.raises(ValueError, match=f"class numbers from .*{wrong}.* 0 to 2"):
        make().update(ad.ones(2, 3), ad.tensor([1, wrong]))


def test_weights_of_another_shape_are_refused():
    for metric in (m.Accuracy(), m.as_metric(losses.mean_squared_error, None)):
        with pytest.raises(ValueError, match=r"weights have the shape \(2, 1\)"):
            metric.update(ad.zeros(2), ad.zeros(2), ad.ones(2, 1))


def test_a_function_that_gives_other_numbers_is_refused():
    with pytest.raises(ValueError, match=r"2 samples"):
        m.as_metric(lambda output, target: ad.zeros(3), None).update(ad.zeros(2), ad.zeros(2))


def test_what_is_no_metric_is_refused():
    with pytest.raises(ValueError, match=r"unknown metric 'acuracy'.*accuracy"):
        m.as_metric("acuracy", None)
    for wrong in (3, m.Accuracy, None):
        with pytest.raises(TypeError, match="a metric is a name"):
            m.as_metric(wrong, None)
    with pytest.raises(TypeError, match="ConfusionMatrix is not one number"):
        m.as_metric(m.ConfusionMatrix(2), None)


@pytest.mark.parametrize("make", [lambda: m.F1Score("middle"), lambda: m.TopKCategoricalAccuracy(0), lambda: m.ConfusionMatrix(1)])
def test_settings_out_of_range_are_refused(make):
    with pytest.raises(ValueError, match=r"(is|must be) .*not"):
        make()
