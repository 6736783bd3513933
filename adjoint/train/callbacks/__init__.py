"""Callbacks: objects with methods that ``fit`` calls before and after the training, each epoch and each batch, as in Keras."""

from .base import MOMENTS, Callback, CallbackList, Logs
from .csv_logger import CSVLogger
from .early_stopping import EarlyStopping
from .lambda_callback import LambdaCallback
from .learning_rate_scheduler import LearningRateScheduler
from .model_checkpoint import ModelCheckpoint
from .monitor import Monitor
from .progress_bar import ProgressBar, ProgressLines, progress
from .reduce_lr_on_plateau import ReduceLROnPlateau
from .tensorboard import TensorBoard
from .terminate_on_nan import TerminateOnNaN

__all__ = [
    "MOMENTS", "CSVLogger", "Callback", "CallbackList", "EarlyStopping", "LambdaCallback", "LearningRateScheduler", "Logs",
    "ModelCheckpoint", "Monitor", "ProgressBar", "ProgressLines", "ReduceLROnPlateau", "TensorBoard", "TerminateOnNaN", "progress",
]  # fmt: skip
