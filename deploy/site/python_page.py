"""A page with every name of the Python interface, from its docstrings."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator

from pdoc.docstrings import google

import coordinator

CHARACTERS_OF_A_LINE = 60
CLASS = re.compile(r"<class [\w.]*?(\w+)>")
OBJECT = re.compile(r"<(?:[^<>]|<[^<>]*>)*>")  # a function with its address, say
ITEM = re.compile(r"^ - (?P<name>\*\*.+?\*\*) *", re.MULTILINE)


def python_page() -> str:
    """Writes the page.

    Returns:
        Markdown: a section for each name of `coordinator.__all__`.
    """
    lines = ["# Python interface", "", "Every name that can be imported from `coordinator`.", ""]
    for name in coordinator.__all__:
        value = getattr(coordinator, name)
        lines += _described(name, value, "##")
        if inspect.isclass(value) and not issubclass(value, Exception):
            for method, inner in vars(value).items():
                if not method.startswith("_") and (inspect.isfunction(inner) or isinstance(inner, property)):
                    lines += _described(f"{name}.{method}", inner, "###")
    return "\n".join(lines)


def _described(name: str, value: object, level: str) -> Iterator[str]:
    """Writes a heading, how it is called, and the docstring."""
    yield from (f"{level} {name}", "")
    if callable(value) and not (inspect.isclass(value) and issubclass(value, Exception)):
        yield from ("```python", f"{name}{_signature(value)}", "```", "")
    docstring = inspect.getdoc(value) or ""
    # Headings of a docstring's parts would fill the table of contents.
    yield from (ITEM.sub(r"- \g<name> ", _without_headings(google(docstring))), "")


def _signature(value: Callable[..., object]) -> str:
    """Returns the arguments without `self`, one a line if they are too long for a line."""
    signature = inspect.signature(value)
    parameters = [one for name, one in signature.parameters.items() if name != "self"]
    line = _readable(signature.replace(parameters=parameters))
    if len(line) <= CHARACTERS_OF_A_LINE:
        return line
    returned = line[line.rindex(")") :]
    shown = [_readable(one) for one in parameters]
    keywords = [number for number, one in enumerate(parameters) if one.kind is inspect.Parameter.KEYWORD_ONLY]
    if keywords and not any(one.kind is inspect.Parameter.VAR_POSITIONAL for one in parameters):
        shown.insert(keywords[0], "*")
    return "\n".join(["(", *(f"    {one}," for one in shown), returned])


def _readable(part: inspect.Signature | inspect.Parameter) -> str:
    """Writes a signature, or a parameter, with a class that is a default by its name, and other objects as dots."""
    return OBJECT.sub("...", CLASS.sub(r"\1", str(part).replace("'", "")))


def _without_headings(text: str) -> str:
    """Turns headings into bold lines."""
    return "\n".join(
        f"**{line.lstrip('#').strip().rstrip(':')}**" if line.startswith("#") else line for line in text.split("\n")
    )
