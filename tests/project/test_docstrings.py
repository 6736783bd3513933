"""Every public name and every primitive has a docstring that names its parameters, what it returns and what it raises.

``python -m tests.project.test_docstrings [part of a path]`` prints what is missing, by file, and counts it.
"""

from __future__ import annotations

import ast
import inspect
import re
import sys
import textwrap
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

import adjoint as ad
from adjoint.autograd import Primitive, Tensor, registry

ROOT = Path(ad.__file__).parent
PUBLIC = [
    "adjoint", "adjoint.autograd", "adjoint.linalg", "adjoint.special", "adjoint.errors", "adjoint.backends",
    "adjoint.nn", "adjoint.nn.functional", "adjoint.nn.init", "adjoint.nn.utils", "adjoint.nn.utils.rnn",
    "adjoint.optim", "adjoint.optim.lr_scheduler", "adjoint.data", "adjoint.train", "adjoint.train.callbacks",
    "adjoint.train.metrics", "adjoint.testing", "adjoint.testing.strategies", "adjoint.testing.backend", "adjoint.sklearn",
]  # fmt: skip

#: Parameters that mean the same everywhere are documented once, in the docstring of the module that each is listed under.
DOCUMENTED_ONCE = {
    "adjoint.autograd.functions": {"keepdim", "axis", "keepdims", "dtype"},
    "adjoint.autograd.creation": {"dtype", "device", "requires_grad", "generator", "size", "shape"},
    "adjoint.nn": {"device", "dtype", "inplace", "reduction"},
}
OF = {
    "adjoint.autograd": DOCUMENTED_ONCE["adjoint.autograd.functions"] | DOCUMENTED_ONCE["adjoint.autograd.creation"],
    "adjoint.nn": DOCUMENTED_ONCE["adjoint.autograd.functions"] | DOCUMENTED_ONCE["adjoint.nn"] | {"generator"},
}

#: Words that a first sentence does not use (LANGUAGE.md of the project): each with what to write instead.
BANNED = {
    r"\bpenalt(y|ies)\b": "weight decay, regularization",
    r"\blearned\b": "trainable",
    r"\bwhole numbers?\b": "integer",
    r"\bmend(s|ed)?\b": "fix",
    r"\bgo(es)? on\b": "resume, continue",
    r"\bgaps\b": "missing values",
    r"\bas ever\b": "unchanged",
    r"\bbut for\b": "except",
    r"\banew\b": "again, or say what is new",
    r"\bis told\b": "name it",
    r"^What\b": "name the thing",
}


def public_names() -> Iterator[tuple[str, Any]]:
    """Each public function, class and method by its name, an object once, and each primitive."""
    seen: set[int] = set()
    for module_name in PUBLIC:
        module = ad
        for part in module_name.split(".")[1:]:
            module = getattr(module, part, None) or import_module(module_name)
        for name in sorted(exported(module), key=lambda name: inspect.isclass(getattr(module, name))):  # functions before methods
            thing = getattr(module, name)
            thing = getattr(thing, "__func__", thing)
            if not (callable(thing) and belongs(thing)) or id(original(thing)) in seen:
                continue
            seen.add(id(original(thing)))
            yield f"{module_name}.{name}", thing
            for method_name, method in methods(thing) if inspect.isclass(thing) else ():
                if id(original(method)) not in seen:
                    seen.add(id(original(method)))
                    yield f"{module_name}.{name}.{method_name}", method
    for name, made in list(registry.items()):
        if made.__module__.startswith("adjoint.") and id(made) not in seen:
            yield f"primitive {name}", made


def exported(module: ModuleType) -> list[str]:
    """The module's own names, and those that it gathers from its files."""
    if hasattr(module, "__all__"):
        return list(module.__all__)
    return [
        name for name in dir(module)
        if not name.startswith("_")
        and (module is ad or str(getattr(getattr(module, name), "__module__", "")).startswith(module.__name__))
    ]  # fmt: skip


def belongs(thing: Any) -> bool:
    return (getattr(thing, "__module__", None) or "").startswith("adjoint") and not hasattr(thing, "__origin__")


def methods(cls: type) -> Iterator[tuple[str, Any]]:
    """The public methods and properties that ``cls`` defines itself, except those that a base documents."""
    for name, method in vars(cls).items():
        method = getattr(method, "__func__", method)
        method = method.fget if isinstance(method, property) else method
        if name.startswith(("_", "test_")) or not (isinstance(method, (FunctionType, Primitive)) and belongs(method)):
            continue
        if any(name in vars(base) and getattr(vars(base)[name], "__doc__", None) for base in cls.__mro__[1:]):
            continue
        yield name, method


def original(thing: Any) -> Any:
    """The function behind decorators, or the primitive behind its call: what two names of one thing have in common."""
    if not CALLS:
        CALLS.update({id(made.call): made for made in registry.values()})
    return CALLS.get(id(thing)) or (thing if inspect.isclass(thing) or isinstance(thing, Primitive) else inspect.unwrap(thing))


CALLS: dict[int, Primitive] = {}


def path_of(thing: Any) -> str:
    module = next(of.__module__ for of in (original(thing), thing) if of.__module__.startswith("adjoint"))
    return str(Path(sys.modules[module].__file__ or "").relative_to(ROOT.parent))


def raised(function: Any) -> set[str]:
    """The names of the exceptions that the function's own body raises, those of functions inside it apart."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, TypeError, SyntaxError):
        return set()
    names: set[str] = set()
    waiting: list[ast.AST] = [child for child in ast.iter_child_nodes(tree.body[0]) if child not in tree.body[0].decorator_list] \
        if isinstance(tree.body[0], ast.FunctionDef) else []  # fmt: skip
    while waiting:
        node = waiting.pop()
        if isinstance(node, (ast.FunctionDef, ast.Lambda, ast.ClassDef)):
            continue
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) and isinstance(node.exc.func, (ast.Name, ast.Attribute)):
            name = node.exc.func.id if isinstance(node.exc.func, ast.Name) else node.exc.func.attr
            if name[:1].isupper() and name not in ("NotImplementedError", "AttributeError", "StopIteration"):
                names.add(name)
        waiting += ast.iter_child_nodes(node)
    return names


def parameters(thing: Any) -> list[inspect.Parameter]:
    """The parameters of a call, without ``self``, a kernel's namespace, variadic ones, and those that are documented once."""
    function = thing.__init__ if inspect.isclass(thing) else original(thing)
    if inspect.isclass(thing) and (not isinstance(function, FunctionType) or issubclass(thing, (BaseException, tuple))):
        return []
    declared = list(inspect.signature(inspect.unwrap(function)).parameters.values())
    if declared and declared[0].name in ("self", "cls", "xp"):
        declared = declared[1:]
    known = next((names for module, names in OF.items() if thing.__module__.startswith(module)), set())
    return [
        parameter for parameter in declared
        if not (parameter.name.startswith("_") or parameter.kind in VARIADIC or parameter.name in known)
    ]  # fmt: skip


VARIADIC = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)  # ``*tensors`` says it all


def is_first_tensor(parameter: inspect.Parameter) -> bool:
    return "Tensor" in str(parameter.annotation) or parameter.name in ("x", "input", "tensor", "tensors")


@cache
def docstrings() -> dict[str, str]:
    """The docstrings by the last part of their names: what ``:func:`` and its like refer to."""
    return {name.rpartition(".")[2]: thing.__doc__ or "" for name, thing in public_names() if " " not in name}


def what_is_missing(name: str, thing: Any) -> list[str]:
    """What the docstring of ``thing`` lacks, in words."""
    text = inspect.cleandoc((vars(thing).get("__doc__") if inspect.isclass(thing) else thing.__doc__) or "")
    if not text:
        return ["a docstring"]
    missing = []
    first = re.split(r"\n\n|\nArgs:|\n>>>", text)[0].strip()
    if not first.endswith((".", ":")):
        missing.append("a full stop after its first paragraph")
    sentence = re.split(r"(?<=[.:;])\s", first)[0]
    missing += [
        f"other words than {match[0]!r} ({instead})" for word, instead in BANNED.items() if (match := re.search(word, sentence))
    ]
    if name.startswith("primitive "):
        return missing
    of = thing.__init__ if inspect.isclass(thing) else original(thing)
    has_body = not inspect.isclass(thing) or ("__init__" in vars(thing) and of.__module__.startswith("adjoint"))
    own = raised(inspect.unwrap(of)) if has_body else set()
    if unnamed := [error for error in sorted(own) if not re.search(rf"\b{error}\b", text)]:
        missing.append(f"Raises: {', '.join(unnamed)}")
    declared = parameters(thing)
    rest = [parameter.name for parameter in (declared[1:] if declared and is_first_tensor(declared[0]) else declared)]
    covered = [text, *(inspect.cleandoc(docstrings().get(other, "")) for other in re.findall(r":\w+:`~?(?:[\w.]*\.)?(\w+)`", text))]
    if name.endswith("_") and ":func:`" in first:  # in place: the parameters of the function, which is counted itself
        return missing
    if len(rest) >= 3:
        sections = [match[1] for one in covered for match in re.finditer(r"^Args:\n((?:[ \t].*\n?|\n)+)", one, re.MULTILINE)]
        entries = set(re.findall(r"\w+", " ".join(re.findall(r"^ +([^:\n]+):", "\n".join(sections), re.MULTILINE))))
        if absent := [parameter for parameter in rest if parameter not in entries]:
            missing.append(f"Args: {', '.join(absent)}")
        returned = str(inspect.signature(original(thing)).return_annotation) if not inspect.isclass(thing) else ""
        if re.search(r"tuple|list|dict", returned) and not re.search(r"[Rr]eturn", text):
            missing.append("Returns")
    elif absent := [parameter for parameter in rest if not any(re.search(rf"\b{parameter}\b", one) for one in covered)]:
        missing.append(f"a word on {', '.join(absent)}")
    return missing


def report(part: str = "") -> dict[str, dict[str, list[str]]]:
    """What is missing, by file and name."""
    files: dict[str, dict[str, list[str]]] = {}
    for name, thing in public_names():
        if (path := path_of(thing)).find(part) >= 0 and (missing := what_is_missing(name, thing)):
            files.setdefault(path, {})[name] = missing
    return files


def test_every_public_name_has_a_docstring_that_covers_its_call() -> None:
    missing = {name: words for names in report().values() for name, words in names.items()}
    assert not missing, "\n".join(f"{name} lacks {'; '.join(words)}" for name, words in missing.items())


def test_what_is_documented_once_is_documented() -> None:
    absent = {
        module: lacking
        for module, names in DOCUMENTED_ONCE.items()
        if (lacking := [name for name in sorted(names) if f"``{name}``" not in (import_module(module).__doc__ or "")])
    }
    assert not absent


def test_a_public_name_is_counted_once_and_aliases_not_at_all() -> None:
    names = [name for name, _ in public_names()]
    assert len(names) == len(set(names)) > 900
    assert {"adjoint.exp", "adjoint.nn.Linear", "adjoint.optim.Adam", "adjoint.Tensor.backward"} <= set(names)
    assert len({"adjoint.cat", "adjoint.concat", "adjoint.concatenate"} & set(names)) == 1


def test_what_a_docstring_lacks_is_named() -> None:
    def planted(x: Tensor, lower: float, upper: float, step: int) -> None:
        """Mend ``x``"""
        if step < 1:
            raise ValueError("step")

    assert what_is_missing("planted", planted) == [
        "a full stop after its first paragraph",
        "Raises: ValueError",
        "Args: lower, upper, step",
    ]
    assert what_is_missing("planted", lambda: None) == ["a docstring"]


if __name__ == "__main__":
    files = report("".join(sys.argv[1:]))
    for path, names in sorted(files.items()):
        print(f"{path}: {len(names)}")
        for name, words in names.items():
            print(f"    {name}: {'; '.join(words)}")
    print(f"{sum(map(len, files.values()))} of {len(list(public_names()))} public names and primitives")
