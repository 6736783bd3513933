"""Optimizers and learning rate schedules, under PyTorch's names.

>>> import adjoint as ad
>>> w = ad.tensor([3.0], requires_grad=True)
>>> optimizer = ad.optim.Adam([w], lr=0.5)
>>> for _ in range(50):
...     optimizer.zero_grad()
...     ((w - 1.0) ** 2).sum().backward()
...     optimizer.step()
>>> abs(w.item() - 1.0) < 0.1
True
"""

from ..nn.utils import clip_grad_norm_ as clip_grad_norm_, clip_grad_value_ as clip_grad_value_
from . import lr_scheduler as lr_scheduler
from .adagrad import *
from .adam import *
from .optimizer import *
from .rmsprop import *
from .sgd import *
