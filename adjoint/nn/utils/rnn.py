"""``torch.nn.utils.rnn``: sequences of different lengths as one tensor, padded, or packed without padding for recurrent layers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any, NamedTuple

from ...autograd import Tensor
from ...autograd import functions as f
from ...autograd.arguments import reads_numbers
from ...autograd.creation import full, tensor


class PackedSequence(NamedTuple):
    """Sequences by steps: the first step of all of them, the second of those that have one, and so on, longest first.

    Attributes:
        data: (the sum of all lengths, …).
        batch_sizes: how many sequences have a first step, a second one, …: whole numbers, on the CPU.
        sorted_indices: which of the sequences given is the longest, the next, …; None where they were given in that order.
        unsorted_indices: where each of the sequences given is now, or None.
    """

    data: Tensor
    batch_sizes: Tensor
    sorted_indices: Tensor | None = None
    unsorted_indices: Tensor | None = None

    def stretches(self) -> list[tuple[int, int]]:
        """Stretches of steps that as many sequences have: how many steps, and of how many sequences."""
        return [(len(list(steps)), n) for n, steps in groupby(self.batch_sizes.tolist())]

    def to(self, *target: Any, **options: Any) -> PackedSequence:
        """The same on another device or of another dtype, as :meth:`Tensor.to`."""
        data = self.data.to(*target, **options)
        indices = (i if i is None else i.to(device=data.backend) for i in (self.sorted_indices, self.unsorted_indices))
        return PackedSequence(data, self.batch_sizes, *indices)


def cut(data: Tensor, stretches: Iterable[tuple[int, int]]) -> Iterator[Tensor]:
    """The stretches of packed data, each (steps, sequences, …)."""
    start = 0
    for length, n in stretches:
        yield f.reshape(data[start : start + length * n], length, n, *data.shape[1:])
        start += length * n


def _whole(name: str, lengths: Any, n: int) -> list[int]:
    found = lengths.tolist() if hasattr(lengths, "tolist") else list(lengths)
    if len(found) != n or any(type(length) is not int or length < 1 for length in found):
        raise ValueError(f"{name}: lengths are {n} whole numbers, one a sequence and none below 1, not {found}")
    return found


@reads_numbers
def pad_sequence(
    sequences: Sequence[Tensor], batch_first: bool = False, padding_value: float = 0.0, padding_side: str = "right"
) -> Tensor:
    """Sequences (L_i, …) as one tensor, (the largest L, N, …) or with ``batch_first`` (N, L, …), the shorter ones padded.

    Raises ``ValueError`` where there is none, or ``padding_side`` is neither "right" nor "left".

    >>> import adjoint as ad
    >>> pad_sequence([ad.tensor([1, 2, 3]), ad.tensor([4])], batch_first=True, padding_value=-1)
    tensor([[ 1,  2,  3],
            [ 4, -1, -1]])
    """
    if padding_side not in ("right", "left"):
        raise ValueError(f"pad_sequence: padding_side is 'right' or 'left', not {padding_side!r}")
    sequences = list(sequences)
    if not sequences:
        raise ValueError("pad_sequence: there is no sequence; give one at least")
    longest = max(x.shape[0] for x in sequences)
    padded = [_longer(x, longest, padding_value, padding_side == "left") for x in sequences]
    return f.stack(padded, 0 if batch_first else 1)


def _longer(x: Tensor, length: int, value: float, before: bool = False) -> Tensor:
    """``x`` with as much of the value along axis 0 as makes it that long."""
    if x.shape[0] == length:
        return x
    rest = full((length - x.shape[0], *x.shape[1:]), value, dtype=x.dtype, device=x.backend)
    return f.concat([rest, x] if before else [x, rest])


def unpad_sequence(padded_sequences: Tensor, lengths: Any, batch_first: bool = False) -> list[Tensor]:
    """The sequences that were padded on the right, of those lengths."""
    x = padded_sequences if batch_first else f.transpose(padded_sequences, 0, 1)
    return [x[i, :length] for i, length in enumerate(_whole("unpad_sequence", lengths, x.shape[0]))]


def pack_padded_sequence(input: Tensor, lengths: Any, batch_first: bool = False, enforce_sorted: bool = True) -> PackedSequence:
    """Sequences (L, N, …), or with ``batch_first`` (N, L, …), of which the first of ``lengths`` steps count, packed.

    Raises ``ValueError`` where the lengths do not fit, or do not fall and ``enforce_sorted`` has them do so.
    """
    x = f.transpose(input, 0, 1) if batch_first else input
    found = _whole("pack_padded_sequence", lengths, x.shape[1])
    if max(found, default=0) > x.shape[0]:
        raise ValueError(f"pack_padded_sequence: the longest of the lengths is {max(found)}, and there are {x.shape[0]} steps")
    order = sorted(range(len(found)), key=lambda i: -found[i])
    to_sorted = from_sorted = None
    if not enforce_sorted:
        to_sorted, from_sorted = (tensor(i, device=x.backend) for i in (order, sorted(range(len(order)), key=order.__getitem__)))
        x = f.index_select(x, 1, to_sorted)
    elif order != list(range(len(order))):
        raise ValueError(f"pack_padded_sequence: the lengths {found} do not fall; sort the sequences, or give enforce_sorted=False")
    sizes = [sum(length > t for length in found) for t in range(max(found))]
    parts, start = [], 0
    for n, steps in groupby(sizes):
        stop = start + len(list(steps))
        parts.append(f.reshape(x[start:stop, :n], (stop - start) * n, *x.shape[2:]))
        start = stop
    return PackedSequence(f.concat(parts), tensor(sizes, device="cpu"), to_sorted, from_sorted)


def pack_sequence(sequences: Sequence[Tensor], enforce_sorted: bool = True) -> PackedSequence:
    """Sequences (L_i, …), packed; they are given longest first where ``enforce_sorted``."""
    sequences = list(sequences)
    return pack_padded_sequence(pad_sequence(sequences), [x.shape[0] for x in sequences], enforce_sorted=enforce_sorted)


@reads_numbers
def pad_packed_sequence(
    sequence: PackedSequence, batch_first: bool = False, padding_value: float = 0.0, total_length: int | None = None
) -> tuple[Tensor, Tensor]:
    """The sequences, padded to the longest or to ``total_length``, in the order in which they were given; and their lengths.

    Raises ``ValueError`` where ``total_length`` is below the longest.
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
    """The sequences, each of its own length, in the order in which they were given."""
    return unpad_sequence(*pad_packed_sequence(packed_sequences))
