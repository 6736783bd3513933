"""Hooks on classes that note which attributes of objects a recorded call reads and assigns.

While a call is recorded, ``__getattribute__`` of each class whose objects were reached notes the first value of each attribute,
unless the call has assigned it before.
"""

from __future__ import annotations

import sys
import weakref
from collections.abc import Callable
from types import GetSetDescriptorType, MemberDescriptorType
from typing import TYPE_CHECKING, Any

from ..autograd import Tensor
from ..errors import CaptureError
from .bytecode import HEAP, IMMUTABLE, MISSING, PACKAGE, is_library, is_open, lookup, top_of
from .guards import HOOKED, PLAIN, Note, module_classes, parts

if TYPE_CHECKING:
    from .following import Follower

#: Parts of this package whose objects are followed where a user's function reads them.
FOLLOWED = ("adjoint.optim", "adjoint.data", "adjoint.train")
#: Modules of those that change an object only in a :func:`~.recording.side_effect`: everything else that they read is noted.
_READERS = ("adjoint.optim.lr_scheduler",)


def is_followed_class(kind: type) -> bool:
    """Whether a class is derived from one of this package whose objects change in ways that a replay repeats."""
    return not issubclass(kind, tuple(module_classes)) and any(base.__module__.startswith(FOLLOWED) for base in kind.__mro__)


class AttributeHooks:
    """The hooks of one recording, and what they note.

    Args:
        follower: takes the notes, and follows the values.
        is_recording: whether what happens now belongs to the call.
        is_new: whether a value is a tensor that the call itself made.
        patch: sets an attribute of a class until the end of the recording.

    Attributes:
        assigned: attributes that the call assigned before it read them.
        is_in_effect, rates_changed: whether a side effect is under way that each replay repeats, and whether one has changed
            hyperparameters.
    """

    def __init__(
        self, follower: Follower, is_recording: Callable[[], bool], is_new: Callable[[Any], bool], patch: Callable[..., None]
    ) -> None:
        self._follower, self._is_recording, self._is_new, self._patch = follower, is_recording, is_new, patch
        self.assigned: list[tuple[Any, str]] = []
        self.is_in_effect = self.rates_changed = False
        self._classes: dict[type, bool] = {}  # hooked ones, by whether only users' functions are noted when they read
        self._hooks: dict[int, Any] = {}  # these methods, and descriptors that note reads themselves
        self._seen: set[tuple[int, type, str]] = set()  # attributes that were read or assigned already
        self._of_unreached: dict[int, tuple[Any, list[Note]]] = {}  # notes on objects that the call may have made, held weakly
        self._changed_by_effects: set[tuple[int, str]] = set()
        self._is_over = False

    def hook(self, kind: type, users_only: bool) -> None:
        """Note what is read of objects of a class from now on; where ``users_only``, what libraries read is not noted."""
        if self._is_over or kind in self._classes or kind.__flags__ & IMMUTABLE or not kind.__flags__ & HEAP:
            return
        self._classes[kind] = users_only
        self._follower.lookups.follow_class(kind)
        for name, hook in zip(HOOKED, (self._getting, self._setting, self._deleting), strict=True):
            method = lookup(kind, name)[1]
            if id(method) not in self._hooks:  # otherwise a base's hook notes it
                hooked = hook(method)
                self._hooks[id(hooked)] = hooked
                self._patch(kind, name, hooked)

    def exclude(self, descriptor: Any) -> None:
        """Note nothing of attributes that ``descriptor`` stands for, which notes reads itself."""
        self._hooks[id(descriptor)] = descriptor

    def _getting(self, original: Any) -> Any:
        def __getattribute__(instance: Any, name: str) -> Any:
            if self._is_recording() and (id(instance), type(instance), name) not in self._seen:
                self._read(instance, name)
            return original(instance, name)

        return __getattribute__

    def _setting(self, original: Any) -> Any:
        def __setattr__(instance: Any, name: str, value: Any) -> None:
            if self._is_recording():
                self._assign(instance, name)
            elif self.is_in_effect:
                self._changed_by_effects.add((id(instance), name))
            original(instance, name, value)

        return __setattr__

    def _deleting(self, original: Any) -> Any:
        def __delattr__(instance: Any, name: str) -> None:
            if self._is_recording():
                self._assign(instance, name)
            original(instance, name)

        return __delattr__

    def _assign(self, instance: Any, name: str) -> None:
        key = id(instance), type(instance), name
        if key not in self._seen:
            self._seen.add(key)
            if self._is_guarded_elsewhere(instance, name):
                return
            if id(instance) in self._follower.reached:
                self.assigned.append((instance, name))
            else:
                self._note(instance, Note("last", instance, name, None, f"{type(instance).__name__}.{name}"))

    def _read(self, instance: Any, name: str) -> None:
        """Note the first reading of an attribute, just before it."""
        kind = type(instance)
        reader = str(sys._getframe(2).f_globals.get("__name__"))
        if self._is_users_only(kind) and is_library(reader) and reader not in _READERS:
            return
        path = f"{kind.__name__}.{name}"
        if (id(instance), name) in self._changed_by_effects:
            refuse_after_scheduler(path)
        self._seen.add((id(instance), kind, name))
        if self._is_guarded_elsewhere(instance, name):
            return
        if name in ("__dict__", "__getstate__"):  # the latter for a copy
            self._read_all(instance, reader.startswith(f"{PACKAGE}."))
            return
        if name.startswith("__"):
            return
        owner, descriptor = lookup(kind, name)
        if id(descriptor) in self._hooks:
            return
        if hasattr(type(descriptor), "__set__") or hasattr(type(descriptor), "__delete__"):
            if type(descriptor) is MemberDescriptorType:
                try:
                    value = descriptor.__get__(instance)
                except AttributeError:
                    return
                self._note_attribute(instance, name, value, path)
            elif type(descriptor) is not GetSetDescriptorType:
                self._note_of_class(instance, name, descriptor, path)
            return
        try:
            attributes = object.__getattribute__(instance, "__dict__")
        except AttributeError:  # nothing but slots
            attributes = {}
        if name in attributes:
            self._note_attribute(instance, name, attributes[name], path)
        elif owner is None:
            self._note(instance, Note("unset", instance, name, None, path))
        elif isinstance(descriptor, PLAIN):
            self._note_attribute(instance, name, descriptor, path)
        else:
            self._note(instance, Note("absent", attributes, name, None, path))
            self._note_of_class(instance, name, descriptor, path)

    def _read_all(self, instance: Any, by_this_package: bool) -> None:
        """Note all attributes at once, as ``vars`` returns them; of a module, where this package reads them, its parts."""
        kind = type(instance)
        path = f"{kind.__name__}.__dict__"
        for name in [name for base in kind.__mro__ for name, part in vars(base).items() if type(part) is MemberDescriptorType]:
            if (id(instance), kind, name) not in self._seen:
                self._read(instance, name)
        attributes = getattr(instance, "__dict__", None)
        if by_this_package and isinstance(instance, tuple(module_classes)):
            self._note(instance, Note("parts", instance, "", tuple(parts(instance)), path))
        elif attributes is not None and id(instance) in self._follower.reached:
            self._follower.reach(attributes, path)

    def _is_guarded_elsewhere(self, instance: Any, name: str) -> bool:
        """Whether the attribute is one that all tensors have, or of a tensor that the call itself made."""
        if not isinstance(instance, Tensor):
            return False
        owner, _ = lookup(type(instance), name)
        return (owner is not None and top_of(owner.__module__) == PACKAGE) or self._is_new(instance)

    def read_requires_grad(self, tensor: Tensor) -> None:
        """Note that the call reads whether a tensor requires a gradient."""
        key = id(tensor), type(tensor), "()"  # the attribute itself is seen by the hook of a tensor's class
        if key not in self._seen:
            self._seen.add(key)
            path = f"{type(tensor).__name__}.requires_grad"
            self._note(tensor, Note("attribute", tensor, "_requires_grad", tensor._requires_grad, path))

    def _is_users_only(self, kind: type) -> bool:
        return next((self._classes[base] for base in kind.__mro__ if base in self._classes), False)

    def _note_attribute(self, instance: Any, name: str, value: Any, path: str) -> None:
        if self._is_new(value):
            return
        self._note(instance, Note("attribute", instance, name, value, path))
        for group in value if name == "param_groups" and self._is_users_only(type(instance)) else ():
            self._follower.lookups.follow_space(group)
        if id(instance) in self._follower.reached:
            self._follower.reach(value, path)
        elif is_open(type(value)):
            self.hook(type(value), is_followed_class(type(value)))

    def _note_of_class(self, instance: Any, name: str, value: Any, path: str) -> None:
        """Note an attribute that is in the class of an object."""
        self._note(instance, Note("type", instance, "", type(instance), path))
        self._follower.note("class", type(instance), name, value, path)
        self._follower.reach(value, path)

    def _note(self, instance: Any, note: Note) -> None:
        """Keep a note on an object. One that was not reached may have been made by the call, and is not kept alive."""
        key = id(instance)
        if key in self._follower.reached:
            self._follower.notes.setdefault((note.kind, id(note.owner), note.name), note)
            return
        if key not in self._of_unreached:
            try:
                self._of_unreached[key] = weakref.ref(instance, lambda _: self._of_unreached.pop(key, None)), []
            except TypeError:
                return
        if note.kind == "absent":
            note = note._replace(kind="unbound", owner=None)
        elif note.owner is instance:
            note = note._replace(owner=None)
        self._of_unreached[key][1].append(note)

    def finish(self) -> None:
        """Take no more notes, and pass on those on objects that nothing led to and that are still alive: in a cache, say."""
        self._is_over = True
        for reference, notes in list(self._of_unreached.values()):
            instance = reference()
            for note in notes if instance is not None else ():
                owner = instance if note.owner is None else note.owner
                if note.kind == "unbound":
                    note, owner = note._replace(kind="absent"), instance.__dict__
                elif note.kind == "last":
                    note = note._replace(kind="attribute", value=getattr(instance, note.name, MISSING))
                self._follower.notes.setdefault((note.kind, id(owner), note.name), note._replace(owner=owner))
                if note.kind == "attribute":
                    self._follower.reach(note.value, note.path)
        self._of_unreached.clear()

    def close(self) -> None:
        """Let go of everything, including the recording."""
        vars(self).clear()
        self._is_recording, self._seen, self.is_in_effect = _never, set(), False  # another thread may still be in a hook


def _never() -> bool:
    return False


def refuse_after_scheduler(path: str) -> None:
    """Raise :class:`CaptureError`: a side effect in the call has changed what is read."""
    raise CaptureError(
        f"capture: the function reads {path} after a scheduler's step in the same call, and a replay would not read it again; "
        "read it outside of the captured function, or call the scheduler there"
    )
