import copy
import re

import pytest
import yaml
from hypothesis import given, settings

from party.configuration.party import (
    DeepFMModel,
    DNNFuse,
    PartyConfiguration,
    ThreadsSection,
    load_party_configuration,
)
from party.configuration.strict import validate
from party.errors import ConfigurationError
from tests.support.configuration_cases import FEATURES, change, feature_party, label_party, mistyped, refusal

KINDS = {feature["kind"] for feature in FEATURES}


def written(folder, content):
    path = folder / "bank.yaml"
    path.write_text(yaml.safe_dump(content))
    path.chmod(0o600)
    return path


def check(content):
    return validate(PartyConfiguration, content, "bank.yaml")


@pytest.mark.parametrize("make", [label_party, feature_party])
def test_file_with_every_key_is_read(tmp_path, make):
    configuration = load_party_configuration(written(tmp_path, make()))
    for key, value in make().items():
        if isinstance(value, str | bool):
            assert getattr(configuration, key) == value


def test_paths_start_at_the_file(tmp_path):
    configuration = load_party_configuration(written(tmp_path, label_party()))
    assert configuration.path("data/x.csv") == tmp_path.resolve() / "data/x.csv"
    assert configuration.path("/data/x.csv").as_posix() == "/data/x.csv"


@pytest.mark.parametrize("make", [label_party, feature_party])
def test_defaults(make):
    content = make()
    for key in ("model", "fuse", "policy", "threads", "pinned_secret", "insecure", "log_level"):
        content.pop(key, None)
    configuration = check(content)
    assert configuration.base_model == DeepFMModel()
    assert configuration.fuse_model == (DNNFuse(kind="dnn") if configuration.holds_labels else None)
    assert configuration.pinned_secret is None
    assert not configuration.insecure
    assert configuration.policy.minimum_metric_rows == 32
    assert configuration.threads == ThreadsSection(intra_operation="auto", inter_operation=1)


def test_label_party_may_hold_no_features():
    content = change(change(label_party(), "data.features", None), "model", None)
    configuration = check(content)
    assert configuration.base_model is None
    assert configuration.fuse_model is not None


NO_LABELS = {"data.labels": None, "data.unlabelled": None, "data.sample_weight": None}
REQUIRED = [
    *("party", "listen", "label_party", "peers", "coordinators", "tls", "state", "data"),
    *("peers.0.name", "peers.0.ca", "tls.certificate", "tls.key", "data.labels.liked.rule"),
]


@pytest.mark.parametrize("path", REQUIRED)
def test_required_key_is_missed(path):
    assert f"key {path} is missing" in refusal(check, change(label_party(), path, None))


@pytest.mark.parametrize(("place", "key"), [(0, "buckets"), (2, "boundaries"), (5, "maximum_length")])
def test_required_key_of_a_feature_is_missed(place, key):
    text = refusal(check, change(label_party(), f"data.features.{place}.{key}", None))
    assert f"key data.features.{place}.{key} is missing" in text


@pytest.mark.parametrize("place", range(6))
def test_a_feature_has_one_column_or_several(place):
    path = f"data.features.{place}"
    said = f"key {path}: needs column, or columns for several, and not both"
    assert said in refusal(check, change(label_party(), f"{path}.column", None))
    assert said in refusal(check, change(label_party(), f"{path}.columns", ["q*"]))


def test_the_features_of_several_columns_have_no_name_of_their_own():
    content = change(change(label_party(), "data.features.3.columns", "d*"), "data.features.3.column", None)
    assert "name belongs to a single column" in refusal(check, content)


WRONG = {
    "party": [3, "", "Bank", "ba nk", "-bank", "bank-", "a" * 64, "bänk"],
    "listen": ["nowhere", "host:", "host:port", "host:123456", "a b:1", 5000],
    "label_party": [True, "Shop"],
    "peers": [[], "shop", [{"name": "shop"}], ["shop"]],
    "peers.0.name": ["Shop", "shop.example"],
    "peers.0.spki_sha256": ["0" * 63, "0" * 65, "G" * 64, "A" * 64],
    "coordinators": [[]],
    "tls.key": [3],
    "state": [3, ["state"]],
    "data.id": ["", 3],
    "data.datasets": [{}, [], {"no name": "x.csv"}, {"1st": "x.csv"}, {"a/b": "x.csv"}, {"train": 3}],
    "data.features.0.buckets": [0, -1, 2**31 - 1, 1.5, "10"],
    "data.features.0.salt": ["x" * 65],
    "data.features.0.algorithm": ["md5"],
    "data.features.0.kind": ["hashed", 3],
    "data.features.0.column": ["", 3],
    "data.features.0.name": [""],
    "data.features.1.minimum_count": [0],
    "data.features.1.maximum_size": [0],
    "data.features.1.values": [[], [3]],
    "data.features.2.boundaries": [[], [1, 1], [2, 1], [1.5], ["1"]],
    "data.features.2.malformed": ["ignore"],
    "data.features.4.separator": [""],
    "data.features.4.maximum_values": [0],
    "data.labels.liked.rule": ["", "Rating", "Rating >", "> 3", "Rating ~ 3", 3],
    "model.kind": ["linear"],
    "model.embedding_dimension": [0, -1, 1.5, True],
    "model.units": [[], [0], [8, -1], ["8"], 8],
    "model.dropout": [-0.1, 1.0, "0.1"],
    "model.embedding_l2": [-1.0],
    "fuse.units": [[0]],
    "fuse.dropout": [1.0],
    "policy.minimum_batch": [0],
    "policy.minimum_metric_rows": [0],
    "policy.maximum_epochs": [0],
    "policy.minimum_intersection": [0],
    "policy.maximum_peer_rows": [0],
    "policy.allowed_aggregations": [["mean"], "sum"],
    "policy.allow_predict": ["yes", 1],
    "policy.peer_sets": [[["Shop"]], ["shop"]],
    "threads.intra_operation": [-1, "all"],
    "threads.inter_operation": [-1],
    "pinned_secret": ["ab" * 31, "ab" * 33, "AB" * 32, "secret"],
    "insecure": ["no", 0],
    "log_level": ["trace", "INFO"],
}


@pytest.mark.parametrize(("path", "value"), [(path, value) for path, values in WRONG.items() for value in values])
def test_wrong_value_is_refused_at_its_key(path, value):
    text = refusal(check, change(label_party(), path, value))
    section = path.rpartition(".")[0] if path.endswith(".kind") else path
    # A discriminated section names its kind in between.
    assert re.search(".*".join(map(re.escape, ["key", *section.split(".")])), text), text


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"coordinators": [{"name": "shop", "ca": "x"}]}, "names used twice among party, peers and coordinators: shop"),
        ({"peers": [{"name": "bank", "ca": "x"}]}, "names used twice among party, peers and coordinators: bank"),
        ({"label_party": "driver"}, "label_party must be this party or one of peers"),
        (NO_LABELS, "the label party needs data.labels"),
        ({"label_party": "shop"}, "data.labels and fuse belong to the label party only"),
        ({"label_party": "shop", "fuse": None}, "data.labels and fuse belong to the label party only"),
        ({"label_party": "shop", **NO_LABELS}, "data.labels and fuse belong to the label party only"),
        (
            {"label_party": "shop", **NO_LABELS, "fuse": None, "data.features": None, "model": None},
            "a feature party needs data.features",
        ),
        ({"data.features": None}, "model needs data.features"),
        ({"data.id": None}, "key data: id is missing: it names the column by which the rows of the parties are joined"),
        ({"data.datasets": None}, "key data: needs datasets, or tables at a feature party that is joined by them"),
        (
            {"policy.inference_datasets": ["test", "other"]},
            "policy.inference_datasets names other, which is not in data.datasets",
        ),
        ({"data.features.1.column": "a"}, "features named twice: a; give one of them a name"),
        ({"data.features.1.name": "dd"}, "features named twice: dd; give one of them a name"),
        ({"data.features.1.column": "ID"}, "the id column cannot be a feature"),
        ({"data.labels.liked.rule": "a == 1"}, "the label's column cannot be a feature"),
    ],
)
def test_what_does_not_fit_together_is_refused(changes, message):
    content = label_party()
    for path, value in changes.items():
        change(content, path, value)
    assert message in refusal(check, content)


def test_one_column_may_feed_two_features_of_different_names():
    content = change(label_party(), "data.features.1", {"column": "a", "kind": "vocabulary", "name": "second"})
    content = change(content, "data.features.5.target", "second")
    assert [feature.key for feature in check(content).data.features] == ["a", "second", "c", "dd", "e", "f"]


@pytest.mark.parametrize(
    ("rule", "parts"),
    [
        ("Rating > 3", ("Rating", ">", "3")),
        ("Rating>=3", ("Rating", ">=", "3")),
        ("  bought item ==  yes please ", ("bought item", "==", "yes please")),
        ("y != b", ("y", "!=", "b")),
        ("y<-1.5", ("y", "<", "-1.5")),
        ("y == 'b < c'", ("y", "==", "'b < c'")),
        ("`y` == b < c", ("y", "==", "b < c")),
        ("income == >50K", ("income", "==", ">50K")),
        ("`income_>50K` == 1", ("income_>50K", "==", "1")),
        ("`a=b`!=`x`", ("a=b", "!=", "`x`")),
    ],
)
def test_label_rule_is_taken_apart(rule, parts):
    assert check(change(label_party(), "data.labels.liked.rule", rule)).data.labels["liked"].parts == parts


def test_two_letters_in_the_wrong_order_name_the_key_of_the_same_letters():
    content = label_party()
    content["data"]["lables"] = content["data"].pop("labels")
    assert "unknown key data.lables, did you mean labels?" in refusal(check, content)


@settings(max_examples=150, deadline=None)
@given(mistyped(label_party))
def test_mistyped_key_is_named_with_its_path_and_the_right_key(case):
    content, path, key, slip = case
    text = refusal(check, content)
    if key == "kind":  # the other keys are then held against the default kind
        assert f"unknown key {path}.{slip}, did you mean kind?" in text
        return
    (named,) = [part for part in text.split("; ") if "unknown key" in part]
    where, _, hint = named.partition("unknown key ")[2].partition(", ")
    assert hint == f"did you mean {key}?"
    *parents, last = where.split(".")
    assert last == slip
    assert [part for part in parents if part not in KINDS] == [part for part in path.split(".") if part]


def test_folder_is_no_key(tmp_path):
    content = label_party() | {"folder": "/"}
    assert "unknown key folder" in refusal(load_party_configuration, written(tmp_path, content))
    assert "folder" not in refusal(check, label_party() | {"foldr": "/"}).partition("unknown key foldr")[2]


@pytest.mark.parametrize("bits", [0o640, 0o604, 0o620, 0o602, 0o610, 0o644])
def test_file_with_a_pinned_secret_is_refused_where_others_may_read_or_write_it(tmp_path, bits):
    path = written(tmp_path, label_party())
    path.chmod(bits)
    message = refusal(load_party_configuration, path)
    assert "holds pinned_secret and is open to others; expected mode 0600" in message
    assert f"received mode {bits:04o}; run chmod go-rwx {path}" in message
    assert label_party()["pinned_secret"] not in message


def test_file_without_a_secret_may_be_read_by_all_and_written_by_few(tmp_path):
    content = {key: value for key, value in label_party().items() if key != "pinned_secret"}
    path = written(tmp_path, content)
    for bits in (0o644, 0o664, 0o444):
        path.chmod(bits)
        assert load_party_configuration(path).pinned_secret is None
    path.chmod(0o666)
    assert "can be changed by every user" in refusal(load_party_configuration, path)


@pytest.mark.parametrize("text", ["a\0b", "\0", "a\ud800b"], ids=ascii)
def test_a_text_that_no_file_or_name_can_have_is_refused_with_its_key(tmp_path, text):
    """Every text of the file, whatever it is for: paths, names, ids, columns."""
    places = []

    def walk(content, keys):
        items = (
            content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
        )
        for key, value in items:
            if isinstance(value, str):
                places.append([*keys, key])
            walk(value, [*keys, key])

    walk(label_party(), [])
    assert ["tls", "key"] in places
    assert ["data", "id"] in places
    for place in places:
        content = copy.deepcopy(label_party())
        inner = content
        for key in place[:-1]:
            inner = inner[key]
        inner[place[-1]] = text
        message = refusal(load_party_configuration, written(tmp_path, content))
        assert f"key {'.'.join(map(str, place))} holds a text with a NUL character" in message
        assert message.isprintable()


def test_a_name_of_a_dataset_or_key_that_nothing_can_have_is_refused(tmp_path):
    content = label_party()
    content["data"]["datasets"]["te\0st"] = "x.csv"
    assert r"key data.datasets.te\x00st holds" in refusal(load_party_configuration, written(tmp_path, content))


def test_a_path_of_the_command_line_with_a_nul_is_refused(tmp_path):
    assert "a path holds a NUL character" in refusal(load_party_configuration, tmp_path / "a\0b.yaml")
    from party.export import export_models  # noqa: PLC0415

    with pytest.raises(ConfigurationError, match="a path holds a NUL character"):
        export_models(tmp_path / "alice.yaml", None, tmp_path / "a\0b")


def test_errors_of_a_file_with_line_breaks_in_its_keys_are_one_line(tmp_path):
    content = label_party() | {"two\nlines\x1b[2J": 1}
    content["data"]["datasets"] = {"train\nHarmless: all is well": "x"}
    message = refusal(load_party_configuration, written(tmp_path, content))
    assert "unknown key two lines?[2J" in message
    assert message.isprintable()


def test_pinned_secret_is_never_shown(tmp_path):
    configuration = load_party_configuration(written(tmp_path, label_party()))
    secret = label_party()["pinned_secret"]
    assert configuration.pinned_secret == secret
    assert secret not in repr(configuration)
    assert secret not in str(configuration)
    bad = secret[:-1] + "G"
    assert bad not in refusal(check, label_party() | {"pinned_secret": bad})


def test_configuration_does_not_share_what_it_was_made_of():
    content = label_party()
    configuration = check(content)
    before = copy.deepcopy(configuration)
    content["data"]["features"].clear()
    assert configuration == before


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({}, ()),
        ({"pinned_secret": "0" * 64}, ("pinned_secret",)),
        ({"insecure": True, "listen": "127.0.0.1:5000"}, ("insecure",)),
        ({"checkpoints": {"allow_other_numerics": True}}, ("checkpoints.allow_other_numerics",)),
        (
            {"policy": {"running_metrics": True, "exact_metrics": True, "share_schema": True}},
            ("policy.running_metrics", "policy.exact_metrics", "policy.share_schema"),
        ),
    ],
)
def test_every_protection_that_is_given_up_is_said(changes, named):
    content = {
        key: value for key, value in label_party().items() if key not in ("pinned_secret", "policy", "checkpoints")
    }
    configuration = validate(PartyConfiguration, {**content, "insecure": False, **changes}, "x")
    assert len(configuration.warnings) == len(named)
    assert all(warning.startswith(key) for warning, key in zip(configuration.warnings, named, strict=True))


def test_masked_sums_can_be_required_only_where_they_are_possible():
    content = change(feature_party(), "policy", {"require_secure_aggregation": True})
    assert "policy.require_secure_aggregation needs two feature parties" in refusal(check, content)
    content = change(content, "peers", [*content["peers"], {"name": "third", "ca": "third.pem"}])
    assert check(content).policy.require_secure_aggregation
    for rule, kept in (("allowed_aggregations", ["concat"]), ("allowed_codecs", ["int8"])):
        wrong = change(content, "policy", {"require_secure_aggregation": True, rule: kept})
        assert "require_secure_aggregation needs" in refusal(check, wrong)
