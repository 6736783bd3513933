"""Recurrent layers and cells: PyTorch's outputs, states, gradients, parameters and representation, whatever the options."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

import adjoint as ad
from adjoint import nn, optim

from .helpers import check_like_torch, values

torch = pytest.importorskip("torch", reason="the PyTorch oracle is in the dev extra")
pytestmark = pytest.mark.usefixtures("backend")
RNG = np.random.default_rng(0)
KINDS = ["RNN", "LSTM", "GRU"]
BOOLS = st.booleans()


def pair(kind: str, *args: Any, **options: Any) -> tuple[Any, Any]:
    """Our module and PyTorch's in float64, of the same random weights, moved by state_dict to and fro."""
    ours, theirs = (getattr(library, kind)(*args, **options).double() for library in (nn, torch.nn))
    assert repr(ours) == repr(theirs)
    assert [(n, tuple(v.shape)) for n, v in ours.state_dict().items()] == [
        (n, tuple(v.shape)) for n, v in theirs.state_dict().items()
    ]
    theirs.load_state_dict({n: torch.tensor(RNG.normal(size=v.shape) / 2) for n, v in ours.state_dict().items()})
    ours.load_state_dict({n: v.numpy() for n, v in theirs.state_dict().items()})
    return ours, theirs


def flat(library: Any, result: Any) -> Any:
    """All tensors in nested tuples, as one vector."""
    parts: list[Any] = []

    def collect(part: Any) -> None:
        if isinstance(part, tuple):
            for each in part:
                collect(each)
        else:
            parts.append(part.reshape(-1))

    collect(result)
    return library.cat(parts)


def same_of_every_parameter(ours: Any, theirs: Any, call: Any, *arrays: Any) -> None:
    """A weighted sum of all results has PyTorch's gradient by each parameter."""
    for library, module in ((ad, ours), (torch, theirs)):
        module.zero_grad()
        out = call(library, module, *map(library.tensor, arrays))
        (out * library.linspace(0.5, 1.5, out.shape[0], dtype=library.float64)).sum().backward()
    for (name, p), q in zip(ours.named_parameters(), theirs.parameters(), strict=True):
        np.testing.assert_allclose(values(p.grad), values(q.grad), 1e-9, 1e-11, err_msg=name)


@st.composite
def layers(draw: Any) -> tuple[str, tuple[int, ...], dict[str, Any]]:
    kind, num_layers = draw(st.sampled_from(KINDS)), draw(st.integers(1, 3))
    sizes = draw(st.integers(1, 3)), draw(st.integers(2, 4))
    options = {"num_layers": num_layers, **{name: draw(BOOLS) for name in ("bias", "batch_first", "bidirectional")}}
    if kind == "RNN":
        options["nonlinearity"] = draw(st.sampled_from(["tanh", "relu"]))
    if kind == "LSTM" and draw(BOOLS):
        options["proj_size"] = draw(st.integers(1, sizes[1] - 1))
    return kind, sizes, options


@settings(max_examples=40)
@given(made=layers(), length=st.integers(1, 4), batch=st.integers(0, 3), with_state=BOOLS)
def test_a_layer_is_pytorchs(made: Any, length: int, batch: int, with_state: bool) -> None:
    kind, (inputs, hidden), options = made
    ours, theirs = pair(kind, inputs, hidden, **options)
    lead = (length,) if not batch else (batch, length) if options["batch_first"] else (length, batch)
    x = RNG.normal(size=(*lead, inputs))
    walks = options["num_layers"] * (1 + options["bidirectional"])
    columns = [options.get("proj_size") or hidden, hidden][: 1 + (kind == "LSTM")]
    states = [RNG.normal(size=(walks, *((batch,) if batch else ()), n)) for n in columns] if with_state else []

    def call(library: Any, module: Any, x: Any, *states: Any) -> Any:
        given = (states if kind == "LSTM" else states[0],) if states else ()
        return flat(library, module(x, *given))

    out, after = ours(ad.tensor(x))
    reference, reference_after = theirs(torch.tensor(x))
    assert out.shape == tuple(reference.shape)
    assert [s.shape for s in (after if kind == "LSTM" else [after])] == [
        tuple(s.shape) for s in (reference_after if kind == "LSTM" else [reference_after])
    ]
    second = options.get("nonlinearity") != "relu"
    check_like_torch(lambda *a: call(ad, ours, *a), lambda *a: call(torch, theirs, *a), x, *states, second=second)
    same_of_every_parameter(ours, theirs, call, x, *states)


@settings(max_examples=20)
@given(kind=st.sampled_from(KINDS), bias=BOOLS, relu=BOOLS, batched=BOOLS, with_state=BOOLS)
def test_a_cell_is_pytorchs(kind: str, bias: bool, relu: bool, batched: bool, with_state: bool) -> None:
    options: dict[str, Any] = {"nonlinearity": "relu"} if relu and kind == "RNN" else {}
    ours, theirs = pair(f"{kind}Cell", 3, 4, bias=bias, **options)
    lead = (2,) if batched else ()
    arrays = [RNG.normal(size=(*lead, 3))]
    if with_state:
        arrays += [RNG.normal(size=(*lead, 4)) for _ in range(1 + (kind == "LSTM"))]

    def call(library: Any, module: Any, x: Any, *states: Any) -> Any:
        return flat(library, module(x, *((states if kind == "LSTM" else states[0],) if states else ())))

    check_like_torch(lambda *a: call(ad, ours, *a), lambda *a: call(torch, theirs, *a), *arrays, second=not options)
    same_of_every_parameter(ours, theirs, call, *arrays)


@pytest.mark.parametrize("kind", KINDS)
def test_a_cell_step_after_step_is_the_layer(kind: str) -> None:
    layer, cell = getattr(nn, kind)(3, 4), getattr(nn, f"{kind}Cell")(3, 4)
    cell.load_state_dict({name.removesuffix("_l0"): value for name, value in layer.state_dict().items()})
    x, state, out = ad.tensor(RNG.normal(size=(5, 2, 3)).astype(np.float32)), None, []
    for t in range(5):
        state = cell(x[t], state)
        out.append(state[0] if kind == "LSTM" else state)
    np.testing.assert_allclose(values(ad.stack(out)), values(layer(x)[0]), 1e-6, 1e-7)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("length", "batch"), [(150, 4), (3, 300)])
def test_gradients_of_so_many_steps_that_they_are_added_up_in_parts_are_pytorchs(kind: str, length: int, batch: int) -> None:
    ours, theirs = pair(kind, 2, 3, bidirectional=True, **({"proj_size": 2} if kind == "LSTM" else {}))
    x = RNG.normal(size=(length, batch, 2))
    check_like_torch(lambda x: ours(x)[0], lambda x: theirs(x)[0], x, second=False)
    same_of_every_parameter(ours, theirs, lambda library, module, x: flat(library, module(x)), x)


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_of_second_order_by_the_weights_are_pytorchs(kind: str) -> None:
    ours, theirs = pair(kind, 2, 3)
    x = RNG.normal(size=(3, 2, 2))
    found = []
    for library, module in ((ad, ours), (torch, theirs)):
        parameters = list(module.parameters())
        first = library.autograd.grad((module(library.tensor(x))[0] ** 2).sum(), parameters, create_graph=True)
        found.append(library.autograd.grad(sum((g**2).sum() for g in first), parameters))
    for mine, reference in zip(*found, strict=True):
        np.testing.assert_allclose(values(mine), values(reference), 1e-8, 1e-10)


@pytest.mark.parametrize("kind", [*KINDS, "RNNCell", "LSTMCell", "GRUCell"])
def test_parameters_start_as_pytorchs(kind: str) -> None:
    module = getattr(nn, kind)(5, 64)
    for parameter in module.parameters():
        assert parameter.dtype is ad.float32
        assert 0.8 / 8 < np.abs(values(parameter)).max() <= 1 / 8


def test_elements_are_dropped_between_layers_in_training_only() -> None:
    module, x = nn.LSTM(3, 4, 2, dropout=0.5), ad.ones(5, 2, 3)
    assert np.array_equal(values(module.eval()(x)[0]), values(module(x)[0]))
    module.train()
    assert not np.array_equal(values(module(x)[0]), values(module(x)[0]))
    assert repr(module) == repr(torch.nn.LSTM(3, 4, 2, dropout=0.5))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("scale", [1e3, 1e30])
def test_inputs_too_large_for_an_exponential_close_the_gates_without_a_warning(kind: str, scale: float) -> None:
    ours, theirs = getattr(nn, kind)(2, 3), getattr(torch.nn, kind)(2, 3)
    theirs.load_state_dict({name: torch.tensor(values(p)) for name, p in ours.state_dict().items()})
    x = (scale * RNG.normal(size=(4, 2, 2))).astype(np.float32)
    found = []
    for library, module in ((ad, ours), (torch, theirs)):
        a = library.tensor(x, requires_grad=True)
        out = module(a)[0]
        out.sum().backward()
        found.append((values(out), values(a.grad)))
    for mine, reference in zip(*found, strict=True):
        np.testing.assert_allclose(mine, reference, 1e-4, 1e-5)


def test_float32_is_as_near_to_float64_as_pytorchs_over_many_steps() -> None:
    ours, theirs = pair("LSTM", 4, 16)
    x = RNG.normal(size=(50, 3, 4))
    exact = values(theirs(torch.tensor(x))[0])
    off = [
        np.abs(values(module.float()(library.tensor(x.astype(np.float32)))[0]) - exact).max()
        for library, module in ((ad, ours), (torch, theirs))
    ]
    assert off[0] < 4 * off[1] + 1e-6


@pytest.mark.parametrize("kind", KINDS)
def test_a_layer_learns_to_remember_the_first_step(kind: str) -> None:
    ad.manual_seed(0)
    layer, head = getattr(nn, kind)(1, 8, batch_first=True), nn.Linear(8, 1)
    optimizer = optim.Adam([*layer.parameters(), *head.parameters()], lr=0.02)
    x = ad.tensor(RNG.normal(size=(16, 4, 1)).astype(np.float32))
    first = None
    for _ in range(60):
        optimizer.zero_grad()
        loss = ((head(layer(x)[0][:, -1]) - x[:, 0]) ** 2).mean()
        loss.backward()
        optimizer.step()
        first = loss.item() if first is None else first
    assert first is not None
    assert loss.item() < 0.5 * first


def test_what_does_not_fit_is_refused() -> None:
    x, module = ad.ones(4, 2, 3), nn.LSTM(3, 5, batch_first=True)
    for act, kind, match in (
        (lambda: nn.RNN(3, 0), ValueError, "hidden_size"),
        (lambda: nn.RNN(3, 4, 0), ValueError, "num_layers"),
        (lambda: nn.RNN(3, 4, nonlinearity="sigmoid"), ValueError, "'tanh' or 'relu'"),
        (lambda: nn.RNNCell(3, 4, nonlinearity="sigmoid"), ValueError, "'tanh' or 'relu'"),
        (lambda: nn.GRU(3, 4, 2, dropout=1.5), ValueError, "probability"),
        (lambda: nn.GRU(3, 4, dropout=0.5), ValueError, "between layers"),
        (lambda: nn.LSTM(3, 4, proj_size=4), ValueError, "below hidden_size=4"),
        (lambda: module([[1.0, 2.0, 3.0]]), TypeError, r"LSTM: the input is a list.*ad\.tensor"),
        (lambda: module(ad.ones(4, 2, 2)), ValueError, r"\(4, 2, 2\); it must be \(N, L, I\) or \(L, I\), with I = 3"),
        (lambda: module(ad.ones(3)), ValueError, r"LSTM: the input has shape \(3,\)"),
        (lambda: module(ad.ones(4, 0, 3)), ValueError, "at least one step"),
        (lambda: module(x, x), TypeError, "pair"),
        (lambda: module(x, (ad.ones(1, 2, 5), ad.ones(1, 4, 5))), ValueError, r"h_0 has shape \(1, 2, 5\).*\(1, 4, 5\)"),
        (lambda: module(x, (ad.ones(1, 4, 5), ad.ones(4, 5))), ValueError, r"c_0 has shape \(4, 5\).*\(1, 4, 5\)"),
        (lambda: module(x[0], (ad.ones(1, 4, 5), ad.ones(1, 5))), ValueError, r"h_0 .*it must be \(1, 5\)"),
        (lambda: nn.GRUCell(3, 5)(x), ValueError, r"GRUCell: the input has shape \(4, 2, 3\)"),
        (lambda: nn.GRUCell(3, 5)(x[0], ad.ones(2, 4)), ValueError, r"state h has shape \(2, 4\).*\(2, 5\)"),
    ):
        with pytest.raises(kind, match=match):
            act()


LENGTHS = st.lists(st.integers(1, 4), min_size=1, max_size=4)


@settings(max_examples=30)
@given(made=layers(), lengths=LENGTHS, in_order=BOOLS, with_state=BOOLS)
def test_packed_sequences_are_walked_as_in_pytorch(made: Any, lengths: list[int], in_order: bool, with_state: bool) -> None:
    kind, (inputs, hidden), options = made
    ours, theirs = pair(kind, inputs, hidden, **options)
    lengths = sorted(lengths, reverse=True) if in_order else lengths
    first, n = options["batch_first"], len(lengths)
    x = RNG.normal(size=(n, max(lengths), inputs) if first else (max(lengths), n, inputs))
    walks = options["num_layers"] * (1 + options["bidirectional"])
    columns = [options.get("proj_size") or hidden, hidden][: 1 + (kind == "LSTM")]
    states = [RNG.normal(size=(walks, n, c)) for c in columns] if with_state else []

    def call(library: Any, module: Any, x: Any, *states: Any) -> Any:
        rnn = library.nn.utils.rnn
        packed = rnn.pack_padded_sequence(x, lengths, first, enforce_sorted=in_order)
        out, after = module(packed, *((states if kind == "LSTM" else states[0],) if states else ()))
        padded, found = rnn.pad_packed_sequence(out, first, -1.0, max(lengths) + 1)
        assert found.tolist() == lengths
        return flat(library, (out.data, padded, after))

    second = options.get("nonlinearity") != "relu"
    check_like_torch(lambda *a: call(ad, ours, *a), lambda *a: call(torch, theirs, *a), x, *states, second=second)
    same_of_every_parameter(ours, theirs, call, x, *states)


@settings(max_examples=20)
@given(lengths=LENGTHS, batch_first=BOOLS, side=st.sampled_from(["right", "left"]))
def test_sequences_are_padded_and_packed_as_in_pytorch(lengths: list[int], batch_first: bool, side: str) -> None:
    arrays = [RNG.normal(size=(n, 2)) for n in lengths]

    def call(library: Any, *sequences: Any) -> Any:
        rnn = library.nn.utils.rnn
        packed = rnn.pack_sequence(sequences, enforce_sorted=False)
        padded = rnn.pad_sequence(sequences, batch_first, 0.5, side)
        back = rnn.unpack_sequence(packed)
        assert [x.tolist() for x in back] == [x.tolist() for x in sequences]
        return flat(library, (packed.data, padded, *back))

    ours, theirs = (m.nn.utils.rnn.pack_sequence([m.tensor(a) for a in arrays], False) for m in (ad, torch))
    assert ours.batch_sizes.tolist() == theirs.batch_sizes.tolist()
    check_like_torch(lambda *a: call(ad, *a), lambda *a: call(torch, *a), *arrays, second=False)


def test_lengths_that_do_not_fit_are_refused() -> None:
    rnn, x = nn.utils.rnn, ad.ones(3, 2, 4)
    for act, match in (
        (lambda: rnn.pad_sequence([]), "at least one sequence"),
        (lambda: rnn.pad_sequence([x], padding_side="top"), "'right' or 'left'"),
        (lambda: rnn.pack_padded_sequence(x, [3]), "2 integers >= 1"),
        (lambda: rnn.pack_padded_sequence(x, [3, 0]), "2 integers >= 1"),
        (lambda: rnn.pack_padded_sequence(x, [4, 1]), "a length is 4"),
        (lambda: rnn.pack_padded_sequence(x, [1, 3]), "enforce_sorted=False"),
        (lambda: rnn.pad_packed_sequence(rnn.pack_padded_sequence(x, [3, 1]), total_length=2), "total_length is 2"),
        (lambda: nn.LSTM(3, 4)(rnn.pack_padded_sequence(x, [3, 1])), "packed of .* I = 3"),
    ):
        with pytest.raises(ValueError, match=match):
            act()
