"""The imports of every source file hold the rules of the design; every rule is also shown to fail."""

import ast
import graphlib
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("party", "coordinator", "deploy")

# Each may import what stands to its left, and its own package.
LAYERS = (
    ("party.errors", "party.pb", "party.ownership"),
    ("party.configuration", "party.cut"),
    ("party.security", "party.metrics"),
    ("party.monitoring", "party.output"),
    ("party.privacy", "party.page", "party.invitation", "party.diagnosis"),
    ("party.data",),
    ("party.channel", "party.models"),
    ("party.protocol", "party.engine", "party.alignment"),
    ("party.ledger",),
    ("party.policy", "party.audit"),
    ("party.runtime",),
    ("party.transport", "party.drafting"),
    ("party.checked", "party.exported"),
    (
        "party.certificate",
        "party.completion",
        "party.check",
        "party.export",
        "party.health",
        "party.runs",
        "party.stored_data",
        "party.reload",
        "party.ledger_lines",
        "party.budget_lines",
        "party.own_audit",
    ),
    ("party.own_report", "party.written_audit"),
    ("party.command_line",),
    ("party.doctor",),
    ("party.commands",),
    ("party.cli",),
    ("party.__main__",),
)
LAYER_OF = {package: number for number, layer in enumerate(LAYERS) for package in layer}

DATA_FREE = (
    "party.audit.report",
    "party.certificate",
    "party.completion",
    "party.diagnosis",
    "party.errors",
    "party.output",
    "party.page",
    "party.invitation",
    "party.pb",
    "party.configuration.strict",
    "party.configuration.addresses",
    "party.configuration.described_schema",
    "party.configuration.edited_yaml",
    "party.configuration.schema_file",
    "party.configuration.yaml_text",
    "party.configuration.partners",
    "party.configuration.paths",
    "party.configuration.patterns",
    "party.configuration.yaml_file",
    "party.configuration.sections",
    "party.configuration.feature_parties",
    "party.configuration.run",
    "party.configuration.candidates",
    "party.configuration.keras_objects",
    "party.configuration.monitoring",
    "party.monitoring",
    "party.metrics.sampled_negatives",
    "party.protocol.checkpoints",
    "party.protocol.shuffled_column",
    "party.security.authority",
    "party.security.certificates",
    "party.security.clock",
    "party.security.files",
    "party.security.issuing",
    "party.security.leaf",
    "party.security.printable",
    "party.security.protocol",
    "party.security.served_certificate",
    "party.security.tls",
    "party.security.trust",
    "party.transport.errors",
)
REACHED_BY_DATA_FREE = (
    "party.audit",
    "party.configuration",
    "party.ownership",
    "party.configuration.data_files",
    "party.configuration.examples",
    "party.configuration.extent",
    "party.configuration.joins",
    "party.configuration.schema",
    "party.configuration.wording",
    "party.metrics",
    "party.protocol",
    "party.security",
    "party.security.chains",
    "party.security.framing",
    "party.transport",
    "party.transport.unreachable",
)

HOMES = {  # where a library may be imported
    "tensorflow": ("party.models", "party.engine", "deploy.demo"),
    "keras": ("party.models", "party.engine", "deploy.demo", "deploy.examples"),
    "pandas": ("party.data", "party.runtime", "deploy"),
    "grpc": ("party.transport", "party.security.tls", "party.pb", "coordinator"),
    "gmpy2": ("party.alignment",),
    "grpc_health": ("party.transport",),
    "prometheus_client": ("party.monitoring", "party.runtime.party_metrics", "coordinator.run_metrics"),
    "tensorboardX": ("party.monitoring",),
    "mlflow": ("coordinator.mlflow_runs",),
}
NOWHERE = ("pickle", "marshal", "shelve", "dill", "cloudpickle", "joblib")

POLICY_HOMES = ("party.policy", "party.configuration")
POLICY_ROOMS = (
    "party.policy.rules",
    "party.policy.limits",
    "party.policy.budgets",
    "party.policy.refusals",
)  # what is behind the door: grants and admission are asked
MADE_BY_THE_POLICY = ("PolicyError", "MetricRules", "AlignmentRules", "MeterRules", "QualityRules")
PLAN = "Plan"
AUDITORS = (
    "party.audit",
    "party.runtime",
    "party.commands",
    "party.cli",
    "party.own_audit",
    "party.written_audit",
    "party.runs",
)
AUDIT = ("party.audit",)


TENSOR_KINDS = {"MESSAGE_KIND_HIDDEN", "MESSAGE_KIND_GRADIENT"}
AT_THE_CUT = ("party.cut", "party.channel", "party.protocol", "party.runtime")
JOINS_AND_SPLITS = {"concatenate", "hstack", "column_stack", "dstack", "concat", "hsplit", "array_split"}
SEALERS = (
    "party.channel",
    "party.security",
    "party.runtime.session",  # the confirmation of a handshake
    "party.runtime.training_checkpoints",  # vouchers of checkpoints
    "party.runtime.alignment_plan",  # what an alignment exchanges
)


def read_sources():
    """Every module of the packages: dotted name to text; a package's own name stands for its __init__."""
    sources = {}
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            sources[name] = path.read_text(encoding="utf-8")
    return sources


def imports(text, known=()):
    """Dotted names that a source imports, in functions and under TYPE_CHECKING too."""
    found = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            for alias in node.names:
                inner = f"{module}.{alias.name}"
                found.add(inner if inner in known else module)
    return found


def within(name, packages):
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def pairs(sources):
    return [(name, target) for name, text in sources.items() for target in sorted(imports(text, sources))]


def party_imports_nothing_above(sources):
    return [pair for pair in pairs(sources) if within(pair[0], ("party",)) and within(pair[1], PACKAGES[1:])]


def coordinator_imports_data_free(sources):
    return [
        (name, target)
        for name, target in pairs(sources)
        if within(name, ("coordinator",))
        and (within(target, ("deploy",)) or (within(target, ("party",)) and target != "party"))
        and not within(target, DATA_FREE)
    ]


def coordinator_reaches_data_free(sources):
    """As above, for what the imported modules import in turn."""
    reached, waiting = set(), {name for name in sources if within(name, ("coordinator",))}
    while waiting:
        name = waiting.pop()
        reached.add(name)
        waiting |= {target for target in imports(sources[name], sources) if target in sources} - reached
    free = (*DATA_FREE, "coordinator")
    return sorted(name for name in reached if name not in ("party", *REACHED_BY_DATA_FREE) and not within(name, free))


def libraries_stay_home(sources):
    return [
        (name, target)
        for name, target in pairs(sources)
        for library, homes in HOMES.items()
        if within(target, (library,)) and not within(name, homes)
    ]


def nothing_unpickles(sources):
    return [pair for pair in pairs(sources) if within(pair[1], NOWHERE)]


def imports_are_absolute(sources):
    return [pair for pair in pairs(sources) if pair[1].startswith(".")]


def layer(name):
    package = ".".join(name.split(".")[:2])
    return package, LAYER_OF.get(package)


def layers_go_one_way(sources):
    wrong = []
    for name, target in pairs(sources):
        if not within(name, ("party",)) or not within(target, ("party",)) or "party" in (name, target):
            continue
        (package, own), (other_package, other) = layer(name), layer(target)
        if own is None or other is None or (package != other_package and other >= own):
            wrong.append((name, target))
    return wrong


def policy_keys():
    """Names of what a policy says, from the class that reads it."""
    tree = ast.parse((ROOT / "party" / "configuration" / "policy.py").read_text(encoding="utf-8"))
    (section,) = [one for one in tree.body if isinstance(one, ast.ClassDef) and one.name == "PolicySection"]
    return {one.target.id for one in section.body if isinstance(one, ast.AnnAssign)}


def policy_has_one_door(sources):
    """Thresholds, rights and refusals come from a grant or from admission: nothing else reads or makes them."""
    keys = policy_keys() | {"policy"}
    wrong = []
    for name, text in sources.items():
        if not within(name, ("party",)) or within(name, POLICY_HOMES):
            continue
        wrong += [(name, target) for target in sorted(imports(text, sources)) if within(target, POLICY_ROOMS)]
        for node in ast.walk(ast.parse(text)):
            match node:
                case ast.Attribute(attr=attribute, ctx=ast.Load()) if attribute in keys:
                    wrong.append((name, attribute))
                case ast.Call(func=ast.Name("getattr"), args=[_, ast.Constant(attribute), *_]) if attribute in keys:
                    wrong.append((name, attribute))
                case ast.Subscript(slice=ast.Constant(attribute)) if attribute in keys:
                    wrong.append((name, attribute))
                case ast.Call(func=ast.Name(made) | ast.Attribute(attr=made)) if made in MADE_BY_THE_POLICY:
                    wrong.append((name, made))
                case ast.ImportFrom(names=names):
                    wrong += [(name, one.name) for one in names if one.name == "PolicySection"]
                    wrong += [(name, one.name) for one in names if one.name in MADE_BY_THE_POLICY and one.asname]
    return wrong


def plans_are_not_told_apart(sources):
    """A session asks what a plan offers, never which one it is; and no plan is a kind of another."""
    wrong = []
    for name, text in sources.items():
        if not within(name, ("party.runtime", "party.transport")):
            continue
        for node in ast.walk(ast.parse(text)):
            match node:
                case ast.Call(func=ast.Name("isinstance" | "issubclass"), args=[_, classes]):
                    found = classes
                case ast.MatchClass(cls=pattern):
                    found = pattern
                case ast.ClassDef(bases=[*bases]):
                    found = ast.Tuple(bases)
                case _:
                    continue
            named = [one.id for one in ast.walk(found) if isinstance(one, ast.Name)]
            named += [one.attr for one in ast.walk(found) if isinstance(one, ast.Attribute)]
            wrong += [(name, one) for one in named if one.endswith(PLAN)]
    return wrong


def audit_is_seen_by_few(sources):
    """Attacks read what others do; only what composes sessions, and commands, may know of them."""
    return [
        (name, target)
        for name, target in pairs(sources)
        if within(target, ("party.audit",))
        and not within(name, AUDITORS)
        and not (within(name, ("coordinator",)) and within(target, ("party.audit.report",)))
    ]


def values_know_no_files(sources):
    """What a cell means depends on its value alone: not on the file, the feature or the party that it is in."""
    return [
        (name, target)
        for name, target in pairs(sources)
        if within(name, ("party.data.values",))
        and within(target, ("party",))
        and not within(target, ("party.data.values", "party.configuration.canonical_text", "party.errors"))
    ]


def no_cycles(sources):
    graph = {name: imports(text, sources) & set(sources) - {name} for name, text in sources.items()}
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        return [error.args[1]]
    return []


def names_in(text):
    """Every name that a source imports, reads or calls a method by."""
    found = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.Attribute):
            found.add(node.attr)
        elif isinstance(node, ast.Name):
            found.add(node.id)
    return found


def only_the_channel_seals_tensors(sources):
    """No other package names the kinds of messages that hold tensors, so that none can make their slots."""
    return [
        (name, kind)
        for name, text in sources.items()
        if not within(name, ("party.channel", "party.pb"))
        for kind in sorted(TENSOR_KINDS & names_in(text))
    ]


def matrices_stay_whole(sources):
    """Hiddens are joined and split inside compiled calls alone: no package at the cut does either with NumPy."""
    return [
        (name, function)
        for name, text in sources.items()
        if within(name, AT_THE_CUT) and not within(name, ("party.channel.codecs",))
        for function in sorted(JOINS_AND_SPLITS & names_in(text))
    ]


def few_seal(sources):
    """Besides the channel, only what seals messages without tensors calls `seal`."""
    return [
        name
        for name, text in sources.items()
        if within(name, ("party",)) and not within(name, SEALERS) and "seal" in names_in(text)
    ]


VIOLATIONS = [
    (values_know_no_files, {"party.data.values.x": "from party.data.table import Table"}),
    (values_know_no_files, {"party.data.values.x": "from party.configuration.features import AnyFeature"}),
    (only_the_channel_seals_tensors, {"party.protocol.x": "from party.pb.party_pb2 import MESSAGE_KIND_HIDDEN"}),
    (only_the_channel_seals_tensors, {"party.runtime.x": "kind = MessageKind.MESSAGE_KIND_GRADIENT"}),
    (matrices_stay_whole, {"party.protocol.x": "def f(hiddens):\n    return np.concatenate(hiddens, axis=1)"}),
    (matrices_stay_whole, {"party.channel.x": "from numpy import hsplit"}),
    (few_seal, {"party.protocol.x": "def f(keys, slot, message):\n    return keys.seal(slot, message)"}),
    (few_seal, {"party.engine.x": "def f(keys):\n    seal = keys.seal"}),
    (party_imports_nothing_above, {"party.policy": "import coordinator.session"}),
    (party_imports_nothing_above, {"party.policy": "def f():\n    from deploy import wheels"}),
    (party_imports_nothing_above, {"party.policy": "from coordinator import connect"}),
    (coordinator_imports_data_free, {"coordinator.x": "from party.data.table import Table"}),
    (coordinator_imports_data_free, {"coordinator.x": "from party import policy", "party.policy": ""}),
    (coordinator_imports_data_free, {"coordinator.x": "import party.security.sealing"}),
    (coordinator_imports_data_free, {"coordinator.x": "from party.configuration.party import PartyConfiguration"}),
    (coordinator_imports_data_free, {"coordinator.x": "import deploy"}),
    (
        coordinator_reaches_data_free,
        {
            "coordinator.x": "from party.security.trust import TrustedName",
            "party.security.trust": "import party.data.table",
            "party.data.table": "",
        },
    ),
    (audit_is_seen_by_few, {"party.transport.x": "from party.audit.recording import Recording"}),
    (audit_is_seen_by_few, {"coordinator.x": "import party.audit"}),
    (audit_is_seen_by_few, {"coordinator.x": "from party.audit.recording import Recording"}),
    (libraries_stay_home, {"party.protocol.x": "import tensorflow as tf"}),
    (libraries_stay_home, {"party.runtime.x": "def f():\n    from keras import ops"}),
    (libraries_stay_home, {"party.security.trust": "import grpc"}),
    (libraries_stay_home, {"party.runtime.x": "from grpc import StatusCode"}),
    (libraries_stay_home, {"party.protocol.x": "import pandas as pd"}),
    (libraries_stay_home, {"coordinator.x": "import pandas.core"}),
    (libraries_stay_home, {"party.data.x": "from gmpy2 import jacobi"}),
    (nothing_unpickles, {"party.models.x": "import pickle"}),
    (imports_are_absolute, {"party.models.x": "from . import deepfm"}),
    (layers_go_one_way, {"party.errors": "from party.configuration.strict import StrictModel"}),
    (layers_go_one_way, {"party.configuration.x": "import party.security.clock"}),
    (layers_go_one_way, {"party.protocol.x": "from party.engine.base_model import BaseModel"}),
    (layers_go_one_way, {"party.engine.x": "from party.protocol.schedule import Schedule"}),
    (layers_go_one_way, {"party.cut.x": "import party.channel.place"}),
    (layers_go_one_way, {"party.cut.x": "from party.configuration.run import RunConfiguration"}),
    (layers_go_one_way, {"party.data.x": "from party.models.losses import TaskLosses"}),
    (layers_go_one_way, {"party.runtime.x": "from party.transport.errors import error_to_status"}),
    (layers_go_one_way, {"party.new_package.x": "from party.errors import SplitError"}),
    (policy_has_one_door, {"party.runtime.x": "def f(context): return context.configuration.policy"}),
    (policy_has_one_door, {"party.transport.x": "def f(section): return section.minimum_metric_rows"}),
    (policy_has_one_door, {"party.alignment.x": "def f(terms, rows): return rows < terms.minimum_intersection"}),
    (policy_has_one_door, {"party.ledger_lines": "def f(configuration): return getattr(configuration, 'policy')"}),
    (policy_has_one_door, {"party.transport.x": "from party.configuration.policy import PolicySection"}),
    (policy_has_one_door, {"party.runtime.x": "from party.policy.rules import Policy"}),
    (policy_has_one_door, {"party.runtime.x": "from party.policy import limits", "party.policy.limits": ""}),
    (policy_has_one_door, {"party.runtime.x": "def f(): raise PolicyError('no')"}),
    (policy_has_one_door, {"party.runtime.x": "def f(): raise errors.PolicyError('no')"}),
    (policy_has_one_door, {"party.runtime.x": "from party.errors import PolicyError as Refusal"}),
    (policy_has_one_door, {"party.runtime.x": "from party.policy.refusals import refusal"}),
    (policy_has_one_door, {"party.runtime.x": "def f(): return MetricRules(0, True, True)"}),
    (policy_has_one_door, {"party.transport.x": "def f(c): return c.model_dump()['policy']"}),
    (plans_are_not_told_apart, {"party.transport.x": "def f(plan): return isinstance(plan, TrainingPlan)"}),
    (
        plans_are_not_told_apart,
        {"party.transport.x": "def f(plan): return isinstance(plan, (str, plans.TrainingPlan))"},
    ),
    (plans_are_not_told_apart, {"party.runtime.x": "def f(plan):\n match plan:\n  case AlignmentPlan(): return 1"}),
    (plans_are_not_told_apart, {"party.runtime.x": "class MeasuringPlan(TrainingPlan): pass"}),
    (no_cycles, {"party.data.a": "import party.data.b", "party.data.b": "from party.data import a"}),
]
RULES = sorted({rule for rule, _ in VIOLATIONS}, key=lambda rule: rule.__name__)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_sources_hold_the_rule(rule):
    assert rule(read_sources()) == []


@pytest.mark.parametrize(("rule", "sources"), VIOLATIONS, ids=lambda one: getattr(one, "__name__", None))
def test_rule_sees_a_violation(rule, sources):
    assert len(rule(sources)) == 1


def test_every_module_is_read():
    sources = read_sources()
    assert {"party", "party.errors", "party.engine.base_model", "coordinator.cli", "deploy.wheels"} <= set(sources)
    assert "party.models.deepfm" in imports(sources["party.models.assembly"], sources)


@pytest.mark.parametrize("command", ["coordinator", "party"])
@pytest.mark.parametrize("arguments", [[], ["--help"], ["--version"]])
def test_command_line_answers_without_heavy_imports(command, arguments):
    program = (
        f"import sys; from {command}.cli import main\n"
        "arguments = sys.argv[1:]\n"
        "try:\n    main(arguments) if arguments else None\n"
        "except SystemExit: pass\n"
        "print(sorted({'tensorflow', 'keras', 'pandas', 'grpc', 'numpy', 'pydantic'} & set(sys.modules)))\n"
    )
    output = subprocess.run(
        [sys.executable, "-c", program, *arguments], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    assert output.splitlines()[-1] == "[]"


def test_coordinator_never_loads_tensorflow_or_data_code():
    program = (
        "import sys, coordinator.federation, coordinator.status, coordinator.progress, coordinator.run_metrics\n"
        "heavy = {'tensorflow', 'keras', 'pandas', 'numpy', 'tensorboardX', 'mlflow'} & set(sys.modules)\n"
        "free = {'party.protocol', 'party.protocol.checkpoints', 'party.protocol.shuffled_column'}\n"
        "homes = ('party.data', 'party.models', 'party.engine', 'party.channel', 'party.cut', 'party.protocol')\n"
        "data = [name for name in sys.modules if name.startswith(homes) and name not in free]\n"
        "print(sorted(heavy), data)\n"
    )
    output = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert output.stdout == "[] []\n"
