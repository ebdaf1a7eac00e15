"""Test modules stand alone: what several need is in tests/support; and every test asserts something."""

import ast
import functools
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
SUPPORT = "tests.support"
OF_THEIR_OWN = ("attacks", "benchmarks", "chaos", "tools")  # programs, whose modules may import each other
CHECKING = ("expect", "assert", "raises", "fail", "run_state_machine")  # names of functions that fail a test begin so
PRODUCT = ("party", "coordinator", "deploy")  # some folders of the tests have the names of packages


def read_modules():
    """Text by path below tests/, such as `federation/test_relay.py`."""
    return {str(path.relative_to(TESTS)): path.read_text(encoding="utf-8") for path in sorted(TESTS.rglob("*.py"))}


def imports(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield "." * node.level + (node.module or "")


def foreign_imports(modules):
    """Imports of a module of the tests that is neither in tests/support nor in the own folder of a program."""
    stems = {Path(path).stem for path in modules} - {"__init__", "__main__"}
    wrong = []
    for path, text in modules.items():
        folder = path.partition("/")[0]
        for name in imports(ast.parse(text)):
            first, *rest = name.split(".")
            if first in PRODUCT:
                continue
            of_the_tests = first in ("tests", "") or first in stems or (TESTS / first).is_dir()
            own = folder in OF_THEIR_OWN and (rest[:1] == [folder] or first in stems)
            if of_the_tests and not own and not f"{name}.".startswith(f"{SUPPORT}."):
                wrong.append((path, name))
    return wrong


def functions_of(tree):
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]


@functools.cache
def called(node):
    calls = [one.func for one in ast.walk(node) if isinstance(one, ast.Call)]
    return {getattr(one, "attr", getattr(one, "id", "")) for one in calls}


def has_assertion(node):
    raised = any(name.lstrip("_").startswith(CHECKING) for name in called(node))
    return raised or any(isinstance(one, ast.Assert) for one in ast.walk(node))


def asserting_names(functions, known=frozenset()):
    """Names of functions that have an assertion, or call one that has, and those that are known."""
    found = known | {node.name for node in functions if has_assertion(node)}
    calls = {node: called(node) for node in functions if node.name not in found}
    before = None
    while before != len(found):
        before = len(found)
        found |= {node.name for node, names in calls.items() if names & found}
    return found


def empty_tests(modules):
    """Tests that cannot fail but by an error; a helper counts where it is in their own module or in tests/support."""
    functions = {path: functions_of(ast.parse(text)) for path, text in modules.items()}
    shared = asserting_names([node for path in functions if path.startswith("support/") for node in functions[path]])
    wrong = []
    for path, found in functions.items():
        tests = [node for node in found if node.name.startswith("test_")]
        if tests:
            asserting = asserting_names([node for node in found if node not in tests], shared)
            wrong += [f"{path}: {one.name}" for one in tests if not (has_assertion(one) or called(one) & asserting)]
    return wrong


def doubled_names(modules):
    """Names of test modules that two folders have: pytest imports them by their names alone."""
    names = [Path(path).name for path in modules if Path(path).name.startswith("test_")]
    return sorted({name for name in names if names.count(name) > 1})


VIOLATIONS = [
    (foreign_imports, {"a/test_one.py": "from test_two import helper", "b/test_two.py": ""}),
    (foreign_imports, {"a/test_one.py": "def f():\n    import tests.federation.test_relay"}),
    (foreign_imports, {"federation/test_one.py": "from tests.attacks.outcome import Outcome"}),
    (foreign_imports, {"attacks/one.py": "from tests.benchmarks.lean import main"}),
    (foreign_imports, {"support/one.py": "from federation.commands import expect_error"}),
    (foreign_imports, {"data/test_one.py": "from helper import encode", "data/helper.py": ""}),
    (empty_tests, {"a/test_one.py": "def test_it():\n    compute()"}),
    (empty_tests, {"a/test_one.py": "def helper():\n    return 1\n\ndef test_it():\n    helper()"}),
    (doubled_names, {"a/test_one.py": "", "b/test_one.py": ""}),
]
RULES = sorted({rule for rule, _ in VIOLATIONS}, key=lambda rule: rule.__name__)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_modules_hold_the_rule(rule):
    assert rule(read_modules()) == []


@pytest.mark.parametrize(("rule", "modules"), VIOLATIONS, ids=lambda one: getattr(one, "__name__", None))
def test_rule_sees_a_violation(rule, modules):
    assert len(rule(modules)) == 1


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("federation/test_one.py", "from tests.support.organisations import Organisations"),
        ("attacks/test_one.py", "from tests.attacks.outcome import Outcome"),
        ("chaos/kills.py", "from tests.chaos.chaos_run import ChaosRun"),
        ("data/test_one.py", "import pytest"),
    ],
)
def test_what_is_allowed_is_let_through(path, text):
    assert foreign_imports({path: text}) == []


def test_an_assertion_of_a_helper_counts():
    helper = "def holds():\n    assert 1\n\ndef both():\n    holds()\n"
    tests = "def test_a():\n    both()\n\ndef test_b():\n    with pytest.raises(ValueError):\n        compute()\n"
    assert empty_tests({"support/helper.py": helper, "a/test_one.py": tests}) == []
