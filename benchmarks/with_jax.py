"""The same trainings in JAX: the whole step is one jitted function of parameters, optimizer state and the batch's sample indices.

The data set is an argument that stays on the device. Each step waits for its loss (``block_until_ready``), as a loop that reads it
does. Parameters and state are donated, so that the update can run in place.
"""

from __future__ import annotations

from functools import partial
from itertools import cycle
from typing import Any

import numpy as np
from measure import Contender
from tasks import Task, dense_weights


def dense(params: Any, x: Any) -> Any:
    return x @ params[0] + params[1]


def mlp(task: Task) -> tuple[Any, Any]:
    import jax

    act = {"relu": jax.nn.relu, "tanh": jax.numpy.tanh}[task.activation]

    def forward(params: Any, x: Any) -> Any:
        for w, b in zip(params[:-2:2], params[1:-2:2], strict=True):
            x = act(x @ w + b)
        return dense(params[-2:], x)

    return dense_weights(task.sizes), forward


def cnn(task: Task) -> tuple[Any, Any]:
    """In the layout (N, H, W, C), as usual in JAX; (N, C, H, W) takes as long on a CPU."""
    import jax

    first, second, hidden = task.sizes
    rng = np.random.default_rng(0)
    kernels = [rng.uniform(-1, 1, (3, 3, n, m)).astype(np.float32) / (9 * n) ** 0.5 for n, m in ((1, first), (first, second))]
    biases = [np.zeros(m, np.float32) for m in (first, second)]

    def conv(x: Any, kernel: Any, bias: Any) -> Any:
        out = jax.lax.conv_general_dilated(x, kernel, (1, 1), "VALID", dimension_numbers=("NHWC", "HWIO", "NHWC"))
        return jax.nn.relu(out + bias)

    def forward(params: Any, x: Any) -> Any:
        kernels, biases, head = params
        x = x.reshape(-1, 28, 28, 1)
        for kernel, bias in zip(kernels, biases, strict=True):
            x = conv(x, kernel, bias)
        x = jax.lax.reduce_window(x, -np.inf, jax.lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")
        return dense(head[2:], jax.nn.relu(dense(head[:2], x.reshape(len(x), -1))))

    return (kernels, biases, dense_weights((144 * second, hidden, 10))), forward


def gpt(task: Task) -> tuple[Any, Any]:
    import jax
    import jax.numpy as jnp

    layers, heads, width, vocabulary = task.sizes
    rng = np.random.default_rng(0)
    norms = [np.ones(width, np.float32), np.zeros(width, np.float32)]
    blocks = [
        {
            "norm1": norms, "qkv": dense_weights((width, 3 * width)), "out": dense_weights((width, width)),
            "norm2": norms, "mlp": dense_weights((width, 4 * width, width)),
        }
        for _ in range(layers)
    ]  # fmt: skip
    params = {
        "characters": rng.standard_normal((vocabulary, width), np.float32),
        "positions": rng.standard_normal((task.context, width), np.float32),
        "blocks": blocks, "norm": norms, "head": dense_weights((width, vocabulary))[0],
    }  # fmt: skip

    def normed(params: Any, x: Any) -> Any:
        x = x - x.mean(-1, keepdims=True)
        return x * jax.lax.rsqrt((x * x).mean(-1, keepdims=True) + 1e-5) * params[0] + params[1]

    def block(p: Any, x: Any) -> Any:
        n, length, _ = x.shape
        q, k, v = jnp.moveaxis(dense(p["qkv"], normed(p["norm1"], x)).reshape(n, length, 3, heads, -1), 2, 0)
        x = x + dense(p["out"], jax.nn.dot_product_attention(q, k, v, is_causal=True).reshape(n, length, width))
        hidden = jax.nn.gelu(dense(p["mlp"][:2], normed(p["norm2"], x)), approximate=False)
        return x + dense(p["mlp"][2:], hidden)

    def forward(params: Any, tokens: Any) -> Any:
        x = params["characters"][tokens] + params["positions"]
        for p in params["blocks"]:
            x = block(p, x)
        return normed(params["norm"], x) @ params["head"]

    return params, forward


def lstm(task: Task) -> tuple[Any, Any]:
    """With the input part of the gates as one product for all steps. Hochreiter and Schmidhuber (1997), with the forget gate."""
    import jax
    import jax.numpy as jnp

    inputs, units, outputs = task.sizes

    def forward(params: Any, x: Any) -> Any:
        (into, bias), (back, second), head = params

        def step(carry: Any, gates: Any) -> Any:
            h, c = carry
            i, f, g, o = jnp.split(gates + h @ back + second, 4, axis=-1)
            c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
            h = jax.nn.sigmoid(o) * jnp.tanh(c)
            return (h, c), h

        zero = jnp.zeros((len(x), units), x.dtype)
        _, hidden = jax.lax.scan(step, (zero, zero), jnp.swapaxes(x @ into + bias, 0, 1))
        return dense(head, jnp.swapaxes(hidden, 0, 1))

    return [dense_weights((n, m)) for n, m in ((inputs, 4 * units), (units, 4 * units), (units, outputs))], forward


MODELS = {"mlp": mlp, "cnn": cnn, "gpt": gpt, "lstm": lstm}


def optimizer(task: Task) -> Any:
    """Optax's optimizer with PyTorch's default settings."""
    import optax

    return {
        "SGD": optax.sgd,
        "Adam": optax.adam,
        "AdamW": partial(optax.adamw, weight_decay=0.01),
        "RMSprop": partial(optax.rmsprop, decay=0.99),
    }[task.optimizer](task.lr)


def train(task: Task) -> Contender:
    import jax
    import jax.numpy as jnp
    import optax

    weights, forward = MODELS[task.model](task)
    rule = optimizer(task)
    params = jax.tree.map(jnp.array, weights)
    state = rule.init(params)
    inputs, targets = (jax.device_put(array) for array in task.data())
    batches = cycle([jax.device_put(idx) for idx in task.indices()])

    @partial(jax.jit, donate_argnums=(0, 1))
    def train_step(params: Any, state: Any, idx: Any, inputs: Any, targets: Any) -> Any:
        at = idx[:, None] + jnp.arange(task.context) if task.context else idx

        def objective(params: Any) -> Any:
            out, target = forward(params, inputs[at]), targets[at]
            if task.loss == "mse":
                return ((out - target) ** 2).mean()
            return optax.softmax_cross_entropy_with_integer_labels(out, target).mean()

        loss, gradients = jax.value_and_grad(objective)(params)
        updates, state = rule.update(gradients, state, params)
        return optax.apply_updates(params, updates), state, loss

    def step() -> Any:
        nonlocal params, state
        params, state, loss = train_step(params, state, next(batches), inputs, targets)
        return loss.block_until_ready()

    return Contender(step)


def predict(task: Task) -> Contender:
    """A jitted prediction for one row that is already on the device."""
    import jax

    weights, forward = mlp(task)
    params = jax.tree.map(jax.device_put, weights)
    rows = cycle([jax.device_put(row) for row in task.data()[0][:64, None]])
    run = jax.jit(forward)
    return Contender(lambda: run(params, next(rows)).block_until_ready())
