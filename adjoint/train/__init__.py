"""A Keras-style training API: ``compile``, ``fit``, ``evaluate`` and ``predict`` of any module, callbacks, metrics and history.

>>> import adjoint as ad
>>> from adjoint import nn
>>> ad.manual_seed(0)
>>> x = ad.linspace(-1, 1, 100).unsqueeze(1)
>>> model = nn.Sequential(nn.Linear(1, 1))
>>> model.compile(optimizer="sgd", loss="mse")
>>> history = model.fit(x, 5 * x + 3, epochs=100, verbose=0)
>>> history.history["loss"][-1] < 0.1
True
"""

from .. import nn
from . import checkpoint, compiled, trainer
from .callbacks import (
    Callback,
    CSVLogger,
    EarlyStopping,
    LambdaCallback,
    LearningRateScheduler,
    ModelCheckpoint,
    ReduceLROnPlateau,
    TensorBoard,
    TerminateOnNaN,
)
from .checkpoint import resume, save_checkpoint
from .history import History
from .metrics import Metric
from .models import mlp
from .plots import plot_decision
from .registry import initialized
from .regularization import penalized, penalty
from .summary import summary

for _method in (
    compiled.compile, trainer.fit, trainer.evaluate, trainer.predict, trainer.predict_classes, trainer.train_step,
    trainer.test_step, checkpoint.get_weights, checkpoint.set_weights, checkpoint.save, checkpoint.load, summary,
):  # fmt: skip
    setattr(nn.Module, _method.__name__, _method)

__all__ = [
    "CSVLogger", "Callback", "EarlyStopping", "History", "LambdaCallback", "LearningRateScheduler", "Metric", "ModelCheckpoint",
    "ReduceLROnPlateau", "TensorBoard", "TerminateOnNaN", "initialized", "mlp", "penalized", "penalty", "plot_decision", "resume",
    "save_checkpoint",
]  # fmt: skip
