"""Docstrings in which a thing is said once: what a class leaves out, its bases say."""

import inspect
import re
from collections.abc import Sequence
from types import FunctionType

_ERRORS = ("Raises", "Warns")
_SECTIONS = ("Parameters", "Attributes", "Returns", *_ERRORS, "See Also", "Notes", "Examples")
_PACKAGES = ("gaal_alocc", "gaal", "alocc")  # other libraries describe other things


def complete(kind: type) -> None:
    """Complete the numpydoc docstrings of a class, and of the methods that it writes anew.

    From those of its bases come the entries that they leave out: of parameters that the signature
    has, of attributes, and of errors and warnings; where both speak of an error, their own text
    goes before. What is returned they take as a whole, or not at all. What has no docstring stays
    without.
    """
    bases = [base for base in kind.__mro__[1:] if base.__module__.partition(".")[0] in _PACKAGES]
    _complete(kind, bases)
    for name, method in vars(kind).items():
        if isinstance(method, FunctionType) and not name.startswith("_"):
            _complete(method, [vars(base)[name] for base in bases if name in vars(base)])


def _complete(thing: type | FunctionType, bases: Sequence) -> None:
    if not thing.__doc__:  # python -OO leaves none
        return
    parameters = inspect.signature(thing).parameters
    head, sections = _parts(thing.__doc__)
    for base in bases:
        for title, body in _parts(base.__doc__ or "")[1].items():
            theirs = _entries(body)
            if title == "Parameters":
                theirs = {name: entry for name, entry in theirs.items() if name in parameters}
            if title in ("Parameters", "Attributes", *_ERRORS):
                sections[title] = _merged(sections.get(title, ""), theirs, title in _ERRORS)
            elif title == "Returns":
                sections.setdefault(title, body)
    titles = sorted(filter(sections.get, sections), key=_SECTIONS.index)
    thing.__doc__ = "\n\n".join([head, *(f"{t}\n{'-' * len(t)}\n{sections[t]}" for t in titles)])


def _parts(docstring: str) -> tuple[str, dict[str, str]]:
    """Split it into what goes before the sections, and these by their titles."""
    head, *rest = re.split(r"^(\w[\w ]*)\n-{3,}\n", inspect.cleandoc(docstring), flags=re.M)
    return head.strip(), {title: body.strip() for title, body in zip(rest[::2], rest[1::2])}


def _entries(section: str) -> dict[str, str]:
    """Give each name its entry, which may be one for several."""
    entries = re.split(r"\n(?=\S)", section)
    return {n: entry for entry in entries for n in re.split(" : |\n", entry)[0].split(", ") if n}


def _merged(section: str, base: dict[str, str], join: bool) -> str:
    entries = _entries(section)
    for name, entry in base.items():
        if name not in entries:
            entries[name] = entry
        elif join:
            entries[name] += "\n" + entry.partition("\n")[2]
    return "\n".join(dict.fromkeys(entries.values()))
