"""``MLPClassifier`` and ``MLPRegressor``: multilayer perceptrons as scikit-learn's estimators, for its pipelines and searches."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from numbers import Integral
from typing import Any

from . import nn, train
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
    """What both share: building the network, training it, and its output for samples."""

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
        given: Any = self.hidden_units
        hidden = [given] if isinstance(given, Integral) else [] if isinstance(given, str) else list(given)
        if not hidden or not all(isinstance(units, Integral) for units in hidden):
            raise TypeError(f"hidden_units is a whole number, or several, not {given!r}")
        return train.mlp(inputs, [int(units) for units in hidden], outputs, self.activation, self.dropout, self.penalty)

    @contextmanager
    def _place(self) -> Iterator[None]:
        """On the estimator's backend, with random numbers that no other thread draws from."""
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
        with self._place():
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
                warnings.warn("the training was interrupted by Ctrl-C; the weights are those of then", stacklevel=3)
            self.weights_ = model.get_weights()
        self.history_, self.n_iter_, self.n_outputs_ = history.history, len(history.epoch), outputs

    def _output(self, x: Any, *last: nn.Module) -> Any:
        """The network's output in float64: to within rounding the same for a sample whichever others are given with it."""
        check_is_fitted(self)
        x = validate_data(self, x, reset=False, dtype="float64")
        with self._place():
            model = self._network(x.shape[1], self.n_outputs_).double()
            model.set_weights(self.weights_)
            model.extend(last)
            return model.predict(x, batch_size=1024).numpy(force=True)


PARAMETERS = """
    Args:
        hidden_units: how many units the hidden layer has, or each of several.
        activation: a name in :data:`adjoint.train.names.ACTIVATIONS`.
        penalty: by what the squares of the weights, but for biases, are added to the loss (L2).
        dropout: the share of the hidden units that is left out at random in each step.
        epochs: passes over the samples.
        batch_size: samples a step.
        learning_rate: None for the optimizer's own.
        optimizer: a name in :data:`adjoint.train.names.OPTIMIZERS`, with Keras' defaults.
        validation_fraction: the share that is held out, with ``early_stopping``.
        early_stopping: stop when the held-out loss has not become smaller for ``patience`` epochs, and take the best weights.
        random_state: a number, a RandomState or None, for weights, order, dropout and what is held out.
        backend: where it is computed, ``"numpy"`` or ``"cupy"``; None is the default backend.
        capture: record a step once and replay it, for the same numbers sooner.
        verbose: as in ``fit`` (:func:`adjoint.train.trainer.fit`).

    Attributes:
        weights_: the weights as NumPy arrays; history_: the loss of each epoch; n_iter_: how many epochs there were;
        n_features_in_, feature_names_in_: as scikit-learn has it.
"""


class MLPClassifier(ClassifierMixin, _MLP):  # type: ignore[misc]
    """A multilayer perceptron that tells classes, trained on their cross entropy."""

    def fit(self, X: Any, y: Any) -> MLPClassifier:
        """Learn from samples (N, features), numbers, and a class for each, (N,)."""
        X, y = validate_data(self, X, y, dtype="float32")
        check_classification_targets(y)
        encoder = LabelEncoder().fit(y)
        self.classes_ = encoder.classes_
        numbers = encoder.transform(y)
        self._train(X, numbers, len(self.classes_), "cross_entropy", numbers)
        return self

    def predict_proba(self, X: Any) -> Any:
        """The probability of each class, (N, classes), in the order of ``classes_``."""
        return self._output(X, nn.Softmax(dim=-1))

    def predict_log_proba(self, X: Any) -> Any:
        """The logarithm of :meth:`predict_proba`, exact also where a probability is too small for a number."""
        return self._output(X, nn.LogSoftmax(dim=-1))

    def predict(self, X: Any) -> Any:
        """The most probable class of each sample, (N,)."""
        numbers = self._output(X).argmax(axis=1)
        return self.classes_[numbers]


class MLPRegressor(RegressorMixin, _MLP):  # type: ignore[misc]
    """A multilayer perceptron that tells numbers, trained on the mean squared error.

    Targets far from 0 and 1 are learned sooner when they are scaled: ``sklearn.compose.TransformedTargetRegressor``.
    """

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def fit(self, X: Any, y: Any) -> MLPRegressor:
        """Learn from samples (N, features) and a number, or several, for each: (N,) or (N, outputs)."""
        X, y = validate_data(self, X, y, multi_output=True, y_numeric=True, dtype="float32")
        self._flat = y.ndim == 1
        self._train(X, y.reshape(len(y), -1).astype("float32"), 1 if y.ndim == 1 else y.shape[1], "mse")
        return self

    def predict(self, X: Any) -> Any:
        """The number, or the numbers, of each sample: (N,) or (N, outputs)."""
        output = self._output(X)
        return output[:, 0] if self._flat else output


for _estimator in (MLPClassifier, MLPRegressor):
    _estimator.__doc__ = f"{_estimator.__doc__.rstrip()}\n{PARAMETERS}"  # type: ignore[union-attr]
