"""Random numbers in a recording: draws that each replay repeats, and generators that are put back to an earlier position."""

from __future__ import annotations

from typing import Any

from ..autograd.random import Generator
from ..errors import CaptureError
from .recorder import Recorder


class Draw:
    """A draw from the stream that a generator has when it is called."""

    def __init__(self, generator: Generator, name: str) -> None:
        self.generator, self.name = generator, name

    def __call__(self, *args: Any) -> Any:
        return getattr(vars(self.generator)["stream"], self.name)(*args)


class _Tape:
    """The draws from a generator since its state was first read in the call, and the position among them."""

    def __init__(self) -> None:
        self.position = 0
        self.draws: list[tuple[Any, Any]] = []


class _Position(dict[str, Any]):
    """A stream's state, and the position on its tape."""

    def __init__(self, state: dict[str, Any], tape: _Tape) -> None:
        super().__init__(state)
        self.tape, self.position = tape, tape.position


class Draws:
    """Everything that a recorded call draws from generators."""

    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder
        self._tapes: dict[int, tuple[Generator, _Tape]] = {}  # with the generator, so that no other one gets its identity

    def stream(self, generator: Generator) -> Any:
        """The stream to use in place of the generator's."""
        return _RecordedStream(self, generator) if self.recorder.is_recording else vars(generator)["stream"]

    def set_stream(self, generator: Generator, stream: Any) -> None:
        if self.recorder.is_recording and "stream" in vars(generator):
            raise CaptureError("capture: a generator is seeded while the function is recorded, which a replay would not do again")
        vars(generator).update(stream=stream)

    def tape(self, generator: Generator) -> _Tape | None:
        return self._tapes.get(id(generator), (None, None))[1]

    def start_tape(self, generator: Generator) -> _Tape:
        return self._tapes.setdefault(id(generator), (generator, _Tape()))[1]

    def finish(self) -> None:
        """Raise :class:`CaptureError` where the call leaves a generator before its last draw."""
        if any(tape.position != len(tape.draws) for _, tape in self._tapes.values()):
            raise CaptureError(
                "capture: the RNG state was restored inside the function but not advanced again, and a replay would leave it "
                "advanced; restore it after the call"
            )

    def close(self) -> None:
        self._tapes.clear()


class _RecordedStream:
    """A generator's stream, whose draws are recorded."""

    def __init__(self, draws: Draws, generator: Generator) -> None:
        self._draws, self._generator = draws, generator

    def __getattr__(self, name: str) -> Any:
        member = getattr(vars(self._generator)["stream"], name)
        if name not in ("uniform", "normal", "integers", "permutation"):
            return member
        return lambda *args: self._draw(name, args)

    def _draw(self, name: str, args: Any) -> Any:
        """Numbers that each replay draws again; the earlier ones, where the generator was put back in this call."""
        recorder, tape = self._draws.recorder, self._draws.tape(self._generator)
        if tape is not None and tape.position < len(tape.draws):
            call, numbers = tape.draws[tape.position]
            if call != (name, args):
                raise CaptureError(
                    f"capture: the RNG state was restored inside the function, and the next draw is {name}{args}, which was "
                    f"{call[0]}{call[1]} before; draw the same again, or from another generator"
                )
        else:
            numbers = recorder.call(name, Draw(self._generator, name), args, {}, draws=True)
            if tape is None:
                return numbers
            tape.draws.append(((name, args), numbers))
        tape.position += 1
        return recorder.xp.asarray(numbers, copy=True)  # a write to it changes nothing that is drawn again

    def get_state(self) -> dict[str, Any]:
        """The state, with the number of draws of the call before it."""
        return _Position(vars(self._generator)["stream"].get_state(), self._draws.start_tape(self._generator))

    def set_state(self, state: dict[str, Any]) -> None:
        """Back to a position in the same call, after which the same numbers are drawn again; any other is refused."""
        if type(state) is not _Position or state.tape is not self._draws.tape(self._generator):
            raise CaptureError(
                "capture: a generator is given another state while the function is recorded, which a replay would not do "
                "again; set it before the call"
            )
        state.tape.position = state.position
