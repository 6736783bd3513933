"""``Function``: operations with a backward written by hand, against the same ones of PyTorch."""

from __future__ import annotations

import gc
import weakref
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given, strategies as st

import adjoint as ad
from adjoint.errors import GraphError
from adjoint.testing import check_gradients

from .oracle import agree, torch

pytestmark = pytest.mark.usefixtures("backend")
X, Y = np.array([0.5, -1.0, 2.0]), np.array([1.5, 0.3, -0.7])


def functions(m: Any) -> dict[str, Any]:
    """The same subclasses on either library."""

    class Product(m.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any, y: Any, scale: float) -> Any:
            ctx.save_for_backward(x, None, y)
            ctx.scale = scale
            return x * y * scale

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            x, nothing, y = ctx.saved_tensors
            assert nothing is None
            return g * y * ctx.scale, g * x * ctx.scale if ctx.needs_input_grad[1] else None, None

    class Exponential(m.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            out = x.exp()
            ctx.save_for_backward(out)
            return out

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            return g * ctx.saved_tensors[0]

    class SineAndCosine(m.autograd.Function):
        @staticmethod
        def forward(x: Any) -> Any:
            return x.sin(), x.cos(), x > 0

        @staticmethod
        def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
            ctx.mark_non_differentiable(output[2])
            ctx.save_for_backward(*output[:2])

        @staticmethod
        def backward(ctx: Any, of_sine: Any, of_cosine: Any, of_sign: Any) -> Any:
            sine, cosine = ctx.saved_tensors
            return of_sine * cosine - of_cosine * sine

    class Passed(m.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            return x

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            return g * 10

    return {c.__name__: c for c in (Product, Exponential, SineAndCosine, Passed)}


USES: dict[str, Any] = {
    "two inputs and a number": lambda f, m, x, y: f["Product"].apply(x, y, 2.0),
    "one that needs no gradient": lambda f, m, x, y: f["Product"].apply(x, y.detach(), 2.0),
    "the same twice": lambda f, m, x, y: f["Product"].apply(x, x * y, 1.5) ** 2,
    "its output is saved": lambda f, m, x, y: f["Exponential"].apply(x * y),
    "several outputs": lambda f, m, x, y: list(f["SineAndCosine"].apply(x))[:2],
    "one of several outputs": lambda f, m, x, y: f["SineAndCosine"].apply(x * y)[1] * x,
    "an input passed on": lambda f, m, x, y: f["Passed"].apply(x) * y + x,
    "a chain": lambda f, m, x, y: f["Exponential"].apply(f["Product"].apply(x, y, 0.5)).sum() * f["SineAndCosine"].apply(y)[0],
}


@pytest.mark.parametrize("use", USES)
def test_values_and_gradients_are_pytorchs_to_second_order(use: str) -> None:
    agree(lambda m, x, y: USES[use](functions(m), m, x, y), X, Y, second=True)


def test_third_order_holds_where_backward_is_made_of_operations() -> None:
    exponential = functions(ad)["Exponential"]
    check_gradients(lambda x: exponential.apply(x) * x, ad.tensor([0.5, -0.3]), order=3)


class Holder:
    """An object without slots."""

    def __init__(self, part: Any) -> None:
        self.part = part


class Slotted:
    __slots__ = ("part", "unset")

    def __init__(self, part: Any) -> None:
        self.part = part


class Named(NamedTuple):
    part: Any


@dataclass(frozen=True)
class Frozen:
    part: Any


def cyclic(part: Any) -> Any:
    holder = Holder(part)
    holder.itself = [holder]  # type: ignore[attr-defined]
    return holder


KEPT: dict[str, tuple[Any, Any]] = {  # how forward keeps a tensor, and where backward finds it
    "saved_tensors": (lambda ctx, t: ctx.save_for_backward(t), lambda ctx: ctx.saved_tensors[0]),
    "an attribute": (lambda ctx, t: setattr(ctx, "kept", t), lambda ctx: ctx.kept),
    "a list": (lambda ctx, t: setattr(ctx, "kept", [1.0, t]), lambda ctx: ctx.kept[1]),
    "a nested dict": (lambda ctx, t: setattr(ctx, "kept", {"a": (t,)}), lambda ctx: ctx.kept["a"][0]),
    "an object": (lambda ctx, t: setattr(ctx, "kept", Holder(t)), lambda ctx: ctx.kept.part),
    "an object with slots": (lambda ctx, t: setattr(ctx, "kept", Slotted(t)), lambda ctx: ctx.kept.part),
    "a frozen dataclass in a list in an object": (
        lambda ctx, t: setattr(ctx, "kept", Holder([Frozen(t)])), lambda ctx: ctx.kept.part[0].part
    ),
    "an object that refers to itself": (lambda ctx, t: setattr(ctx, "kept", cyclic(t)), lambda ctx: ctx.kept.part),
    "a subclass of dict": (lambda ctx, t: setattr(ctx, "kept", OrderedDict(a=t)), lambda ctx: ctx.kept["a"]),
    "a named tuple": (lambda ctx, t: setattr(ctx, "kept", Named(t)), lambda ctx: ctx.kept.part),
}  # fmt: skip


@given(st.sampled_from([*KEPT]), st.sampled_from(["input", "output", "extra output", "constant output", "intermediate"]))
def test_a_second_derivative_is_right_or_refused_whatever_forward_kept(how: str, what: str) -> None:
    keep, kept = KEPT[how]

    class Exponential(ad.autograd.Function):
        """exp(2 x), and whether x is positive as a number."""

        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            half, sign = ad.exp(x), (x > 0).double()
            out = half * half
            ctx.mark_non_differentiable(sign)
            keep(ctx, {"input": x, "output": out, "constant output": sign}.get(what, half))
            return (out, sign, half) if what == "extra output" else (out, sign)

        @staticmethod
        def backward(ctx: Any, g: Any, *others: Any) -> Any:
            t = kept(ctx)
            if what == "extra output":
                return g * 2 * t * t + others[1] * t
            return g * {"input": lambda: 2 * ad.exp(2 * t), "output": lambda: 2 * t, "intermediate": lambda: 2 * t * t}[what]()

    class Rectified(ad.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            sign = (x > 0).double()
            ctx.mark_non_differentiable(sign)
            keep(ctx, sign)
            return x * sign, sign

        @staticmethod
        def backward(ctx: Any, g: Any, of_sign: Any) -> Any:
            return g * kept(ctx) + 7 * of_sign  # always 0

    x = ad.tensor([0.5, -0.3], dtype=ad.float64)
    function: Any = lambda x: (Rectified if what == "constant output" else Exponential).apply(x)[0] * x  # noqa: E731
    check_gradients(function, x, order=1)
    _, along = ad.jvp(function, (x,), (ad.ones_like(x),))  # differentiates backward by its cotangent alone
    g = ad.grad(lambda x: function(x).sum())(x)
    np.testing.assert_allclose(along.cpu().numpy(), g.cpu().numpy(), 1e-12)
    if what == "intermediate":
        where = "saved_tensors" if how == "saved_tensors" else "kept"
        with pytest.raises(GraphError, match=rf"Exponential: the second derivative depends on ctx\.{where}"):
            check_gradients(function, x, order=2)
    else:
        check_gradients(function, x, order=3)


def test_an_object_of_ctx_stays_itself_and_a_module_keeps_its_buffers() -> None:
    class Scaled(ad.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any, module: Any, holder: Any) -> Any:
            ctx.module, ctx.holder = module, holder
            ctx.save_for_backward(x)
            return x**3

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            assert ctx.module is module
            assert ctx.holder is holder
            return g * 3 * ctx.saved_tensors[0] ** 2 * ctx.module.scale, None, None

    module, holder = ad.nn.Module(), Holder([1.0, "text"])
    module.register_buffer("scale", ad.ones((), dtype=ad.float64))
    check_gradients(lambda x: Scaled.apply(x, module, holder), ad.tensor([0.5, -0.3], dtype=ad.float64), order=3)


def test_a_second_derivative_through_an_intermediate_is_refused_by_every_front_end() -> None:
    class Cube(ad.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            square = x * x
            ctx.save_for_backward(square)
            return square * x

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            return 3 * g * ctx.saved_tensors[0]

    def with_tape(x: Any) -> None:
        with ad.GradientTape() as outer:
            outer.watch(x)
            with ad.GradientTape() as tape:
                tape.watch(x)
                y = Cube.apply(x)
            g = tape.gradient(y, x)
        outer.gradient(g, x)

    def with_backward(x: Any) -> None:
        x.requires_grad_()
        Cube.apply(x).backward(create_graph=True)
        assert x.grad.item() == 12
        x.grad.backward()

    for second in (ad.hessian(Cube.apply), ad.grad(ad.grad(Cube.apply)), with_tape, with_backward):
        with pytest.raises(GraphError, match=r"Cube: the second derivative depends on ctx\.saved_tensors\[0\]"):
            second(ad.tensor(2.0))


def test_outputs_not_used_have_zeros_or_none_for_cotangents() -> None:
    seen: list[Any] = []

    class Two(ad.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any, materialize: bool) -> Any:
            ctx.set_materialize_grads(materialize)
            return x * 1, x[:1] * 2

        @staticmethod
        def backward(ctx: Any, g: Any, h: Any) -> Any:
            seen.append(h if h is None else h.tolist())
            return g, None

    x = ad.tensor([1.0, 2.0], requires_grad=True)
    for materialize in (True, False):
        Two.apply(x, materialize)[0].sum().backward()
    assert seen == [[0.0], None]
    assert x.grad.tolist() == [2.0, 2.0]


def test_nothing_is_recorded_in_forward_or_without_need() -> None:
    class Inside(ad.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            assert not ad.is_grad_enabled()
            return x * 2

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            assert not ad.is_grad_enabled()
            return g * 2

    x = ad.tensor([1.0], requires_grad=True)
    Inside.apply(x).backward()
    assert x.grad.tolist() == [2.0]
    assert not Inside.apply(x.detach()).requires_grad
    with ad.no_grad():
        assert not Inside.apply(x).requires_grad


def test_a_saved_value_changed_in_place_or_freed_is_refused() -> None:
    x, y = ad.tensor(X, requires_grad=True), ad.tensor(Y)
    product = functions(ad)["Product"].apply
    out = product(x, y, 1.0).sum()
    y.add_(1)
    with pytest.raises(GraphError, match="'Product' reads was changed in place by 'add_'"):
        out.backward()
    out = product(x, y, 1.0).sum()
    out.backward()
    with pytest.raises(GraphError, match="'Product' were freed"):
        out.backward()


def test_a_graph_of_functions_is_freed_without_the_garbage_collector() -> None:
    x = ad.tensor(X, requires_grad=True)
    made = functions(ad)
    gc.collect()
    gc.disable()
    try:
        outs = [made["Exponential"].apply(x), *made["SineAndCosine"].apply(x)[:2]]
        gone = [weakref.ref(out) for out in outs]
        arrays = [weakref.ref(ad.backends.default().owner(out._array)) for out in outs]
        del outs
        assert [ref() for ref in gone + arrays] == [None] * 6
    finally:
        gc.enable()


def test_mistakes_are_named() -> None:
    def made(forward: Any, backward: Any) -> Any:
        return type("Wrong", (ad.autograd.Function,), {"forward": staticmethod(forward), "backward": staticmethod(backward)})

    x = ad.tensor([1.0, 2.0], requires_grad=True)
    with pytest.raises(TypeError, match="Wrong: forward returned float"):
        made(lambda ctx, x: 1.0, None).apply(x)
    cases: list[Any] = [
        (lambda ctx, g: (g, g), GraphError, "2 gradients for 1 inputs"),
        (lambda ctx, g: 1.0, TypeError, "backward returned float"),
        (lambda ctx, g: ad.ones(3), ValueError, r"Wrong: its derivative rule returned \(3,\)"),
    ]
    for backward, error, message in cases:
        with pytest.raises(error, match=message):
            made(lambda ctx, x: x * 2, backward).apply(x).sum().backward()
    with pytest.raises(NotImplementedError, match="backward"):
        type("Half", (ad.autograd.Function,), {"forward": staticmethod(lambda ctx, x: x * 2)}).apply(x).sum().backward()
    with pytest.raises(NotImplementedError, match="forward"):
        ad.autograd.Function.apply(x)


def test_anomalies_name_the_function_and_its_argument() -> None:
    nan = type("Spoilt", (ad.autograd.Function,), {
        "forward": staticmethod(lambda ctx, x: x * 2), "backward": staticmethod(lambda ctx, g: g * float("nan")),
    })  # fmt: skip
    x = ad.tensor([1.0], requires_grad=True)
    with (
        ad.detect_anomaly(),
        pytest.raises(GraphError, match=r"Spoilt: .* by 'argument 0' made a NaN.*test_function.py"),
    ):
        nan.apply(x).backward()


def test_hooks_and_grad_by_an_output_work() -> None:
    def run(m: Any) -> Any:
        x = m.tensor(X, requires_grad=True)
        sine, cosine, _ = functions(m)["SineAndCosine"].apply(x)
        sine.register_hook(lambda g: g * 2)
        (g,) = m.autograd.grad((sine * cosine).sum(), cosine, retain_graph=True)
        (sine * cosine).sum().backward()
        return g, x.grad

    for a, b in zip(run(ad), run(torch), strict=True):
        np.testing.assert_allclose(a.cpu().numpy(), b.numpy(), 1e-12)


def test_several_threads_walk_one_graph() -> None:
    x = ad.tensor(X, requires_grad=True)
    out = functions(ad)["Product"].apply(x, x.detach(), 2.0).sum()
    with ThreadPoolExecutor(4) as pool:
        walks = [pool.submit(ad.autograd.grad, out, x, retain_graph=True) for _ in range(40)]
        assert all(walk.result()[0].tolist() == (2 * X).tolist() for walk in walks)
