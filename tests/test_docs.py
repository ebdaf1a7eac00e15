"""What README.md and docs/ say of keys, commands, exit codes and files is what the code has."""

import re
import typing

import pytest
import yaml
from pydantic import BaseModel, Field
from pydantic_core import PydanticUndefined

from coordinator import configuration as coordinator_configuration
from coordinator.configuration import CoordinatorConfiguration, PartyAddress, load_coordinator_configuration
from party.configuration import features, label_privacy, labels, models, privacy
from party.configuration import party as party_configuration
from party.configuration.audit import AuditSection
from party.configuration.budgets import BudgetSection, BudgetsSection
from party.configuration.csv_format import CsvSection
from party.configuration.datetime_feature import DatetimeFeature
from party.configuration.joins import JoinSection
from party.configuration.keras_objects import KerasObject
from party.configuration.meters import MetersSection
from party.configuration.metrics import MetricSection
from party.configuration.monitoring import MlflowSection, MonitoringPort
from party.configuration.negatives import NegativesSection
from party.configuration.numeric_feature import NumericFeature
from party.configuration.party import PartyConfiguration, load_party_configuration
from party.configuration.policy import PolicySection
from party.configuration.run import (
    AlignmentSection,
    CodecSection,
    CodecsSection,
    EarlyStoppingSection,
    LocalUpdatesSection,
    OptimizerSection,
    RunConfiguration,
    ScheduleSection,
    TrainingSection,
)
from party.configuration.sections import KnownName, TlsSection
from party.configuration.threads import ThreadsSection
from party.errors import ERRORS_BY_CODE, INTERRUPTED_EXIT_CODE, SplitError
from party.policy.rules import Policy
from tests.support.documents import (
    CONFIGURATION,
    DOCUMENTS,
    NAMES,
    README,
    ROOT,
    anchors,
    examples,
    headings,
    inline_code,
    links,
    table,
)

SECTIONS = {
    "A party's file": PartyConfiguration,
    "`tls`": TlsSection,
    "`peers` and `coordinators`": KnownName,
    "`coordinators`": party_configuration.KnownCoordinator,
    "`data`": features.DataSection,
    "`data.csv`": CsvSection,
    "`data.joins`": JoinSection,
    "`data.negatives`": NegativesSection,
    "Label `binary`": labels.BinaryLabel,
    "`class_weights`": labels.ClassWeights,
    "Label `regression`": labels.RegressionLabel,
    "Label `multi_class`": labels.MultiClassLabel,
    "Privacy of a label": label_privacy.LabelPrivacy,
    "Privacy of a number": label_privacy.NumberPrivacy,
    "A metric": MetricSection,
    "A name of Keras": KerasObject,
    "`data.features`": features.FeatureSection,
    "Kind `hash`": features.HashFeature,
    "Kind `vocabulary`": features.VocabularyFeature,
    "Kind `integer_buckets`": features.IntegerBucketsFeature,
    "Kind `numeric`": NumericFeature,
    "Kind `datetime`": DatetimeFeature,
    "Kind `multi_hot`": features.MultiHotFeature,
    "Kind `sequence`": features.SequenceFeature,
    "Model `deepfm`": models.DeepFMModel,
    "Model `dnn`": models.DNNModel,
    "Model `bst`": models.BSTModel,
    "Model `own`": models.OwnModel,
    "Fuse `own`": models.OwnFuse,
    "Fuse `deepfm`": models.DeepFMFuse,
    "Fuse `dnn`": models.DNNFuse,
    "Fuse `mmoe`": models.MMoEFuse,
    "`privacy`": privacy.PrivacySection,
    "`privacy.columns`": privacy.PrivateColumnsSection,
    "Domain `values`": privacy.ValuesDomain,
    "Domain `range`": privacy.RangeDomain,
    "`privacy.decorrelate`": privacy.DecorrelateSection,
    "`policy`": PolicySection,
    "`policy.budgets`": BudgetsSection,
    "A budget": BudgetSection,
    "`meters`": MetersSection,
    "`checkpoints`": party_configuration.PartyCheckpointsSection,
    "`audit`": AuditSection,
    "`threads`": ThreadsSection,
    "A run's file": CoordinatorConfiguration,
    "`parties`": PartyAddress,
    "`health` and `prometheus`": MonitoringPort,
    "`mlflow`": MlflowSection,
    "`checkpoints` of a run": coordinator_configuration.CheckpointIntervalSection,
    "`alignment`": AlignmentSection,
    "`training`": TrainingSection,
    "`optimizer`": OptimizerSection,
    "`training.early_stopping`": EarlyStoppingSection,
    "`training.schedule`": ScheduleSection,
    "`training.local_updates`": LocalUpdatesSection,
    "`training.codecs`": CodecsSection,
    "A codec": CodecSection,
    "What the parties agree on": RunConfiguration,
}
REPOSITORY_PATH = re.compile(r"(?:party|coordinator|deploy|tests|proto|docs)/[\w./-]*")


def test_documents_are_there():
    expected = {"README.md", "CONTRIBUTING.md", "SECURITY.md", "configuration.md", "architecture.md", "operations.md"}
    assert expected <= {path.name for path in DOCUMENTS}


# Examples


def load_example(name, content, folder):
    path = folder / name
    path.write_text(content)
    run = "coordinator" in yaml.safe_load(content)
    return load_coordinator_configuration(path) if run else load_party_configuration(path)


def kinds():
    return {kind.model_fields["kind"].annotation.__args__[0] for kind in features.FeatureSection.__subclasses__()}


@pytest.mark.parametrize("path", [README, CONFIGURATION], ids=lambda path: path.name)
def test_examples_load_and_make_one_federation(path, tmp_path):
    loaded = {name: load_example(name, content, tmp_path) for name, content in examples(path)}
    assert {"alice.yaml", "bob.yaml", "run.yaml"} <= set(loaded)
    run = loaded["run.yaml"]
    for party in (loaded["alice.yaml"], loaded["bob.yaml"]):
        Policy(party).check_members(run.run, party.label_party)
        assert [one.name for one in party.coordinators] == [run.coordinator]
        assert {run.training.dataset, run.evaluate_dataset, *run.alignment.datasets} <= set(party.data.datasets)
    assert loaded["bob.yaml"].holds_labels
    assert loaded["alice.yaml"].base_model.embedding_dimension == loaded["bob.yaml"].base_model.embedding_dimension


def test_examples_of_the_reference_show_every_kind_of_feature(tmp_path):
    parties = [load_example(*one, tmp_path) for one in examples(CONFIGURATION) if one[0] != "run.yaml"]
    assert {feature.kind for party in parties for feature in party.data.features} == kinds()


# Keys


def models_in(annotation):
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for inner in typing.get_args(annotation) for model in models_in(inner)]


def reachable(model):
    found = {model}
    for field in model.model_fields.values():
        for inner in models_in(field.annotation):
            found |= reachable(inner)
    return found


def keys_of(model):
    """The keys of a section's own table: a kind of feature leaves out those of every feature."""
    shared = features.FeatureSection.model_fields if features.FeatureSection in model.__bases__ else {}
    return {key: field for key, field in model.model_fields.items() if not field.exclude and key not in shared}


def shown_default(field):
    """How the tables show a default; None where the text is free, as for a section's defaults."""
    default = field.get_default(call_default_factory=True)
    if default is PydanticUndefined:
        return "required"
    if default is None:
        return "none"
    if isinstance(default, KerasObject):
        return f"`{default.name}`"
    if isinstance(default, BaseModel):
        return "its defaults"
    if default == "":
        return '`""`'
    plain = [getattr(one, "name", one) for one in default] if isinstance(default, tuple) else default
    return f"`{yaml.safe_dump(plain, default_flow_style=True, width=1000).removesuffix('...' + chr(10)).strip()}`"


def choices_of(annotation):
    inner = typing.get_args(annotation)
    return {one for one in inner if isinstance(one, str)}.union(*(choices_of(one) for one in inner))


def stated_limits(field):
    """What the type of a key must state: choices of a literal, inclusive bounds of a number."""
    bounds = [getattr(one, name, None) for one in field.metadata for name in ("ge", "le")]
    return {f"`{one}`" for one in choices_of(field.annotation)} | {
        f"{bound:.0f}" for bound in bounds if bound is not None
    }


def mistakes(model, rows):
    """Keys that a table lacks, has too many of, or states wrongly."""
    documented = {key.strip("`"): (kind, default) for key, kind, default, _ in rows}
    keys = keys_of(model)
    wrong = sorted(set(documented) ^ set(keys))
    for key in sorted(set(documented) & set(keys)):
        kind, default = documented[key]
        limits = [rf"(?<!\w){re.escape(one)}(?!\w)" for one in stated_limits(keys[key])]
        if default != shown_default(keys[key]) or not all(re.search(one, kind) for one in limits):
            wrong.append(key)
    return wrong


def test_every_model_of_a_file_has_a_section():
    reached = reachable(PartyConfiguration) | reachable(CoordinatorConfiguration) | reachable(RunConfiguration)
    assert reached == set(SECTIONS.values()) - {features.FeatureSection}
    assert set(SECTIONS) <= set(headings(CONFIGURATION.read_text()))


@pytest.mark.parametrize("heading", SECTIONS)
def test_every_key_is_documented_with_its_type_and_default(heading):
    assert mistakes(SECTIONS[heading], table(CONFIGURATION.read_text(), heading, "key")) == []


def test_made_up_keys_are_noticed():
    rows = table(CONFIGURATION.read_text(), "`training`", "key")
    assert mistakes(TrainingSection, rows) == []

    class MoreKeys(TrainingSection):
        warm_up_steps: int = 0

    class OtherDefault(TrainingSection):
        batch_size: int = Field(default=64, ge=1, le=1 << 20)

    class OtherBound(TrainingSection):
        batch_size: int = Field(default=128, ge=1, le=512)

    class OtherChoices(TrainingSection):
        remainder: typing.Literal["keep", "drop", "pad"] = "keep"

    assert mistakes(MoreKeys, rows) == ["warm_up_steps"]
    assert mistakes(OtherDefault, rows) == mistakes(OtherBound, rows) == ["batch_size"]
    assert mistakes(OtherChoices, rows) == ["remainder"]
    assert mistakes(TrainingSection, rows[:-1]) == ["codecs"]


def test_every_kind_of_feature_states_its_treatment_of_cells():
    rows = table(CONFIGURATION.read_text(), "`data.features`", "kind")
    assert {row[0].strip("`") for row in rows} == kinds()
    assert all(len(row) == 4 and all(row) for row in rows)


# Exit codes


def test_every_exit_code_is_documented():
    rows = table(CONFIGURATION.read_text(), "Exit codes", "code")
    documented = {int(code): name.strip("`") for code, name, _, _ in rows}
    expected = {kind.exit_code: kind.__name__ for kind in ERRORS_BY_CODE.values()}
    assert documented == {0: "", SplitError.exit_code: "", INTERRUPTED_EXIT_CODE: "", **expected}
    assert all(meaning and first for _, _, meaning, first in rows)


# Links and paths


def leads_somewhere(target, text, folder):
    name, _, fragment = target.partition("#")
    path = folder / name
    if name and not path.exists():
        return False
    return not fragment or fragment in anchors(path.read_text() if name else text)


def broken_links(text, folder):
    local = [target for target in links(text) if not re.match(r"[a-z]+:", target)]
    return [target for target in local if not leads_somewhere(target, text, folder)]


@pytest.mark.parametrize("path", DOCUMENTS, ids=NAMES)
def test_links_lead_somewhere(path):
    assert broken_links(path.read_text(), path.parent) == []


def test_broken_links_are_noticed():
    text = "## A part\n[a](#a-part) [b](#b) [c](README.md) [d](docs/none.md) [e](README.md#none) [f](https://example.com/x)"
    assert broken_links(text, ROOT) == ["#b", "docs/none.md", "README.md#none"]


def missing_paths(text):
    named = {code for code in inline_code(text) if REPOSITORY_PATH.fullmatch(code)}
    return sorted(name for name in named if not (ROOT / name).exists())


@pytest.mark.parametrize("path", DOCUMENTS, ids=NAMES)
def test_paths_of_the_repository_exist(path):
    assert missing_paths(path.read_text()) == []


def test_missing_paths_are_noticed():
    assert missing_paths("`party/errors.py` `party/none.py` `tests/` `party serve`") == ["party/none.py"]


ROLE_PAGES = ("security-officer.md", "operator.md", "data-scientist.md")
LINES_OF_A_SCREEN = 45
WITHOUT_A_TEST = ("## Not protected", "## Ask before you sign")


@pytest.mark.parametrize("name", ROLE_PAGES)
def test_a_page_for_a_role_is_one_screen_whose_every_claim_names_a_test(name):
    lines = (ROOT / "docs" / name).read_text().splitlines()
    assert len(lines) <= LINES_OF_A_SCREEN
    claims, section = [], ""
    for line in lines:
        if line.startswith("## "):
            section = line
        elif line.startswith("- ") and section not in WITHOUT_A_TEST:
            claims.append(line)
        elif line.startswith("  ") and section not in WITHOUT_A_TEST:
            claims[-1] += line
    assert len(claims) > 5
    assert [claim for claim in claims if "`tests/" not in claim] == []
