"""NumPy's numbers and 0-d arrays and tensors mean the same as Python's, in every parameter of everything that is public."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import adjoint as ad
from adjoint import data, nn, optim
from adjoint.autograd import transforms
from adjoint.errors import CaptureError
from adjoint.nn import functional, utils as nn_utils
from adjoint.optim import lr_scheduler

from .calls import TABLES, Call

# --- other forms of a number ---------------------------------------------------------------------------------------------------

INTEGERS: dict[str, Callable[[int], Any]] = {
    "np.int64": np.int64,
    "np.int32": np.int32,
    "array": np.asarray,
    "tensor": lambda n: ad.tensor(n),
}
FLOATS: dict[str, Callable[[float], Any]] = {
    "np.float64": np.float64, "np.float32": np.float32, "array": np.asarray, "tensor": lambda x: ad.tensor(x, dtype="float64")
}  # fmt: skip


def forms(number: Any) -> dict[str, Callable[[Any], Any]]:
    if type(number) is bool:
        return {"np.bool_": np.bool_}
    return INTEGERS if type(number) is int else FLOATS if type(number) is float else {}


def rewritten(value: Any, form: Callable[[Any], Any] | None = None) -> Iterator[Any]:
    """The argument with one of its numbers in another form, for each of its numbers and forms."""
    if isinstance(value, (tuple, list)):
        for i, part in enumerate(value):
            for what, other in rewritten(part):
                yield f"[{i}] as {what}".replace("] as [", ", "), type(value)((*value[:i], other, *value[i + 1 :]))
    else:
        for what, make in forms(value).items():
            yield what, make(value)


def variants(call: Call) -> Iterator[tuple[str, Call]]:
    args, kwargs = call
    for i, value in enumerate(args):
        for what, other in rewritten(value):
            yield f"argument {i} {value!r} as {what}", ((*args[:i], other, *args[i + 1 :]), kwargs)
    for name, value in kwargs.items():
        for what, other in rewritten(value):
            yield f"{name}={value!r} as {what}", (args, {**kwargs, name: other})


def tensors(value: Any) -> Any:
    """Arrays with axes as tensors, in lists too."""
    if isinstance(value, list) and value and isinstance(value[0], np.ndarray) and value[0].ndim:
        return [tensors(part) for part in value]
    if not (isinstance(value, np.ndarray) and value.ndim):
        return value
    return ad.tensor(value)


PLAIN = (int, float, bool, str, tuple, list, np.generic, np.ndarray)


def outcome(owner: Any, name: str, call: Call) -> Any:
    """What the call gives, as JSON's types: values and dtypes, what a layer prints and holds, batches, states."""
    args, kwargs = [tensors(value) for value in call[0]], {key: tensors(value) for key, value in call[1].items()}
    ad.manual_seed(3)
    if owner is lr_scheduler:
        args.insert(0, optim.SGD([ad.zeros(2, requires_grad=True)], lr=1.0))
    if owner is nn_utils:
        for x in args[0]:
            x.grad = x * 2
    if owner is transforms:
        args.insert(0, lambda x, y: (x * x * y).sum())
    result = getattr(owner, name)(*args, **kwargs)
    if owner is transforms:
        return seen(result(ad.tensor([1.0, 2.0]), ad.tensor([3.0, 4.0])))
    if isinstance(result, nn.Module):
        held = {key: value for key, value in vars(result).items() if isinstance(value, PLAIN)}
        return [repr(result), held, {key: seen(x) for key, x in result.state_dict().items()}]
    if isinstance(result, optim.Optimizer):
        result.param_groups[0]["params"][0].grad = ad.ones(4, 6, dtype="float64")
        result.step()
        return seen([result.state_dict()["param_groups"], repr(result), args[0][0]])
    if isinstance(result, lr_scheduler.LRScheduler):
        for _ in range(4):
            result.step(1.0) if name == "ReduceLROnPlateau" else result.step()
        state = {key: value for key, value in result.state_dict().items() if key != "lr_lambdas"}
        return seen([state, result.optimizer.state_dict()["param_groups"]])
    if owner is nn_utils:
        return seen([args[0][0].grad, result])
    if owner is data and not isinstance(result, (ad.Tensor, tuple)):
        return seen(
            [
                list(result),
                {key: v for key, v in vars(result).items() if isinstance(v, (int, float, tuple))}
                if hasattr(result, "__dict__")
                else 0,
            ]
        )
    if name.startswith("empty"):
        return list(result.shape)
    return seen(result)


def seen(value: Any) -> Any:
    if isinstance(value, ad.Tensor):
        value = value.detach()
        return [value.dtype.name, list(value.shape), value.tolist()]
    if isinstance(value, dict):
        return {key: seen(part) for key, part in value.items()}
    if isinstance(value, (tuple, list)):
        return [seen(part) for part in value]
    if isinstance(value, data.Subset):
        return [seen(part) for part in value]
    return value if isinstance(value, (int, float, str, bool, type(None))) else str(value)


#: Where numbers are operands: a 0-d NumPy array is one on the CPU there, and nothing is moved between devices by itself.
OPERANDS = set(
    "quantile nanquantile index_fill fill masked_fill where bucketize pow searchsorted bernoulli_ fill_ masked_fill_ mul_ div_ "
    "pow_ index_fill_ __add__ __mul__ __pow__ __sub__ __truediv__ __radd__ __rsub__ __gt__".split()
)
#: Forms that mean something else, and what.
OTHERWISE = {(name, "argument 1 1 as tensor"): "the other operand, as in PyTorch" for name in ("max", "min")}


def failures(owner: Any, name: str, calls: list[Call]) -> list[str]:
    found = []
    for call in calls:
        expected = json.dumps(outcome(owner, name, call))
        for what, other in variants(call):
            if (name, what) in OTHERWISE or (name in OPERANDS and what.endswith("array") and ad.zeros(1).device != "cpu"):
                continue
            try:
                got = json.dumps(outcome(owner, name, other))
            except Exception as error:
                found.append(f"{what}: {type(error).__name__}: {error}")
                continue
            if got != expected:
                found.append(f"{what}: {got[:150]}, not {expected[:150]}")
    return found


CASES = [(place, name) for place, (_, table) in TABLES.items() for name in table]


@pytest.mark.parametrize(("place", "name"), CASES, ids=[f"{place}.{name}" for place, name in CASES])
def test_every_number_may_be_numpys_or_a_0_d_array_or_tensor(place: str, name: str, backend: Any) -> None:
    owner, table = TABLES[place]
    found = failures(owner, name, table[name])
    assert not found, "\n".join(found)


# --- that nothing is left out --------------------------------------------------------------------------------------------------

NUMERIC = re.compile(r"\b(int|float|Int|Float|Number|Dims|Sizes|OptionalSizes)\b")
NOT_NUMBERS = re.compile(r"Callable|Iterable|Mapping|Sampler\[int\]")

#: Parameters that are left out, and why.
LEFT_OUT = {
    "limit": "ad.graph's limit of nodes: only drawn", "ndim": "of a helper", "index": "tensors of indices, or a dataset's own",
    "rows": "tensors or ranges of rows", "lengths": "tensors in pack_padded_sequence", "last_epoch": "passed on by every schedule",
}  # fmt: skip


CLASSES = (nn.Module, optim.Optimizer, lr_scheduler.LRScheduler, data.Sampler, data.DataLoader)


def public(owner: Any) -> Iterator[tuple[str, Any]]:
    """Its functions and classes by name; of tensors' methods, those that are not functions of ``ad`` too."""
    seen_before = [value for value in vars(ad).values() if callable(value)]
    for name, value in vars(owner).items():
        module = getattr(value, "__module__", "") or ""
        if name.startswith("_") or not callable(value) or (inspect.isclass(value) and not issubclass(value, CLASSES)):
            continue
        if owner is ad.Tensor:
            if value not in seen_before:
                yield name, value
        elif module.startswith(owner.__name__) and not (owner is ad and module == transforms.__name__):
            yield name, value


def missing(owner: Any, table: dict[str, list[Call]]) -> list[str]:
    """The parameters annotated as numbers that no call in the table gives a number."""
    found = []
    for name, value in public(owner):
        signature = inspect.signature(value)
        given: set[str] = set()
        for args, kwargs in table.get(name, []):
            bound = signature.bind(*((None,) * (owner in (lr_scheduler, transforms)) + args), **kwargs)
            given |= bound.arguments.keys()
        for parameter in signature.parameters.values():
            annotation = str(parameter.annotation)
            if NUMERIC.search(annotation) and not NOT_NUMBERS.search(annotation) and parameter.name not in given | LEFT_OUT.keys():
                found.append(f"{name}: {parameter.name}")
    return found


@pytest.mark.parametrize("place", TABLES)
def test_every_parameter_that_is_a_number_has_a_call(place: str) -> None:
    owner, table = TABLES[place]
    assert not missing(owner, table)


# --- what is refused -----------------------------------------------------------------------------------------------------------

WHOLE = re.compile(r"(int|Int|Dims|Sizes|OptionalSizes|str|None|Sequence\[int( \| None)?\]|tuple\[int, \.\.\.\])( \| |$)")


def of_parameters(owner: Any, name: str, kind: str, make: Callable[[Any], Any]) -> Iterator[tuple[str, str, Call]]:
    """Calls in which one number, of a parameter annotated as whole ("whole") or as any number ("any"), is another value."""
    value = getattr(owner, name)
    parameters = inspect.signature(value).parameters
    before = int(owner in (lr_scheduler, transforms))
    names = [p.name for p in parameters.values() if p.kind in (p.POSITIONAL_OR_KEYWORD, p.POSITIONAL_ONLY)][before:]
    for args, kwargs in TABLES_BY_OWNER[id(owner)][name]:
        given = {**dict(zip(names, args, strict=False)), **kwargs}
        for parameter, number in given.items():
            if parameter not in parameters:
                continue  # of a method in place, which passes on what it is given
            annotation = str(parameters[parameter].annotation)
            whole = not WHOLE.sub("", annotation)
            if type(number) not in (int, float) or not NUMERIC.search(annotation) or whole is not (kind == "whole"):
                continue
            if parameter in kwargs:
                yield parameter, annotation, (args, {**kwargs, parameter: make(number)})
            else:
                at = names.index(parameter)
                yield parameter, annotation, ((*args[:at], make(number), *args[at + 1 :]), kwargs)


#: Functions under two names, by the one that errors give.
NAMES = {"cat": "concat", "concatenate": "concat", "swapaxes": "transpose", "swapdims": "transpose", "moveaxis": "movedim"}
NAMES |= {"mvlgamma": "multigammaln", **{f"lp_pool{n}d": f"(lp|avg)_pool{n}d" for n in (1, 2, 3)}}
LOST = re.compile("requires a gradient, which would be lost|must be an integer")
TABLES_BY_OWNER = {id(owner): table for owner, table in TABLES.values()}


@pytest.mark.parametrize("place", TABLES)
def test_an_integer_is_neither_a_float_nor_a_boolean(place: str) -> None:
    owner, table = TABLES[place]
    found = []
    for name in table:
        if name.startswith("__"):
            continue
        for make in (float, bool, np.float32, np.bool_):
            for parameter, _, call in of_parameters(owner, name, "whole", make):
                if parameter == "dim" and make in (bool, np.bool_) and name.startswith(("var", "std")):
                    continue  # x.var(False) is unbiased=False
                try:
                    outcome(owner, name, call)
                    found.append(f"{name}: {parameter} takes {make.__name__}")
                except TypeError as error:
                    known = NAMES.get(name.rstrip("_"), name.rstrip("_"))
                    if not re.match(f"{known}_?: ({parameter}|dim) must be an integer, not ", str(error)):
                        found.append(f"{name}: {parameter}: {error}")
    assert not found, "\n".join(found)


@pytest.mark.parametrize("place", TABLES)
def test_no_gradient_of_a_number_is_lost(place: str) -> None:
    owner, table = TABLES[place]
    found = []
    for name in table:
        if name.startswith("__"):
            continue
        for parameter, _, call in of_parameters(owner, name, "any", lambda x: ad.tensor(float(x), requires_grad=True)):
            args, kwargs = [tensors(value) for value in call[0]], {key: tensors(value) for key, value in call[1].items()}
            if owner is lr_scheduler:
                args.insert(0, optim.SGD([ad.zeros(2, requires_grad=True)], lr=1.0))
            try:
                result = getattr(owner, name)(*args, **kwargs)
            except TypeError as error:
                if not LOST.search(str(error)) or parameter not in str(error):
                    found.append(f"{name}: {parameter}: {error}")
            else:
                if not getattr(result, "requires_grad", False) and (name, parameter) != ("batch_norm", "momentum"):  # of statistics
                    found.append(f"{name}: {parameter} is taken, and its gradient lost")
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("name", "parameter", "call"),
    [
        ("leaky_relu", "negative_slope", lambda x, n: functional.leaky_relu(x, n)),
        ("topk", "k", lambda x, n: ad.topk(x, n.long()).values),
        ("sum", "dim", lambda x, n: x.sum(n.long())),
        ("zeros", "size", lambda x, n: ad.zeros(n.long()) + x[0, 0]),
        ("LayerNorm", "eps", lambda x, n: nn.LayerNorm(2, n)(x)),
    ],
)
def test_a_recording_names_the_parameter_whose_value_it_has_not(name: str, parameter: str, call: Any, backend: Any) -> None:
    with pytest.raises(CaptureError, match=f"{name}: {parameter} is a number, and the tensor given"):
        ad.capture(call)(ad.ones(2, 2), ad.tensor(1.0))


def test_numbers_that_were_wrong_in_silence(backend: Any) -> None:
    assert ad.arange(0, 3, ad.tensor(0.5)).tolist() == [0.0, 0.5, 1.0, 1.5, 2.0, 2.5]
    assert ad.arange(np.float32(0.5), 3).tolist() == [0.5, 1.5, 2.5]
    assert ad.linspace(ad.tensor(0.0), ad.tensor(1.0), ad.tensor(3)).tolist() == [0.0, 0.5, 1.0]
    assert ad.ones(2, 3).sum(np.int64(1)).tolist() == [3.0, 3.0]
    assert ad.randint(0, np.int64(3), (2,)).shape == (2,)


def test_an_optimizers_groups_hold_pythons_numbers(backend: Any) -> None:
    w = ad.zeros(2, requires_grad=True)
    optimizer = optim.SGD([{"params": [w], "lr": np.float32(0.5), "momentum": ad.tensor(0.25)}], lr=1.0)
    assert json.dumps({**optimizer.param_groups[0], "params": 0}) == json.dumps(
        {**optim.SGD([w], 0.5, 0.25).param_groups[0], "params": 0}
    )
    optimizer.param_groups[0]["lr"] = np.float64(0.125)
    assert json.loads(json.dumps(optimizer.state_dict()["param_groups"]))[0]["lr"] == 0.125


#: Functions of a tensor and an operand that may be a number.
OF_OPERANDS: dict[str, Callable[[Any, Any], Any]] = {
    name: lambda x, n, name=name: getattr(ad, name)(x, n)
    for name in "pow float_power atan2 logaddexp maximum minimum fmod remainder floor_divide copysign xlogy hypot nextafter "
    "heaviside eq lt isin quantile".split()
} | {
    "reflected float_power": lambda x, n: ad.float_power(n, x),
    "reflected pow": lambda x, n: ad.pow(n, x),
    "searchsorted": lambda x, n: ad.searchsorted(x, n),
    "bucketize": lambda x, n: ad.bucketize(n, x),
    "index_put": lambda x, n: ad.index_put(x, (ad.tensor([0]),), n),
    "where": lambda x, n: ad.where(x > 0, n, x),
    "lerp": lambda x, n: ad.lerp(x, x * 2, n),
}  # fmt: skip


@pytest.mark.parametrize("name", OF_OPERANDS)
def test_an_operand_may_be_a_number_of_numpy(name: str) -> None:
    x, function = ad.tensor([0.0, 0.5, 1.0]), OF_OPERANDS[name]
    expected = function(x, 1.0)
    for kind in (np.float64, np.float32):
        result = function(x, kind(1.0))
        assert result.dtype is expected.dtype
        assert result.tolist() == expected.tolist()
