"""Sizes, signatures and names of every source file of the product; every rule is also shown to fail."""

import ast
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("party", "coordinator", "deploy")
GENERATED = "party.pb"

MODULE_LINES = 350
FUNCTION_LINES = 40
POSITIONAL_PARAMETERS = 4
REPEATED_LINES = 6

Function = ast.FunctionDef | ast.AsyncFunctionDef


def read_sources():
    """Every module that a person wrote: dotted name to text; a package's own name stands for its __init__."""
    sources = {}
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            if name != GENERATED and not name.startswith(f"{GENERATED}."):
                sources[name] = path.read_text(encoding="utf-8")
    return sources


class Definition(NamedTuple):
    """A class, function or lambda, with its dotted name and the class or function that it stands in."""

    name: str
    node: ast.AST
    parent: ast.AST


def definitions(sources):
    """All of them, nested ones too."""

    def within(name, parent):
        for node in ast.iter_child_nodes(parent):
            if isinstance(node, Function | ast.ClassDef):
                inner = f"{name}.{node.name}"
                yield Definition(inner, node, parent)
                yield from within(inner, node)
            elif isinstance(node, ast.Lambda):
                yield Definition(f"{name}.lambda", node, parent)
                yield from within(name, node)
            else:
                # What stands in an `if` or a `with` belongs to the class or function around it.
                for one in within(name, node):
                    yield one._replace(parent=parent) if one.parent is node else one

    for module, text in sources.items():
        yield from within(module, ast.parse(text))


def docstring_of(node):
    """The statement that is a docstring, or None."""
    first = node.body[0] if node.body else None
    is_text = (
        isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str)
    )
    return first if is_text else None


def lines_of(node):
    return node.end_lineno - node.lineno + 1


def modules_are_short(sources):
    """At most MODULE_LINES lines, all of them counted."""
    return [(name, len(text.splitlines())) for name, text in sources.items() if len(text.splitlines()) > MODULE_LINES]


def functions_are_short(sources):
    """At most FUNCTION_LINES lines from `def` to the end.

    The signature, blank lines, comments and nested functions count; decorators and the function's own docstring do not.
    """
    long = []
    for name, node, _ in definitions(sources):
        if isinstance(node, Function):
            docstring = docstring_of(node)
            count = lines_of(node) - (lines_of(docstring) if docstring else 0)
            if count > FUNCTION_LINES:
                long.append((name, count))
    return long


def decorator_names(node):
    targets = (one.func if isinstance(one, ast.Call) else one for one in node.decorator_list)
    return [ast.unparse(one).rpartition(".")[2] for one in targets]


def positional_parameters(definition):
    """Parameters that a caller may give by position, without `self` and `cls`; `*parameters` are not counted."""
    _, node, parent = definition
    count = len(node.args.posonlyargs) + len(node.args.args)
    is_method = isinstance(parent, ast.ClassDef) and isinstance(node, Function)
    return count - 1 if is_method and "staticmethod" not in decorator_names(node) else count


def parameters_beyond_four_are_keywords(sources):
    """At most POSITIONAL_PARAMETERS of any function, method, constructor or lambda can be given by position."""
    return [
        (one.name, positional_parameters(one))
        for one in definitions(sources)
        if isinstance(one.node, Function | ast.Lambda) and positional_parameters(one) > POSITIONAL_PARAMETERS
    ]


def base_names(node):
    targets = (one.value if isinstance(one, ast.Subscript) else one for one in node.bases)
    return [ast.unparse(one).rpartition(".")[2] for one in targets]


def keyword_is(call, name, value):
    return isinstance(call, ast.Call) and any(
        one.arg == name and isinstance(one.value, ast.Constant) and one.value.value is value for one in call.keywords
    )


def own_positional_fields(node):
    """Names of the fields of a dataclass or NamedTuple that its generated constructor takes by position."""
    if any("dataclass" in ast.unparse(one) and keyword_is(one, "kw_only", True) for one in node.decorator_list):
        return []
    fields = []
    for statement in node.body:
        if not isinstance(statement, ast.AnnAssign):
            continue
        annotation = ast.unparse(statement.annotation)
        if annotation.rpartition(".")[2] == "KW_ONLY":
            break
        is_field = "ClassVar" not in annotation and not keyword_is(statement.value, "init", False)
        if is_field and not keyword_is(statement.value, "kw_only", True):
            fields.append(ast.unparse(statement.target))
    return fields


def generated_constructors_are_short(sources):
    """As `parameters_beyond_four_are_keywords`, for dataclasses and NamedTuples, with inherited fields."""
    classes = [one for one in definitions(sources) if isinstance(one.node, ast.ClassDef)]
    by_name = {one.node.name: one.node for one in classes}

    def is_generated(node):
        return "dataclass" in decorator_names(node) or "NamedTuple" in base_names(node)

    def fields(node):
        inherited = [by_name[base] for base in base_names(node) if base in by_name]
        own = own_positional_fields(node) if is_generated(node) else []
        return {*own, *(name for base in inherited for name in fields(base))}

    return [
        (one.name, len(fields(one.node)))
        for one in classes
        if is_generated(one.node) and len(fields(one.node)) > POSITIONAL_PARAMETERS
    ]


def class_names_are_unique(sources):
    """No two classes of the product have one name, wherever they stand."""
    found = defaultdict(list)
    for name, node, _ in definitions(sources):
        if isinstance(node, ast.ClassDef):
            found[node.name].append(name)
    return [sorted(names) for names in found.values() if len(names) > 1]


def code_lines(text):
    """Numbers and stripped texts of the lines that are code: no blank ones, comments, docstrings or imports."""
    tree = ast.parse(text)
    left_out = set()
    for node in ast.walk(tree):
        is_documented = isinstance(node, ast.Module | ast.ClassDef | Function)
        statement = docstring_of(node) if is_documented else node
        if statement is not None and (is_documented or isinstance(node, ast.Import | ast.ImportFrom)):
            left_out |= set(range(statement.lineno, statement.end_lineno + 1))
    numbered = enumerate(text.splitlines(), start=1)
    stripped = ((number, line.strip()) for number, line in numbered if number not in left_out)
    return [(number, line) for number, line in stripped if line and not line.startswith("#")]


def nothing_stands_twice(sources):
    """No run of REPEATED_LINES and more equal lines of code stands in two places: each pair of places, once."""
    places = defaultdict(list)
    numbers = {}
    for module, text in sources.items():
        lines = code_lines(text)
        numbers[module] = [number for number, _ in lines]
        for start in range(len(lines) - REPEATED_LINES + 1):
            places[tuple(line for _, line in lines[start : start + REPEATED_LINES])].append((module, start))
    pairs = {
        (one, other) for found in places.values() for place, one in enumerate(found) for other in found[place + 1 :]
    }
    # A longer run is many pairs, each one line further than the pair before: its beginning stands for it.
    return sorted(
        tuple(f"{module}:{numbers[module][start]}" for module, start in pair)
        for pair in pairs
        if tuple((module, start - 1) for module, start in pair) not in pairs
    )


def long_function(lines, indent=""):
    return f"{indent}def f():\n" + f"{indent}    g()\n" * (lines - 1)


REPEATED = "".join(f"    call_{number}()\n" for number in range(REPEATED_LINES))
INDENTED = REPEATED.replace("    ", "        ")
FIVE_FIELDS = "    a: int\n    b: int\n    c: int\n    d: int\n    e: int\n"

VIOLATIONS = [
    (modules_are_short, {"party.x": "x = 1\n" * 351}),
    (functions_are_short, {"party.x": long_function(41)}),
    (functions_are_short, {"party.x": "class A:\n    if True:\n" + long_function(41, "        ")}),
    (functions_are_short, {"party.x": "def outer():\n    g()\n" + long_function(39, "    ")}),
    (functions_are_short, {"party.x": "async " + long_function(41)}),
    (parameters_beyond_four_are_keywords, {"party.x": "def f(a, b, c, d, e): ..."}),
    (parameters_beyond_four_are_keywords, {"party.x": "def f(a, b, /, c, d, e=1, *, g): ..."}),
    (parameters_beyond_four_are_keywords, {"party.x": "class A:\n    def __init__(self, a, b, c, d, e): ..."}),
    (
        parameters_beyond_four_are_keywords,
        {"party.x": "class A:\n    @classmethod\n    def f(cls, a, b, c, d, e): ..."},
    ),
    (parameters_beyond_four_are_keywords, {"party.x": "class A:\n    @staticmethod\n    def f(a, b, c, d, e): ..."}),
    (parameters_beyond_four_are_keywords, {"party.x": "def f():\n    def g(a, b, c, d, e): ..."}),
    (parameters_beyond_four_are_keywords, {"party.x": "f = lambda a, b, c, d, e: a"}),
    (generated_constructors_are_short, {"party.x": f"@dataclass\nclass A:\n{FIVE_FIELDS}"}),
    (generated_constructors_are_short, {"party.x": f"@dataclasses.dataclass(frozen=True)\nclass A:\n{FIVE_FIELDS}"}),
    (generated_constructors_are_short, {"party.x": f"class A(NamedTuple):\n{FIVE_FIELDS}"}),
    (
        generated_constructors_are_short,
        {
            "party.x": "@dataclass\nclass A:\n    a: int\n    b: int\n    c: int\n",
            "party.y": "@dataclass\nclass B(A):\n    d: int\n    e: int\n",
        },
    ),
    (class_names_are_unique, {"party.x": "class A: ...", "coordinator.y": "def f():\n    class A: ..."}),
    (nothing_stands_twice, {"party.x": f"def f():\n{REPEATED}", "deploy.y": f"def g():\n{REPEATED}    h()"}),
    (nothing_stands_twice, {"party.x": f"def f():\n{REPEATED}\nclass A:\n    def g():\n{INDENTED}"}),
    (
        nothing_stands_twice,
        {"party.x": f"def f():\n{REPEATED}    more()", "party.y": f"def g():\n{REPEATED}    more()"},
    ),
]
RULES = sorted({rule for rule, _ in VIOLATIONS}, key=lambda rule: rule.__name__)

HOLDING = [
    (modules_are_short, {"party.x": "x = 1\n" * 350}),
    (functions_are_short, {"party.x": long_function(40)}),
    (functions_are_short, {"party.x": '@a\n@b\ndef f():\n    """One line.\n\n    Args:\n    """\n' + "    g()\n" * 39}),
    (parameters_beyond_four_are_keywords, {"party.x": "def f(a, b, c, d, *e, g, h): ..."}),
    (parameters_beyond_four_are_keywords, {"party.x": "class A:\n    def f(self, a, b, c, d, *, e): ..."}),
    (generated_constructors_are_short, {"party.x": f"@dataclass(kw_only=True)\nclass A:\n{FIVE_FIELDS}"}),
    (generated_constructors_are_short, {"party.x": f"@dataclass\nclass A:\n    z: int\n    _: KW_ONLY\n{FIVE_FIELDS}"}),
    (generated_constructors_are_short, {"party.x": f"class A(StrictModel):\n{FIVE_FIELDS}"}),
    (
        generated_constructors_are_short,
        {
            "party.x": "@dataclass\nclass A:\n    x: ClassVar[int] = 1\n    y: int = field(init=False)\n"
            "    a: int\n    b: int\n    c: int\n    d: int\n    e: int = field(kw_only=True)\n"
        },
    ),
    (class_names_are_unique, {"party.x": "class A: ...", "party.y": "class B: ...\nA()"}),
    (nothing_stands_twice, {"party.x": f"def f():\n{REPEATED}", "party.y": f"def g():\n{REPEATED.replace('5', '6')}"}),
    (nothing_stands_twice, dict.fromkeys("xy", '"""A.\n\nB.\nC.\nD.\nE.\n"""\nimport a\nimport b\n\n# c\n# d\n')),
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_sources_hold_the_rule(rule):
    assert rule(read_sources()) == []


@pytest.mark.parametrize(("rule", "sources"), VIOLATIONS, ids=lambda one: getattr(one, "__name__", None))
def test_rule_sees_a_violation(rule, sources):
    assert len(rule(sources)) == 1


@pytest.mark.parametrize(("rule", "sources"), HOLDING, ids=lambda one: getattr(one, "__name__", None))
def test_rule_lets_pass_what_holds_it(rule, sources):
    assert rule(sources) == []


def test_every_module_is_read():
    sources = read_sources()
    assert {"party", "party.errors", "party.engine.base_model", "coordinator.cli", "deploy.wheels"} <= set(sources)
    assert not any(name.startswith(GENERATED) for name in sources)
