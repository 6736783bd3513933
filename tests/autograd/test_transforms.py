"""``grad`` and ``value_and_grad``, and ``GradientTape``: structures, nesting, and what they refuse."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given, strategies as st

import adjoint as ad
from adjoint.autograd.transforms import leaves, rebuild
from adjoint.backends import Backend
from adjoint.errors import GraphError

from .oracle import torch

pytestmark = [
    pytest.mark.usefixtures("backend"),
    pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated"),  # torch.func, when it is first used
]


def number(value: float) -> ad.Tensor:
    return ad.tensor(value, dtype="float64")


# --- grad ----------------------------------------------------------------------------------------------------------------------


def test_value_and_gradient_of_several_arguments() -> None:
    def f(x: ad.Tensor, y: ad.Tensor, scale: float) -> ad.Tensor:
        return (x * y).sum() * scale

    x, y = ad.tensor([1.0, 2.0]), ad.tensor([3.0, 4.0])
    value, g = ad.value_and_grad(f)(x, y, 2.0)
    assert (value.item(), g.tolist(), value.requires_grad, g.requires_grad) == (22.0, [6.0, 8.0], False, False)
    _, (gx, gy) = ad.value_and_grad(f, argnums=(0, 1))(x, y, 2.0)
    assert (gx.tolist(), gy.tolist()) == ([6.0, 8.0], [2.0, 4.0])
    assert ad.grad(f, argnums=2)(x, y, 2.0).item() == 11.0
    assert x.grad is None
    assert not x.requires_grad


class Pair(NamedTuple):
    weight: ad.Tensor
    rest: dict[str, Any]


def test_gradients_have_the_arguments_structure() -> None:
    tree = Pair(number(2.0), {"a": [number(3.0), (number(5.0),)], "unused": number(1.0)})
    g = ad.grad(lambda t: t.weight * t.rest["a"][0] * t.rest["a"][1][0])(tree)
    assert isinstance(g, Pair)
    assert (g.weight.item(), g.rest["a"][0].item(), g.rest["a"][1][0].item(), g.rest["unused"].item()) == (15.0, 10.0, 6.0, 0.0)


def test_has_aux_passes_on_what_is_not_differentiated() -> None:
    (value, aux), g = ad.value_and_grad(lambda x: (x * x, "seen"), has_aux=True)(number(3.0))
    assert (value.item(), aux, g.item()) == (9.0, "seen", 6.0)
    assert ad.grad(lambda x: (x * x, 7), has_aux=True)(number(3.0))[1] == 7


def test_nesting_reaches_third_order() -> None:
    f = lambda x: ad.exp(2 * x)  # noqa: E731
    for order in range(1, 4):
        f = ad.grad(f)
        assert f(number(0.5)).item() == pytest.approx(2**order * np.exp(1.0))


def test_nested_functions_do_not_confuse_their_variables() -> None:
    inner = lambda x: ad.grad(lambda y: x + y)(number(1.0))  # noqa: E731
    assert ad.grad(lambda x: x * inner(x))(number(1.0)).item() == 1.0
    mixed = ad.grad(lambda x: ad.grad(lambda y: (x * y) ** 2)(number(3.0)))
    assert mixed(number(2.0)).item() == pytest.approx(24.0)


def test_an_argument_that_requires_a_gradient_stays_connected() -> None:
    x = number(2.0).requires_grad_()
    g = ad.grad(lambda v: v**3)(x)
    g.backward()
    assert x.grad.item() == 12.0
    x.grad = None
    ad.grad(lambda v: v**3)(x * x).backward()
    assert x.grad.item() == pytest.approx(6 * 4 * 4.0)


def test_numbers_and_arrays_are_arguments_too() -> None:
    assert ad.grad(lambda x: x**2)(3.0).item() == 6.0
    if ad.backends.default().name == "numpy":
        assert ad.grad(lambda x: (x**2).sum())(np.array([1.0, 2.0])).tolist() == [2.0, 4.0]


def test_it_works_under_no_grad_and_leaves_the_mode_alone() -> None:
    with ad.no_grad():
        assert ad.grad(lambda x: x**2)(number(3.0)).item() == 6.0
        assert not ad.is_grad_enabled()
    with pytest.raises(ZeroDivisionError):
        ad.grad(lambda x: 1 / 0)(number(1.0))
    assert ad.grad(lambda x: x * x)(number(1.0)).requires_grad is False


def test_what_it_can_not_differentiate_is_named() -> None:
    with pytest.raises(GraphError, match="grad:"):
        ad.grad(lambda x: x * 2)(ad.ones(2))
    with pytest.raises(TypeError, match="int64"):
        ad.grad(lambda x: x)(ad.tensor(1))
    with pytest.raises(TypeError, match="float, not a tensor"):
        ad.grad(lambda x: 1.0)(number(1.0))
    assert ad.grad(lambda x: number(1.0))(number(1.0)).item() == 0.0


# --- GradientTape --------------------------------------------------------------------------------------------------------------


def test_a_tape_watches_tensors_for_its_block_alone() -> None:
    x = number(3.0)
    with ad.GradientTape() as tape:
        tape.watch(x)
        y = x * x
    assert not x.requires_grad
    assert tape.gradient(y, x).item() == 6.0
    with pytest.raises(GraphError, match="persistent=True"):
        tape.gradient(y, x)


def test_parameters_are_watched_by_themselves_unless_told_otherwise() -> None:
    w = number(2.0).requires_grad_()
    with ad.GradientTape() as tape:
        y = w**3
    g = tape.gradient(y, w)
    assert (g.item(), g.requires_grad, w.grad) == (12.0, False, None)
    with ad.GradientTape(watch_accessed_variables=False) as tape:
        y = w**3
    assert tape.gradient(y, w) is None
    with ad.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(w)
        y = w**3
    assert tape.gradient(y, w).item() == 12.0


def test_a_persistent_tape_answers_again_and_sources_keep_their_structure() -> None:
    a, b, unused = number(2.0), number(3.0), number(1.0)
    with ad.GradientTape(persistent=True) as tape:
        tape.watch([a, {"b": b}, unused])
        y = a * b
        z = y * y
    found = tape.gradient(z, {"a": a, "rest": (b, [unused])})
    assert (found["a"].item(), found["rest"][0].item(), found["rest"][1]) == (36.0, 24.0, [None])
    assert tape.gradient(z, y).item() == 12.0
    assert tape.gradient([y, z], a).item() == 39.0
    zero = tape.gradient(z, unused, unconnected_gradients="zero")
    assert (zero.item(), zero.shape) == (0.0, ())
    with pytest.raises(ValueError, match="'none' or 'zero'"):
        tape.gradient(z, unused, unconnected_gradients="what")


def test_targets_are_summed_or_weighted() -> None:
    x = ad.tensor([1.0, 2.0])
    with ad.GradientTape(persistent=True) as tape:
        tape.watch(x)
        y = x * x
    assert tape.gradient(y, x).tolist() == [2.0, 4.0]
    assert tape.gradient(y, x, output_gradients=ad.tensor([1.0, 10.0])).tolist() == [2.0, 40.0]


def test_tapes_nest_to_second_order() -> None:
    x = number(3.0)
    with ad.GradientTape() as outer:
        outer.watch(x)
        with ad.GradientTape() as inner:
            inner.watch(x)
            y = x**4
        first = inner.gradient(y, x)
    assert first.item() == 108.0
    assert outer.gradient(first, x).item() == pytest.approx(108.0)


def test_a_tape_records_under_no_grad_and_inside_grad() -> None:
    x = number(3.0)
    with ad.no_grad(), ad.GradientTape() as tape:
        tape.watch(x)
        y = x * x
    assert tape.gradient(y, x).item() == 6.0

    def slope(v: ad.Tensor) -> ad.Tensor:
        with ad.GradientTape() as tape:
            tape.watch(v)
            y = v**3
        g: ad.Tensor = tape.gradient(y, v)
        return g

    assert ad.grad(slope)(number(2.0)).item() == pytest.approx(12.0)


def test_a_tapes_mistakes_are_named() -> None:
    x = number(1.0)
    tape = ad.GradientTape()
    with pytest.raises(GraphError, match="with block"):
        tape.watch(x)
    with tape, pytest.raises(GraphError, match="already"):
        tape.__enter__()
    with pytest.raises(TypeError, match="int64"), ad.GradientTape() as tape:
        tape.watch(ad.tensor(1))
    assert ad.is_grad_enabled()
    with pytest.raises(IndexError), ad.GradientTape() as tape:
        tape.watch(x) or [][0]
    assert not x.requires_grad


def test_a_tapes_jacobian_has_its_sources_structure() -> None:
    x, y, unused = ad.tensor([1.0, 2.0]), ad.tensor([[3.0]]), number(1.0)
    with ad.GradientTape(persistent=True) as tape:
        tape.watch([x, y, unused])
        z = x * x * y.reshape(())
    found = tape.jacobian(z, {"x": x, "rest": [y, unused]})
    assert found["x"].tolist() == [[6.0, 0.0], [0.0, 12.0]]
    assert (found["rest"][0].tolist(), found["rest"][0].shape, found["rest"][1]) == ([[[1.0]], [[4.0]]], (2, 1, 1), None)
    with ad.GradientTape() as tape:
        tape.watch(x)
        z = x * 2
    tape.jacobian(z, x)
    with pytest.raises(GraphError, match="persistent=True"):
        tape.jacobian(z, x)


# --- vjp, jvp, jacobian, hessian, hvp ------------------------------------------------------------------------------------------

FUNCTIONS: dict[str, Any] = {
    "elementwise": lambda m, x, y: m.sin(x) * y,
    "a product": lambda m, x, y: (x[:, None] * y) @ m.exp(x),
    "structured": lambda m, x, y: {"a": [(x * y).sum(), x.prod()], "b": y**3},
    "of one alone": lambda m, x, y: (x * x, x.sum()),
    "a constant too": lambda m, x, y: (m.ones(2, dtype=m.float64), m.tanh(y)),
}
X, Y, U = np.array([0.5, -1.0, 2.0]), np.array([1.5, 0.3, -0.7]), np.array([0.3, 1.1, -0.4])


def torch_trees(tree: Any) -> list[Any]:
    return [x.detach().numpy() for x in torch.utils._pytree.tree_leaves(tree)]


def our_trees(tree: Any) -> list[Any]:
    return [x.detach().cpu().numpy() for x in leaves(tree)]


def same_trees(ours: Any, theirs: Any) -> None:
    found, wanted = our_trees(ours), torch_trees(theirs)
    assert [a.shape for a in found] == [b.shape for b in wanted]
    for a, b in zip(found, wanted, strict=True):
        np.testing.assert_allclose(a, b, 1e-10, 1e-12)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_vjp_jvp_and_jacobian_are_those_of_torch_func(name: str) -> None:
    ours, theirs = (lambda x, y, m=m: FUNCTIONS[name](m, x, y) for m in (ad, torch))
    of_ours, of_theirs = [ad.tensor(v) for v in (X, Y, U)], [torch.tensor(v) for v in (X, Y, U)]
    value, pull = ad.vjp(ours, *of_ours[:2])
    wanted, pull_theirs = torch.func.vjp(theirs, *of_theirs[:2])
    same_trees(value, wanted)
    for scale in (1.0, 2.0):  # it can be asked again
        ones = rebuild(value, iter([x * 0 + scale for x in leaves(value)]))
        same_trees(pull(ones), pull_theirs(torch.utils._pytree.tree_map(lambda x, s=scale: torch.full_like(x, s), wanted)))
    for a, b in zip(
        ad.jvp(ours, tuple(of_ours[:2]), (of_ours[2], of_ours[0])),
        torch.func.jvp(theirs, tuple(of_theirs[:2]), (of_theirs[2], of_theirs[0])),
        strict=True,
    ):
        same_trees(a, b)
    for argnums in (0, 1, (0, 1)):
        for mode in ("auto", "forward", "reverse"):
            by_torch = torch.func.jacfwd if mode == "forward" else torch.func.jacrev
            same_trees(ad.jacobian(ours, argnums, mode=mode)(*of_ours[:2]), by_torch(theirs, argnums)(*of_theirs[:2]))


SHAPES = st.sampled_from([(), (0,), (1,), (3,), (2, 2), (0, 2), (7,)])


@given(
    shapes=st.lists(SHAPES, min_size=1, max_size=3),
    results=st.lists(SHAPES, min_size=1, max_size=3),
    mode=st.sampled_from(["auto", "forward", "reverse"]),
    captured=st.booleans(),
    seed=st.integers(0, 999),
)
def test_a_jacobian_of_any_shapes_is_the_same_in_either_mode(
    shapes: Any, results: Any, mode: str, captured: bool, seed: int, backend: Backend
) -> None:
    rng = np.random.default_rng(seed)
    points = [rng.normal(size=shape) for shape in shapes]
    weights = [[rng.normal(size=(*result, *shape)) for shape in shapes] for result in results]

    def function(*xs: ad.Tensor) -> Any:  # sin(W x) of each result's shape, the sum over all inputs
        products = [sum((ad.tensordot(ad.tensor(w), x, x.ndim) for w, x in zip(row, xs, strict=True)), 0.0) for row in weights]
        return [{"sin": ad.sin(product)} for product in products]

    jacobian = ad.jacobian(function, tuple(range(len(shapes))), mode=mode)
    jacobian = ad.capture(jacobian) if captured else jacobian
    for scale in (1.0, 0.5):
        found = jacobian(*[ad.tensor(x * scale) for x in points])
        for row, part in zip(weights, found, strict=True):
            total = sum(np.tensordot(w, x * scale, x.ndim) for w, x in zip(row, points, strict=True))
            for w, x, j in zip(row, points, part["sin"], strict=True):
                want = np.cos(total).reshape(total.shape + (1,) * x.ndim) * w
                assert j.shape == want.shape
                np.testing.assert_allclose(j.cpu().numpy(), want, 1e-10, 1e-12)


@pytest.mark.parametrize("mode", ["auto", "forward", "reverse"])
def test_jacobians_nest_and_are_differentiated_in_either_mode(mode: str) -> None:
    def function(m: Any, x: Any, w: Any) -> Any:
        return m.stack([m.sin(x[0] * x[1]) * w[0], x[0] ** 3 * w[1], m.exp(x[1]), x[1] * x[0], x[0] - x[1]])

    x, w = ad.tensor(X[:2]), ad.tensor(Y[:2]).requires_grad_()
    theirs, of_theirs = torch.tensor(X[:2]), torch.tensor(Y[:2], requires_grad=True)
    outer, inner = (torch.func.jacfwd, torch.func.jacrev) if mode == "forward" else (torch.func.jacrev, torch.func.jacfwd)
    twice = ad.jacobian(ad.jacobian(lambda x: function(ad, x, w), mode=mode), mode=mode)(x)
    wanted = outer(inner(lambda x: function(torch, x, of_theirs)))(theirs)
    same_trees(twice, wanted)
    (twice**2).sum().backward()  # connected to what the function closes over
    (wanted**2).sum().backward()
    same_trees(w.grad, of_theirs.grad)
    hessian = ad.grad(lambda x: (ad.jacobian(lambda x: function(ad, x, w.detach()), mode=mode)(x) ** 2).sum())(x)
    same_trees(hessian, torch.func.grad(lambda x: (outer(lambda x: function(torch, x, of_theirs))(x) ** 2).sum())(theirs))


def operations(function: Any, *args: Any) -> int:
    captured = ad.capture(function)
    captured(*args)
    return captured.stats.recorded


def test_a_jacobian_of_many_outputs_and_few_inputs_is_taken_forward() -> None:
    def trajectory(x: ad.Tensor) -> ad.Tensor:
        points = [x[0]]
        for _ in range(30):
            x = x + 0.01 * ad.stack([x[1], -ad.sin(x[0])])
            points.append(x[0])
        return ad.stack(points)

    x = ad.tensor([0.5, 0.0])
    work = {mode: operations(ad.jacobian(trajectory, mode=mode), x) for mode in ("auto", "forward", "reverse")}
    assert work["auto"] == work["forward"] < work["reverse"] / 6
    once, twice = (
        operations(ad.jacobian(f, mode="forward"), x) for f in (lambda x: trajectory(ad.stack([x[0], 0.0 * x[0]])), trajectory)
    )
    assert twice < 2 * once, "the outputs are pulled back once, and each input is one walk more"
    square = {mode: operations(ad.jacobian(lambda x: ad.sin(x) * x.sum(), mode=mode), x) for mode in ("auto", "reverse")}
    assert square["auto"] == square["reverse"]


def test_a_jacobian_has_the_dtype_of_its_input_in_either_mode() -> None:
    x = ad.tensor([1.0, 2.0], dtype="float32")
    for mode in ("forward", "reverse"):
        assert ad.jacobian(lambda x: x.double().sum(), mode=mode)(x).dtype == ad.float32
    with pytest.raises(ValueError, match=r"mode must be 'auto', 'forward' or 'reverse' \(got 'fwd'\)"):
        ad.jacobian(ad.sin, mode="fwd")


def cube(backward: Any) -> Any:
    class Cube(ad.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: ad.Tensor) -> ad.Tensor:
            ctx.save_for_backward(x)
            return x**3

        @staticmethod
        def backward(ctx: Any, g: ad.Tensor) -> ad.Tensor:
            return backward(g, ctx.saved_tensors[0])

    return Cube.apply


def hooked(hook: Any) -> Any:
    def function(x: ad.Tensor) -> ad.Tensor:
        y = x * 1.0
        y.register_hook(hook)
        return y * 3.0

    return function


def hooked_input(x: ad.Tensor) -> ad.Tensor:
    x.register_hook(lambda g: g * g)
    return x * 3.0


def out_of_graph(x: ad.Tensor) -> ad.Tensor:
    return ad.tensor(x.detach().cpu().numpy(), device=x.device)


USERS_CODE: dict[str, Any] = {  # a function that forward mode cannot differentiate, and what it is that it cannot
    "NumPy in backward": (cube(lambda g, x: out_of_graph(g) * 3 * out_of_graph(x) ** 2), "the backward of Cube"),
    "NumPy of the gradient alone": (cube(lambda g, x: out_of_graph(g) * 3 * x**2), "the backward of Cube"),
    "detach of a part": (cube(lambda g, x: g * x**2 + 2 * g.detach() * x**2), "the backward of Cube"),
    "NumPy in a hook": (hooked(lambda g: out_of_graph(g) * 2), "a hook on the output of multiply"),
    "a hook that is not linear": (hooked(lambda g: g * g), "a hook on the output of multiply"),
    "a hook that clips": (hooked(lambda g: g.clamp(-1, 1)), "a hook on the output of multiply"),
    "a hook on an input": (hooked_input, "a hook on an input"),
}


@pytest.mark.parametrize("case", USERS_CODE)
def test_forward_mode_refuses_what_it_can_not_differentiate_and_auto_goes_in_reverse(case: str) -> None:
    function, what = USERS_CODE[case]
    x = ad.tensor([2.0, -3.0])
    forward: list[Any] = [
        lambda: ad.jacobian(function, mode="forward")(x),
        lambda: ad.jvp(function, (x,), (ad.ones(2),)),
        lambda: ad.jacobian(lambda x: ad.jvp(function, (x,), (ad.ones(2),))[1])(x),
    ]
    for call in forward:
        with pytest.raises(GraphError, match=rf"(jacobian|jvp): forward mode differentiates {what} by its gradient"):
            call()
    many = lambda x: function(x).expand(10, 2)  # noqa: E731
    assert ad.jacobian(many)(x).tolist() == ad.jacobian(many, mode="reverse")(x).tolist()


def test_forward_mode_takes_a_backward_and_a_hook_of_operations() -> None:
    x = ad.tensor([2.0, -3.0])
    for function in (cube(lambda g, x: g * 3 * x**2), hooked(lambda g: g * 2), hooked(lambda g: None)):
        np.testing.assert_allclose(
            ad.jacobian(function, mode="forward")(x).cpu().numpy(), ad.jacobian(function, mode="reverse")(x).cpu().numpy(), 1e-6
        )


def test_hessians_and_their_products_are_those_of_torch() -> None:
    def function(m: Any, x: Any, y: Any) -> Any:
        return (m.sin(x * y) * x).sum() + (y**3).prod()

    ours, theirs = (lambda x, y, m=m: function(m, x, y) for m in (ad, torch))
    of_ours, of_theirs = [ad.tensor(v) for v in (X, Y, U)], [torch.tensor(v) for v in (X, Y, U)]
    for argnums in (0, (0, 1)):
        same_trees(ad.hessian(ours, argnums)(*of_ours[:2]), torch.func.hessian(theirs, argnums)(*of_theirs[:2]))
    value, product = ad.hvp(ours, tuple(of_ours[:2]), (of_ours[2], of_ours[0]))
    wanted = torch.autograd.functional.hvp(theirs, tuple(of_theirs[:2]), (of_theirs[2], of_theirs[0]))
    same_trees([value, *product], wanted)
    assert not value.requires_grad


def test_transforms_nest_in_one_another_and_stay_connected_to_parameters() -> None:
    x, w = number(0.7), number(1.5).requires_grad_()
    third = ad.grad(lambda x: ad.jacobian(lambda x: ad.jvp(lambda x: x**4, (x,), (number(1.0),))[1])(x))
    assert third(x).item() == pytest.approx(24 * 0.7)
    ad.jvp(lambda x: w * w * x, (x,), (number(2.0),))[1].backward()
    assert w.grad.item() == pytest.approx(6.0)
    ad.vjp(lambda x: w * x, x)[1](number(3.0)).backward()
    assert w.grad.item() == pytest.approx(9.0)
    ad.hvp(lambda x: w * x**3, x, number(1.0))[1].backward()
    assert w.grad.item() == pytest.approx(9.0 + 6 * 0.7)
    with ad.no_grad():
        assert not ad.jacobian(lambda x: w * x)(x).requires_grad


def test_has_aux_and_empty_outputs() -> None:
    x = ad.tensor([1.0, 2.0])
    value, _, aux = ad.vjp(lambda x: (x * x, "seen"), x, has_aux=True)
    assert (value.tolist(), aux) == ([1.0, 4.0], "seen")
    assert ad.jvp(lambda x: (x * x, x * 3), (x,), (x,), has_aux=True)[2].tolist() == [3.0, 6.0]
    jacobian, aux = ad.jacobian(lambda x: (x[:0], 7), has_aux=True)(x)
    assert (jacobian.shape, aux) == ((0, 2), 7)


def test_what_does_not_go_together_is_named() -> None:
    x = ad.tensor([1.0, 2.0])
    with pytest.raises(ValueError, match="1 cotangents for 2 outputs"):
        ad.vjp(lambda x: (x, x), x)[1](x)
    with pytest.raises(ValueError, match=r"shape \(2,\) and its tangent \(3,\)"):
        ad.jvp(lambda x: x, (x,), (ad.ones(3),))
    with pytest.raises(ValueError, match="1 tangents for 2 primals"):
        ad.jvp(lambda x, y: x, (x, x), (x,))
    with pytest.raises(TypeError, match=r"jacobian: an argument to differentiate by is .*int64"):
        ad.jacobian(lambda x: x)(ad.tensor([1]))
    with pytest.raises(GraphError, match="single element"):
        ad.hessian(lambda x: x * x)(x)
