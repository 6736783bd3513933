"""``Dependencies``: what a recording depends on, decided at the end of the call from all that it read and assigned."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from operator import setitem
from typing import Any

from ..autograd import Tensor
from ..backends import DType
from ..errors import CaptureError
from .attributes import refuse_after_scheduler
from .bytecode import MISSING, value_of_name
from .following import Follower
from .guards import (
    PLAIN,
    GuardSource,
    Note,
    cached_results,
    holds,
    refuse_changed_number,
    refuse_changed_numbers,
    same,
    same_items,
)  # fmt: skip


class Dependencies:
    """What one call depends on.

    Args:
        is_recording: whether what happens now belongs to the call.
        is_new: whether a value is a tensor that the call itself made.
        patch: sets an attribute of a class until the end of the recording.

    Attributes:
        follower: finds and notes it, while the call is recorded.
        names: the names that functions read: the globals or the cell, the name, and its value.
        notes: everything else that was read.
        hold: returns whether all of it is unchanged; None where only names have changed.
        assignments: what a replay calls, to assign again what the call assigned and had not read.
    """

    hold: Callable[..., bool | None]
    notes: list[Note]

    def __init__(self, is_recording: Callable[[], bool], is_new: Callable[[Any], bool], patch: Callable[..., None]) -> None:
        self.follower = Follower(is_recording, is_new, patch)
        self.attributes = self.follower.attributes
        self.names = self.follower.names
        self.assignments: list[Callable[[], Any]] = []

    def finish(
        self,
        is_live: Callable[[Any], bool],
        tensors: Iterable[tuple[Any, Any, bool]],
        restored: Iterable[tuple[Any, str, Any]],
    ) -> set[str]:
        """Take no more notes, and make :attr:`hold`. Returns the paths of what the call itself has changed of what it read.

        Args:
            is_live: whether a replay reads an array's memory again, which is enough where an array is too large to compare.
            tensors: those that the call used, with the array of each, and whether a gradient was required.
            restored: attributes that a replay leaves as the call has left them: object, name and the value that was read.

        Raises:
            CaptureError: the call has changed a number that it read, or functions read what a replay could not compare.
        """
        follower = self.follower
        for instance, name, value in restored:
            follower.note("attribute", instance, name, value, f"{type(instance).__name__}.{name}", is_restored=True)
        if follower.lookups.read_after_scheduler:
            refuse_after_scheduler(follower.lookups.read_after_scheduler)
        self.attributes.finish()
        self._note_assigned_attributes()
        self._note_assigned_names()
        for note in [note for note in follower.notes.values() if note.kind == "entries" and isinstance(note.owner, dict)]:
            self._note_assigned_entries(note)
        follower.lookups.note_missing()
        for cached, path in follower.caches:
            results = cached_results(cached)  # with those of this call
            follower.note("cached", cached, "", tuple(results), path)
            for result in results:
                follower.reach(result, path)
        self._note_arrays(is_live)
        for key, message in follower.refusals:
            if key is None or follower.lookups.any_key or key in follower.lookups.words or key in follower.lookups.strings:
                raise CaptureError(message)
        return self._compile(tensors)

    def _compile(self, tensors: Iterable[tuple[Any, Any, bool]]) -> set[str]:
        """Make :attr:`hold`, and return the paths of what does not hold even now."""
        source, notes = GuardSource(), self.follower.notes.values()
        self.notes = [note for note in notes if not note.is_restored]
        own = [source.test(note) for note in self.notes]
        others = [*[source.test(note) for note in notes if note.is_restored], *source.tensor_tests(tensors)]
        self.hold = source.compile(own, others, self.names)
        changed = set()
        for note in self.notes if not self.hold(True) else ():
            if not holds(note):
                refuse_changed_numbers(note)
                changed.add(note.path)
        for space, name, before in self.names:
            now = value_of_name(space, name)
            if not same(now, before):
                refuse_changed_number(f"'{name}'", before, now)
                changed.add(f"'{name}'")
        return changed

    def _note_arrays(self, is_live: Callable[[Any], bool]) -> None:
        """Note the values of small arrays, of operands too, since Python may read those; refuse other arrays."""
        for array, values, path, key in self.follower.arrays:
            if values is not None:
                self.follower.note("bytes", array, "", values, path)
            elif not is_live(array):
                if array.dtype.kind == "O":
                    subject, instead = f"a NumPy array of objects ({path})", "a list"
                else:
                    subject, instead = f"a large NumPy array ({path}, {array.nbytes / 1e6:.1f} MB)", "a tensor"
                message = f"capture: the function reads values of {subject}, which a replay would not compare; "
                self.follower.refusals.append((key, f"{message}make it {instead} outside of the function"))

    # --- what the call assigned ----------------------------------------------------------------------------------------------

    def _note_assigned_attributes(self) -> None:
        """Have attributes that the call assigned before it read them assigned again; note those for which that cannot be."""
        for instance, name in self.attributes.assigned:
            value, path = getattr(instance, name, MISSING), f"{type(instance).__name__}.{name}"
            if self._is_lasting(value):
                self.assignments.append(partial(setattr, instance, name, value))
            elif value is MISSING:
                self.follower.note("unset", instance, name, None, path)
            else:
                self._note_value("attribute", instance, name, value, path)

    def _note_assigned_names(self) -> None:
        """The same of names that functions assign and do not read."""
        read = {(id(space), name) for space, name, _ in self.names}
        for space, name, before in self.follower.stores:
            if (id(space), name) in read:
                continue
            value, is_global = value_of_name(space, name, MISSING), isinstance(space, dict)
            if not same(value, before) and self._is_lasting(value):
                assign = partial(setitem, space, name, value) if is_global else partial(setattr, space, "cell_contents", value)
                self.assignments.append(assign)
            elif value is MISSING and is_global:
                self.follower.note("absent", space, name, None, f"'{name}'")
            else:  # it may have been assigned the value that it had
                kind, key = ("entry", name) if is_global else ("attribute", "cell_contents")
                self._note_value(kind, space, key, value, f"'{name}'")

    def _note_assigned_entries(self, note: Note) -> None:
        """The same of a dict's entries that nothing reads; the other entries are noted one by one then."""
        entries, (keys, values), follower = note.owner, note.value, self.follower
        if follower.lookups.any_key or not same_items(entries, keys) or not all(type(key) is str for key in keys):
            return
        changed = {key: entries[key] for key, before in zip(keys, values, strict=True) if not same(entries[key], before)}
        for key, value in changed.items():
            if key in follower.lookups.loaded or isinstance(value, Tensor) or not self._is_lasting(value):
                return
        if changed:
            del follower.notes["entries", id(entries), ""]
            follower.note("items", entries, "", keys, note.path)
            for key, before in zip(keys, values, strict=True):
                if key in changed:
                    self.assignments.append(partial(setitem, entries, key, changed[key]))
                else:
                    follower.note("entry", entries, key, before, f"{note.path}[{key!r}]")

    def _note_value(self, kind: str, owner: Any, name: str, value: Any, path: str) -> None:
        self.follower.note(kind, owner, name, value, path)
        self.follower.reach(value, path)

    def _is_lasting(self, value: Any) -> bool:
        """Whether a value is the same at each call: a plain one, or an object that existed before."""
        if type(value) is tuple:
            return all(map(self._is_lasting, value))
        return isinstance(value, (*PLAIN, Tensor, DType)) or id(value) in self.follower.reached

    def close(self) -> None:
        """Let go of everything, including the recording."""
        self.attributes.close()
        vars(self.follower).clear()
        vars(self).clear()
