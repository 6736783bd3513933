"""``torch.nn.utils.rnn``: sequences of different lengths as one tensor, padded, or packed without padding for recurrent layers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any, NamedTuple

from ...autograd import Tensor, functions as f
from ...autograd.arguments import reads_numbers
from ...autograd.creation import full, tensor


class PackedSequence(NamedTuple):
    """Sequences packed by steps: the first step of all of them, then the second of those that have one, and so on.

    Attributes:
        data: (sum of all lengths, …), longest sequence first within each step.
        batch_sizes: the number of sequences with a first step, a second one, …; int64 on the CPU.
        sorted_indices: the order of the original sequences by falling length, or None if they were sorted.
        unsorted_indices: the inverse permutation, or None.
    """

    data: Tensor
    batch_sizes: Tensor
    sorted_indices: Tensor | None = None
    unsorted_indices: Tensor | None = None

    def stretches(self) -> list[tuple[int, int]]:
        """Runs of steps with equal batch size: the number of steps and the batch size of each run."""
        return [(len(list(steps)), n) for n, steps in groupby(self.batch_sizes.tolist())]

    def to(self, *target: Any, **options: Any) -> PackedSequence:
        """The packed sequence on another device or in another dtype; ``target`` and options as for :meth:`Tensor.to`."""
        data = self.data.to(*target, **options)
        indices = (i if i is None else i.to(device=data.backend) for i in (self.sorted_indices, self.unsorted_indices))
        return PackedSequence(data, self.batch_sizes, *indices)


def cut(data: Tensor, stretches: Iterable[tuple[int, int]]) -> Iterator[Tensor]:
    """The runs of packed ``data``, given its ``stretches``, each (steps, sequences, …)."""
    start = 0
    for length, n in stretches:
        yield f.reshape(data[start : start + length * n], length, n, *data.shape[1:])
        start += length * n


def _as_lengths(name: str, lengths: Any, n: int) -> list[int]:
    lengths = lengths.tolist() if hasattr(lengths, "tolist") else list(lengths)
    if len(lengths) != n or any(type(length) is not int or length < 1 for length in lengths):
        raise ValueError(f"{name}: lengths must be {n} integers >= 1, one per sequence (got {lengths})")
    return lengths


@reads_numbers
def pad_sequence(
    sequences: Sequence[Tensor], batch_first: bool = False, padding_value: float = 0.0, padding_side: str = "right"
) -> Tensor:
    """Sequences (L_i, …) padded to the longest and stacked: (L, N, …).

    Args:
        sequences: the N sequences.
        batch_first: return (N, L, …).
        padding_value: fills the shorter ones.
        padding_side: ``"right"`` or ``"left"``.

    Raises ``ValueError`` without sequences or on another ``padding_side``.

    >>> import adjoint as ad
    >>> pad_sequence([ad.tensor([1, 2, 3]), ad.tensor([4])], batch_first=True, padding_value=-1)
    tensor([[ 1,  2,  3],
            [ 4, -1, -1]])
    """
    if padding_side not in ("right", "left"):
        raise ValueError(f"pad_sequence: padding_side is 'right' or 'left', not {padding_side!r}")
    sequences = list(sequences)
    if not sequences:
        raise ValueError("pad_sequence: needs at least one sequence")
    longest = max(x.shape[0] for x in sequences)
    padded = [_longer(x, longest, padding_value, padding_side == "left") for x in sequences]
    return f.stack(padded, 0 if batch_first else 1)


def _longer(x: Tensor, length: int, value: float, before: bool = False) -> Tensor:
    """Pad ``x`` along axis 0 to the given length."""
    if x.shape[0] == length:
        return x
    rest = full((length - x.shape[0], *x.shape[1:]), value, dtype=x.dtype, device=x.backend)
    return f.concat([rest, x] if before else [x, rest])


def unpad_sequence(padded_sequences: Tensor, lengths: Any, batch_first: bool = False) -> list[Tensor]:
    """The sequences of the given ``lengths`` in a tensor padded on the right, (L, N, …), or (N, L, …) with ``batch_first``."""
    x = padded_sequences if batch_first else f.transpose(padded_sequences, 0, 1)
    return [x[i, :length] for i, length in enumerate(_as_lengths("unpad_sequence", lengths, x.shape[0]))]


def pack_padded_sequence(input: Tensor, lengths: Any, batch_first: bool = False, enforce_sorted: bool = True) -> PackedSequence:
    """Pack padded sequences (L, N, …) for a recurrent layer.

    Args:
        lengths: the number of steps of each sequence.
        batch_first: ``input`` is (N, L, …).
        enforce_sorted: require falling lengths; otherwise the sequences are sorted.

    Raises ``ValueError`` if the lengths do not match ``input``, or do not fall with ``enforce_sorted``.
    """
    x = f.transpose(input, 0, 1) if batch_first else input
    steps_of = _as_lengths("pack_padded_sequence", lengths, x.shape[1])
    if max(steps_of, default=0) > x.shape[0]:
        raise ValueError(f"pack_padded_sequence: a length is {max(steps_of)}, but input has {x.shape[0]} steps")
    order = sorted(range(len(steps_of)), key=lambda i: -steps_of[i])
    to_sorted = from_sorted = None
    if not enforce_sorted:
        to_sorted, from_sorted = (tensor(i, device=x.backend) for i in (order, sorted(range(len(order)), key=order.__getitem__)))
        x = f.index_select(x, 1, to_sorted)
    elif order != list(range(len(order))):
        raise ValueError(
            f"pack_padded_sequence: lengths {steps_of} are not in descending order; sort the sequences or pass enforce_sorted=False"
        )
    sizes = [sum(length > t for length in steps_of) for t in range(max(steps_of))]
    parts, start = [], 0
    for n, steps in groupby(sizes):
        stop = start + len(list(steps))
        parts.append(f.reshape(x[start:stop, :n], (stop - start) * n, *x.shape[2:]))
        start = stop
    return PackedSequence(f.concat(parts), tensor(sizes, device="cpu"), to_sorted, from_sorted)


def pack_sequence(sequences: Sequence[Tensor], enforce_sorted: bool = True) -> PackedSequence:
    """Pack ``sequences`` (L_i, …) for a recurrent layer; with ``enforce_sorted`` the longest must come first."""
    sequences = list(sequences)
    return pack_padded_sequence(pad_sequence(sequences), [x.shape[0] for x in sequences], enforce_sorted=enforce_sorted)


@reads_numbers
def pad_packed_sequence(
    sequence: PackedSequence, batch_first: bool = False, padding_value: float = 0.0, total_length: int | None = None
) -> tuple[Tensor, Tensor]:
    """Unpack to padded sequences, in their original order.

    Args:
        sequence: the packed sequences.
        batch_first: return (N, L, …) instead of (L, N, …).
        padding_value: fills the shorter ones.
        total_length: pad to this length instead of the longest; ``ValueError`` if it is smaller.

    Returns:
        The padded tensor, and the int64 lengths.
    """
    stretches = sequence.stretches()
    longest, batch = sum(length for length, _ in stretches), stretches[0][1]
    if total_length is not None and total_length < longest:
        raise ValueError(f"pad_packed_sequence: total_length is {total_length}, and the longest sequence has {longest} steps")
    parts = []
    for part in cut(sequence.data, stretches):
        parts.append(f.transpose(_longer(f.transpose(part, 0, 1), batch, padding_value), 0, 1))
    x = _longer(f.concat(parts), longest if total_length is None else total_length, padding_value)
    sizes = sequence.batch_sizes.tolist()
    lengths = [sum(n > i for n in sizes) for i in range(batch)]
    if sequence.unsorted_indices is not None:
        x = f.index_select(x, 1, sequence.unsorted_indices)
        lengths = [lengths[i] for i in sequence.unsorted_indices.tolist()]
    return f.transpose(x, 0, 1) if batch_first else x, tensor(lengths, device="cpu")


def unpack_sequence(packed_sequences: PackedSequence) -> list[Tensor]:
    """The sequences in ``packed_sequences`` as a list of tensors (L_i, …), in their original order."""
    return unpad_sequence(*pad_packed_sequence(packed_sequences))
