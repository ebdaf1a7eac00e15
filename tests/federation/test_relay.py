"""A coordinator that keeps every byte it relays, over real gRPC and TLS, has read nothing."""

import hashlib

import numpy as np
import pytest

from coordinator.configuration import load_coordinator_configuration
from party.cut.layout import CutLayout
from party.data.encoders import encoders_from_json
from party.engine.base_model import BaseModel
from party.models.assembly import BASE, PartyModels
from party.models.packing import pack
from party.pb import party_pb2 as pb
from party.protocol.schedule import TrainingSchedule
from party.runtime.records import ENCODERS_FILE
from party.security.sealing import SealingKeys
from tests.support.relaying import (
    Recorder,
    Relay,
    assert_undisturbed,
    fit,
    honest,
)

DISTINCT_BYTES = 6  # in whatever is searched for, so that chance and padding never look like it


@pytest.fixture
def organisations(relayed_organisations):
    return relayed_organisations


@pytest.fixture(scope="module")
def secrets(relayed_organisations):
    """What must not be seen, by what it is: byte strings, each long and varied enough to mean something."""
    organisations = relayed_organisations
    frames = {name: organisations.read_table(name, "train") for name in organisations.names}
    ids = sorted({one for frame in frames.values() for one in frame["ID"]})
    income = frames["alice"]["income"]
    secrets = {
        "hiddens": [part for name in ("alice", "charlie") for part in first_hidden(organisations, name)],
        "ids": [one.encode() for one in ids],
        "digests of ids": [hashlib.sha256(one.encode()).digest() for one in ids],
        "labels": labels(organisations),
        "values": [one.encode() for one in income] + [np.float64(one).tobytes() for one in income.astype(float)],
        "words": [word.encode() for word in ("Köln", "drama", "comedy", "south")],
    }
    for what, found in secrets.items():
        assert found, what
    return secrets


def test_of_alignment_training_and_prediction_nothing_is_readable(organisations, secrets):
    recorder = Recorder()
    with Relay(organisations.run_path, recorder) as parties:
        parties.align(force=True)
        run_id = parties.fit().run_id
        parties.evaluate("train")
        parties.predict("train")
    assert_undisturbed(organisations, run_id)
    organisations.write_run({"validation_fraction": 0.2, "early_stopping": {}})
    with Relay(organisations.run_path, recorder) as parties:
        parties.fit()
    organisations.write_run()
    recorder.messages += [path.read_bytes() for path in organisations.runs_path.rglob("*.*")]
    # A row map belongs to joins, which these organisations do not have.
    absent = {pb.MESSAGE_KIND_UNSPECIFIED, pb.MESSAGE_KIND_ROW_MAP}
    assert recorder.kinds == set(pb.MessageKind.values()) - absent
    for what, texts in secrets.items():
        assert recorder.finds(*texts) == [], what


def test_without_the_seal_the_same_search_finds_the_hiddens(organisations, secrets, monkeypatch):
    def unsealed(keys, slot, message):
        return pb.Envelope(
            sender=slot.sender,
            receiver=slot.receiver,
            kind=slot.kind,
            dataset=slot.dataset,
            index=slot.index,
            ciphertext=message,
        )

    monkeypatch.setattr(SealingKeys, "seal", unsealed)
    monkeypatch.setattr(SealingKeys, "open", lambda keys, slot, envelope: envelope.ciphertext)
    recorder = Recorder()
    assert_undisturbed(organisations, fit(organisations, recorder).run_id)
    assert recorder.finds(*secrets["hiddens"]) == secrets["hiddens"]


def test_the_search_finds_anything_that_is_there(secrets):
    for what, texts in secrets.items():
        recorder = Recorder()
        envelope = pb.Envelope(sender="alice", ciphertext=b"before" + b"".join(texts) + b"after")
        recorder(lambda _: pb.ForwardReply(), "bob", "Fuse", pb.FuseRequest(hiddens=[envelope]))
        assert recorder.finds(*texts) == texts, what


def first_hidden(organisations, name):
    """The first hidden of a run, computed anew from the weights that it starts with: bytes of rows, and of all."""
    with Relay(organisations.write_run({"maximum_steps": 0}), honest) as parties:
        run_id = bytes.fromhex(parties.fit().run_id)
    run = load_coordinator_configuration(organisations.write_run()).run
    context = organisations.servers[name].context
    folder = context.records.folder(run_id)
    models = PartyModels(context.records.find_trained(run_id.hex()).base)
    models.load(folder)
    encoders = encoders_from_json((folder / ENCODERS_FILE).read_text(), context.configuration.data.features)
    table = context.tables.table("train")
    rows = context.alignment(table, organisations.names).rows
    source = models.row_source(pack(encoders.encode(table.aligned(rows), "train")))
    schedule = TrainingSchedule(run.training, len(rows), organisations.row_key())
    batch = schedule.rows(schedule.exchange(0))
    matrix = BaseModel(models.models[BASE], source, CutLayout(models.specs)).infer(batch)
    hiddens = np.split(matrix, np.cumsum([spec.units for spec in models.specs])[:-1], axis=1)
    parts = [row.tobytes() for hidden in hiddens for row in hidden]
    parts.append(matrix.tobytes())
    return [part for part in parts if len(set(part)) >= DISTINCT_BYTES]


def labels(organisations):
    """The labels of all rows and of the first batch, in the common order, in the forms that programs keep them in."""
    context = organisations.servers["bob"].context
    table = context.tables.table("train")
    ratings = table.aligned(context.alignment(table, organisations.names).rows)["rating"].by_row().astype(float)
    forms = [np.packbits(ratings > 3).tobytes()]
    for values in (ratings, ratings > 3, ratings[:96], ratings[:96] > 3):
        forms += [values.astype(dtype).tobytes() for dtype in ("u1", "i4", "i8", "f4", "f8")]
    return forms
