"""``torch.nn.utils``: gradient clipping by norm or by value, parameters as one vector, and ``rnn``."""

from __future__ import annotations

from collections.abc import Iterable

from ...autograd import Tensor, functions as f, no_grad
from ...autograd.arguments import reads_numbers
from ...autograd.creation import tensor, zeros
from ...autograd.precision import wide
from ...autograd.versions import writes
from ...backends.dtypes import float16
from . import rnn as rnn


def _with_gradient(parameters: Tensor | Iterable[Tensor]) -> list[Tensor]:
    tensors = [parameters] if isinstance(parameters, Tensor) else parameters
    return [p.grad for p in tensors if p.grad is not None]


@reads_numbers
def clip_grad_norm_(
    parameters: Tensor | Iterable[Tensor], max_norm: float, norm_type: float | str = 2.0, error_if_nonfinite: bool = False
) -> Tensor:
    """Scale all gradients, in place, by ``min(1, max_norm / (norm + 1e-6))``. Pascanu, Mikolov and Bengio (2013).

    Args:
        parameters: the tensors whose ``grad`` to clip; those without one are skipped.
        max_norm: the largest norm after clipping.
        norm_type: the order of the norm of all gradients as one vector; ``inf`` for the largest absolute value.
        error_if_nonfinite: whether to raise ``RuntimeError``, before any gradient changes, if that norm is NaN or infinite.

    Returns the norm before clipping, 0-d. Raises ``ValueError`` if ``norm_type`` is not above 0.
    """
    gradients, order = _with_gradient(parameters), float(norm_type)
    if order <= 0:
        raise ValueError(f"clip_grad_norm_: norm_type must be above 0, not {norm_type}")
    if not gradients:
        return tensor(0.0)
    home = gradients[0].backend
    with no_grad(), home.suppress_warnings():
        total = _norm(gradients, order)
        if error_if_nonfinite and not home.truth(f.isfinite(total)._array):
            raise RuntimeError(
                f"clip_grad_norm_: the gradients' norm of order {order} is {home.scalar_for_message(total._array)}; pass "
                "error_if_nonfinite=False to scale them nevertheless"
            )
        factor = f.clamp(max_norm / (total + 1e-6), max=1.0)
        for g in gradients:
            g._make_writable()
            array = g._array
            fits = g.backend is home and g.dtype is factor.dtype
            array *= (factor if fits else factor.to(device=g.backend, dtype=g.dtype))._array
            writes.note(g.backend, array, "clip_grad_norm_")
    return total


def _norm(gradients: list[Tensor], order: float) -> Tensor:
    """The norm of all gradients as one vector, on the first one's device: the norm of their norms, so that no scale overflows."""
    home, total = gradients[0].backend, None
    for g in gradients:
        xp, x = g.backend.xp, wide(g.backend.xp, g._array)
        if not x.size:
            continue
        if order == 2:
            part = xp.root_mean_square(x, axis=None, divisor=1.0, eps=0.0)[(0,) * x.ndim]
        else:
            part = f.norm(Tensor(x, g.backend), order)._array
        if g.backend is not home:
            part = Tensor(part, g.backend).to(device=home)._array
        if total is None:
            total = part
        elif order == 2:
            total = home.xp.hypot(total, part)
        else:
            total = f.norm(f.stack([Tensor(total, home), Tensor(part, home)]), order)._array
    if total is None:
        return zeros((), dtype=gradients[0].dtype, device=home)
    root = Tensor(home.xp.asarray(total), home)
    return root.half() if all(g.dtype is float16 for g in gradients) else root


@reads_numbers
def clip_grad_value_(parameters: Tensor | Iterable[Tensor], clip_value: float) -> None:
    """Clamp every element of every gradient, in place, to [-``clip_value``, ``clip_value``]."""
    with no_grad():
        for g in _with_gradient(parameters):
            g.clamp_(-float(clip_value), float(clip_value))


def parameters_to_vector(parameters: Iterable[Tensor]) -> Tensor:
    """Concatenate the elements of all ``parameters`` to one vector, differentiably."""
    return f.concat([f.reshape(p, -1) for p in parameters])


def vector_to_parameters(vec: Tensor, parameters: Iterable[Tensor]) -> None:
    """Write the elements of ``vec`` to the ``parameters``, in order and in place, without recording it.

    Raises ``ValueError``, before anything is written, unless ``vec`` is a vector of as many elements.
    """
    parameters = list(parameters)
    total = sum(p.numel() for p in parameters)
    if vec.shape != (total,):
        raise ValueError(f"vector_to_parameters: the parameters have {total} elements and vec the shape {vec.shape}")
    with no_grad():
        start = 0
        for p in parameters:
            p.copy_(f.reshape(vec[start : start + p.numel()], p.shape))
            start += p.numel()
