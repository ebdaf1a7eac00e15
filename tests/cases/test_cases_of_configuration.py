"""Keys and values as people write them into their files, and what the error says to write: one list of all."""

import pytest

from coordinator.configuration import load_coordinator_configuration
from party.configuration.party import load_party_configuration
from party.errors import ConfigurationError

PARTY = """\
party: bob
listen: 127.0.0.1:0
label_party: bob
peers: [{{name: alice, ca: alice.pem}}]
coordinators: [{{name: coordinator, ca: coordinator.pem}}]
tls: {{certificate: bob.pem, key: bob-key.pem}}
state: state
data:
  id: id
  datasets: {{train: b.csv}}
  features: [{feature}]
  labels: {labels}
{more}
"""
RUN = """\
coordinator: coordinator
tls: {{certificate: c.pem, key: k.pem}}
label_party: bob
parties:
  - {{name: alice, address: "127.0.0.1:1", ca: a.pem}}
  - {{name: bob, address: "127.0.0.1:2", ca: b.pem}}
alignment: {{datasets: [train]}}
training: {{dataset: train, seed: 7, {training}}}
"""
GOOD = {"feature": "{column: z, kind: numeric}", "labels": "{y: {rule: y == 1}}", "more": ""}
LEARNING_RATE = "learning_rate belongs to training.optimizer"
CLASS_WEIGHTS = "known keys are negative, positive, such as {negative: 1.0, positive: 5.0}"
LABEL = "must be a section of kind binary, regression or multi_class, such as {kind: binary, rule: Rating > 3}"
LABEL_NAME = "its name must be a name of lower-case letters, digits and _"
UNITS = "key model.units: must be a list of whole numbers of at least 1, such as [64], not"
KIND = "must be a section of kind deepfm, dnn, bst or own, such as {kind: deepfm}, not"

OF_THE_RUN = {
    # learning_rate directly under training
    "learning_rate: 0.01": LEARNING_RATE,
    "learning_rate: {name: CosineDecay}": LEARNING_RATE,
    "lr: 0.01": "did you mean training.optimizer.learning_rate?",
    "optimizer: {lr: 0.01}": "unknown key training.optimizer.lr, did you mean learning_rate?",
    "optimizer: adam": "such as {name: adam}, not a text",
    # own-validation-file
    "validation_data: valid": "did you mean validation_dataset?",
    "validation_split: 0.2": "did you mean validation_fraction?",
    # early stopping, as other tools have it
    "early_stopping: val_auc": "such as {metric: val_loss}, not a text",
    "early_stopping: true": "such as {metric: val_loss}, not true or false",
    "early_stopping: {monitor: val_auc}": "did you mean metric?",
    "early_stopping: {metric: auc}": "begins with val_, such as val_loss",
    "patience: 3": "patience belongs to training.early_stopping",
    "batch_size: '128'": "such as 128, not a text: write it without quotes",
    "batch_size: 1e2": "not a number with a point or an exponent",
}
OF_A_PARTY = {
    # class_weights by numbers
    ("labels", "{y: {rule: y == 1, class_weights: {0: 1, 1: 5}}}"): CLASS_WEIGHTS,
    ("labels", "{y: {rule: y == 1, class_weights: {1: 5}}}"): CLASS_WEIGHTS,
    ("labels", "{y: {rule: y == 1, class_weights: {'0': 1, '1': 5}}}"): "known keys are negative, positive",
    ("labels", "{y: {rule: y == 1, class_weights: [1, 5]}}"): "such as {negative: 1.0, positive: 5.0}, not a list",
    ("labels", "{y: {rule: y == 1, class_weights: balanced}}"): "such as {negative: 1.0, positive: 5.0}, not a text",
    # a label as text
    ("labels", "{y: y == 1}"): f"key data.labels.y: {LABEL}, not a text",
    ("labels", "{y: y}"): f"key data.labels.y: {LABEL}, not a text",
    ("labels", "y == 1"): "must be a mapping of names to sections, such as {liked: {kind: binary, rule: Rating > 3}}",
    ("labels", "[y]"): "must be a mapping of names to sections, such as {liked: {kind: binary, rule: Rating > 3}}",
    ("labels", "{y: {rule: y}}"): "must read COLUMN OPERATOR VALUE",
    # a label named Y
    ("labels", "{Y: {rule: Y == 1}}"): LABEL_NAME,
    ("labels", "{is click: {rule: y == 1}}"): LABEL_NAME,
    ("labels", "{1: {rule: y == 1}}"): "write it in quotes",
    # units: 64
    ("more", "model: {kind: dnn, units: 64}"): f"{UNITS} a whole number",
    ("more", "model: {units: 64, kind: deepfm}"): f"{UNITS} a whole number",
    ("more", "model: {kind: dnn, units: '64'}"): f"{UNITS} a text",
    ("more", "model: {kind: dnn, units: [64.0]}"): "model.units.0: must be a whole number of at least 1",
    ("more", "model: {kind: dnn, hidden_units: [64]}"): "did you mean units?",
    # a model without kind, or with another tool's
    ("more", "model: dnn"): f"key model: {KIND} a text",
    ("more", "model: [64]"): f"key model: {KIND} a list",
    ("more", "model: {type: dnn}"): "did you mean kind?",
    ("more", "model: {Kind: dnn}"): "did you mean kind?",
    ("more", "model: {kind: DNN}"): "key model.kind: must be one of deepfm, dnn, bst, own",
    ("feature", "{column: z}"): "key data.features.0.kind is missing: one of hash, vocabulary,",
    ("feature", "z"): "such as {kind: numeric, column: age}, not a text",
}


def refused(load, path, text):
    path.write_text(text)
    with pytest.raises(ConfigurationError) as error:
        load(path)
    told = str(error.value)
    assert not [word for word in ("tuple", "discriminator", "tag", "instance", "dict", "pattern") if word in told]
    return told


@pytest.mark.parametrize("written", OF_THE_RUN)
def test_what_people_write_about_a_run_is_answered_with_what_to_write(written, tmp_path):
    told = refused(load_coordinator_configuration, tmp_path / "run.yaml", RUN.format(training=written))
    assert OF_THE_RUN[written] in told


@pytest.mark.parametrize("written", OF_A_PARTY, ids=lambda one: one[1])
def test_what_people_write_about_a_party_is_answered_with_what_to_write(written, tmp_path):
    key, value = written
    told = refused(load_party_configuration, tmp_path / "bob.yaml", PARTY.format(**GOOD | {key: value}))
    assert OF_A_PARTY[written] in told


@pytest.mark.parametrize("model", ["", "model: {}", "model: {units: [64]}", "model: {units: [64], kind: dnn}"])
def test_a_model_without_kind_is_the_default_one(model, tmp_path):
    path = tmp_path / "bob.yaml"
    path.write_text(PARTY.format(**GOOD | {"more": model}))
    section = load_party_configuration(path).base_model
    assert section.kind == ("dnn" if "kind" in model else "deepfm")
    assert ("64" not in model) or section.units == (64,)
