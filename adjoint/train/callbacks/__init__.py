"""Callbacks: objects with methods that ``fit`` calls before and after the training, each epoch and each batch, as in Keras."""

from .base import *
from .csv_logger import *
from .early_stopping import *
from .lambda_callback import *
from .learning_rate_scheduler import *
from .model_checkpoint import *
from .monitor import *
from .progress_bar import *
from .reduce_lr_on_plateau import *
from .tensorboard import *
from .terminate_on_nan import *
