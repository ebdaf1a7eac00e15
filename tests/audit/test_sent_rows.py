"""The table of a feature party has a row for each secret, also where an attack cannot be measured."""

import numpy as np
import pytest

from party.audit.received_batch import ReceivedBatch
from party.audit.received_batches import ReceivedBatches
from party.audit.received_header import ReceivedColumns, ReceivedHeader
from party.audit.report.spending import SpentSecret
from party.audit.sent_rows import (
    BOUNDED_NOTE,
    TOLD_MORE,
    UNBOUNDED_NOTE,
    ColumnSecrets,
    Guarantee,
    column_rows,
    noting_other_sessions,
)
from party.audit.truth import Truth
from tests.support.audit_parts import make_row

HEADER = ReceivedHeader(
    kind="hidden",
    sender="alice",
    receiver="bob",
    dataset="train",
    purpose="training",
    hiddens=(ReceivedColumns(name="deep", units=3),),
)
SECRETS = ("drawn", "public")


def rows_of(entities, epochs):
    """The table after epochs that each have some of the entities, with a private column and a public one."""
    generator = np.random.default_rng(0)
    truth = Truth({name: generator.integers(0, 2, entities) for name in SECRETS}, np.arange(entities))
    batches = [
        ReceivedBatch(
            position=epoch,
            epoch=epoch,
            trains=True,
            rows=rows.astype(np.int32),
            values=generator.normal(size=(len(rows), 3)).astype(np.float32),
        )
        for epoch, rows in enumerate(epochs)
    ]
    secrets = ColumnSecrets(truth=truth, private=frozenset({"drawn"}))
    return column_rows(ReceivedBatches(HEADER, batches), secrets, Guarantee(epsilon=1.0), seed=0, hijack=None)


def test_a_secret_that_no_probe_can_be_judged_by_is_not_measured():
    """With dropped remainders or few entities no entity may be in every epoch: that is no absence of a leak."""
    half = np.arange(500)
    for made in (rows_of(1000, [half, half + 500]), rows_of(20, [np.arange(20)])):
        probes = {row.secret: row.verdict for row in made if row.attack == "probe"}
        assert probes == dict.fromkeys(SECRETS, "not measured")


def test_an_epsilon_is_no_bound_of_a_column_beside_the_private_ones():
    made = rows_of(1000, [np.arange(1000)])
    active = {row.secret: (row.note, row.ceiling is None) for row in made if row.attack == "active head"}
    assert active == {"drawn": (BOUNDED_NOTE, False), "public": (UNBOUNDED_NOTE, True)}
    probed = {row.secret: row.ceiling is None for row in made if row.attack == "probe"}
    assert probed == {"drawn": False, "public": True}


def test_a_head_that_cannot_be_trained_is_not_measured():
    """Of a rare secret, the 200 known entities may have no positive one: an attack that fails proves nothing."""
    entities = np.arange(5000)
    truth = Truth({"rare": (entities == 4321).astype(np.int64)}, entities)
    values = np.random.default_rng(0).normal(size=(5000, 3)).astype(np.float32)
    batch = ReceivedBatch(position=0, epoch=0, trains=True, rows=entities.astype(np.int32), values=values)
    sent = ReceivedBatches(HEADER, [batch])
    made = column_rows(sent, ColumnSecrets(truth=truth), Guarantee(), seed=0, hijack=lambda secret, known: sent)
    assert {row.attack: row.verdict for row in made} == {"probe": "not measured", "active head": "not measured"}


@pytest.mark.parametrize(
    ("spent", "is_exact", "is_noted"), [(1.0, False, False), (2.0, False, True), (1.0, True, True), (0.0, True, True)]
)
def test_a_row_within_its_ceiling_says_that_another_session_told_more(spent, is_exact, is_noted):
    """Whoever got the labels of a run without protection has them, whatever the next run is within."""
    rows = [make_row(ceiling=0.731, all_epochs=0.7, verdict="within", note="first"), make_row()]
    ledger = [SpentSecret(secret="labels", epsilon=spent, is_exact=is_exact, receivers=("alice",))]
    bounded, other = noting_other_sessions(rows, ledger, 1.0)
    assert bounded.note == (f"{TOLD_MORE}; first" if is_noted else "first")
    assert other == rows[1]
