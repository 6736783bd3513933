"""``MLPClassifier`` and ``MLPRegressor``: multilayer perceptrons as scikit-learn estimators, for its pipelines and searches."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

from . import nn, train
from .autograd.arguments import integers
from .autograd.random import fork_rng, manual_seed
from .backends import use_backend
from .errors import MissingExtra
from .train.registry import OPTIMIZERS, lookup

try:
    from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
    from sklearn.model_selection import train_test_split
    from sklearn.preprocessing import LabelEncoder
    from sklearn.utils import check_random_state
    from sklearn.utils.multiclass import check_classification_targets
    from sklearn.utils.validation import check_is_fitted, validate_data
except ImportError as error:
    raise MissingExtra("scikit-learn", "sklearn", "estimators") from error


class _MLP(BaseEstimator):  # type: ignore[misc]
    """The base of both estimators: building the network, training it, and its output for samples."""

    def __init__(
        self,
        hidden_units: int | tuple[int, ...] = 100,
        activation: str = "relu",
        penalty: float = 0.0,
        dropout: float = 0.0,
        epochs: int = 100,
        batch_size: int = 32,
        learning_rate: float | None = None,
        optimizer: str = "adam",
        validation_fraction: float = 0.1,
        early_stopping: bool = False,
        patience: int = 10,
        random_state: Any = None,
        backend: str | None = None,
        capture: bool = True,
        verbose: int = 0,
    ) -> None:
        self.hidden_units = hidden_units
        self.activation = activation
        self.penalty = penalty
        self.dropout = dropout
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.optimizer = optimizer
        self.validation_fraction = validation_fraction
        self.early_stopping = early_stopping
        self.patience = patience
        self.random_state = random_state
        self.backend = backend
        self.capture = capture
        self.verbose = verbose

    def _network(self, inputs: int, outputs: int) -> nn.Sequential:
        hidden = integers(type(self).__name__, "hidden_units", self.hidden_units)
        widths = hidden if isinstance(hidden, tuple) else (hidden,)
        if not widths:
            raise TypeError(f"{type(self).__name__}: hidden_units must be an integer or several, not {self.hidden_units!r}")
        return train.mlp(inputs, widths, outputs, self.activation, self.dropout, self.penalty)

    @contextmanager
    def _environment(self) -> Iterator[None]:
        """Use the estimator's backend, and default generators that no other thread draws from."""
        with use_backend(self.backend) if self.backend else nullcontext(), fork_rng():
            yield

    def _train(self, x: Any, y: Any, outputs: int, loss: str, classes: Any = None) -> None:
        random = check_random_state(self.random_state)
        held_out = None
        if self.early_stopping:
            x, x_held, y, y_held = train_test_split(
                x, y, test_size=self.validation_fraction, random_state=random.randint(2**31 - 1), stratify=classes
            )
            held_out = (x_held, y_held)
        with self._environment():
            manual_seed(int(random.randint(2**31 - 1)))
            model = self._network(x.shape[1], outputs)
            rule, settings = lookup("optimizer", self.optimizer, OPTIMIZERS)
            if self.learning_rate is not None:
                settings = settings | {"lr": self.learning_rate}
            model.compile(optimizer=rule(model.parameters(), **settings), loss=loss)
            callbacks = [train.EarlyStopping(patience=self.patience, restore_best_weights=True)] if held_out else []
            history = model.fit(
                x, y, epochs=self.epochs, batch_size=self.batch_size, validation_data=held_out, callbacks=callbacks,
                capture=self.capture, verbose=self.verbose,
            )  # fmt: skip
            if history.interrupted:
                warnings.warn("the training was interrupted by Ctrl-C; the weights are those at that point", stacklevel=3)
            self.weights_ = model.get_weights()
        self.history_, self.n_iter_, self.n_outputs_ = history.history, len(history.epoch), outputs

    def _output(self, x: Any, *last: nn.Module) -> Any:
        """The network's output in float64, which depends on the other samples only by rounding."""
        check_is_fitted(self)
        x = validate_data(self, x, reset=False, dtype="float64")
        with self._environment():
            model = self._network(x.shape[1], self.n_outputs_).double()
            model.set_weights(self.weights_)
            model.extend(last)
            return model.predict(x, batch_size=1024).numpy(force=True)


PARAMETERS = """
    Args:
        hidden_units: units of the hidden layer, or of each of several.
        activation: a name in :data:`adjoint.train.registry.ACTIVATIONS`.
        penalty: L2 penalty coefficient (biases excluded).
        dropout: the probability of zeroing a hidden unit in each step.
        epochs: passes over the samples.
        batch_size: samples per step.
        learning_rate: None for the optimizer's default.
        optimizer: a name in :data:`adjoint.train.registry.OPTIMIZERS`, with Keras' defaults.
        validation_fraction: the fraction of samples to hold out, with ``early_stopping``.
        early_stopping: stop when the held-out loss has not improved for ``patience`` epochs, and restore the best weights.
        patience: epochs without improvement to wait, with ``early_stopping``.
        random_state: a seed, a RandomState or None, for the weights, the shuffling, the dropout and the held-out samples.
        backend: ``"numpy"`` or ``"cupy"``; None for the default backend.
        capture: record a step once and replay it: same results, faster.
        verbose: 0, 1, 2 or ``"auto"``, as in ``fit`` (:func:`adjoint.train.trainer.fit`).

    Attributes:
        weights_: the weights as NumPy arrays.
        history_: loss and validation loss of each epoch.
        n_iter_: the number of epochs.
        n_features_in_, feature_names_in_: as in scikit-learn.

    ``fit`` raises ``ValueError`` and ``TypeError`` on unknown names and arguments out of range.
"""


class MLPClassifier(ClassifierMixin, _MLP):  # type: ignore[misc]
    """A multilayer perceptron for classification, trained on the cross entropy."""

    def fit(self, X: Any, y: Any) -> MLPClassifier:
        """Fit to samples X, (N, features), and their classes y, (N,), of any type; returns the estimator."""
        X, y = validate_data(self, X, y, dtype="float32")
        check_classification_targets(y)
        encoder = LabelEncoder().fit(y)
        self.classes_ = encoder.classes_
        numbers = encoder.transform(y)
        self._train(X, numbers, len(self.classes_), "cross_entropy", numbers)
        return self

    def predict_proba(self, X: Any) -> Any:
        """The class probabilities of samples X, (N, features): float64 (N, classes), in the order of ``classes_``."""
        return self._output(X, nn.Softmax(dim=-1))

    def predict_log_proba(self, X: Any) -> Any:
        """The logarithm of :meth:`predict_proba`, finite also where a probability underflows."""
        return self._output(X, nn.LogSoftmax(dim=-1))

    def predict(self, X: Any) -> Any:
        """The most probable class of each sample of X, (N, features): (N,)."""
        numbers = self._output(X).argmax(axis=1)
        return self.classes_[numbers]


class MLPRegressor(RegressorMixin, _MLP):  # type: ignore[misc]
    """A multilayer perceptron for regression, trained on the mean squared error.

    Scale targets whose mean and deviation are far from 0 and 1, by ``sklearn.compose.TransformedTargetRegressor``.
    """

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def fit(self, X: Any, y: Any) -> MLPRegressor:
        """Fit to samples X, (N, features), and targets y, (N,) or (N, outputs); returns the estimator."""
        X, y = validate_data(self, X, y, multi_output=True, y_numeric=True, dtype="float32")
        self._one_dimensional = y.ndim == 1
        self._train(X, y.reshape(len(y), -1).astype("float32"), 1 if y.ndim == 1 else y.shape[1], "mse")
        return self

    def predict(self, X: Any) -> Any:
        """The predictions for samples X, (N, features): float64 (N,) or (N, outputs), as y in :meth:`fit`."""
        output = self._output(X)
        return output[:, 0] if self._one_dimensional else output


for _estimator in (MLPClassifier, MLPRegressor):
    _estimator.__doc__ = f"{_estimator.__doc__.rstrip()}\n{PARAMETERS}"  # type: ignore[union-attr]
