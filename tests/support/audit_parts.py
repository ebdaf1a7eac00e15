"""Parts of audits with given figures, and the certificates that sign them."""

from datetime import UTC, datetime

from party.audit.report.audit_part import AuditPart
from party.audit.report.audit_row import AuditRow
from party.audit.report.audited_run import AuditedRun, ConfiguredProtection, RunConditions
from party.audit.report.signed_part import part_to_bytes
from party.audit.report.spending import LedgerTotals, SpentSecret
from party.security.certificates import Usage, own_identity
from party.security.issuing import write_organisation

NOW = datetime.now(UTC)
PRIVATE_LABELS = ConfiguredProtection(name="private labels", epsilon=1.0, detail="drawn once by id")
RUN_IDS = {"plain": "aa" * 16, "private": "bb" * 16}


def make_row(**changes):
    """A row of an attack on a label."""
    row = {
        "secret": "liked",
        "attack": "direction",
        "attacker_has": "gradients, 1 positive row",
        "attacker": "alice",
        "one_step": 0.97,
        "all_epochs": 0.99,
        "standard_error": 0.01,
        "without_run": 0.5,
        "ceiling": None,
        "verdict": "open",
        "note": "",
        "reference": "Li et al. 2022",
    }
    return AuditRow(**{**row, **changes})


def make_part(party="bob", run="plain", *, table=None, protections=(), evaluation=None, **changes):
    """A part of one party; `table` are its rows, `changes` fields of the run."""
    fields = {
        "run_id": RUN_IDS[run],
        "configuration_sha256": "cc" * 32,
        "coordinator": "coordinator",
        "parties": ("alice", "bob"),
        "label_party": "bob",
        "dataset": "train",
        "rows": 1000,
        "epochs": 3,
        "batch_size": 128,
    }
    conditions = RunConditions(
        run=AuditedRun(**{**fields, **changes}),
        protections=tuple(protections),
        base_model="deepfm",
        fuse_model="deepfm" if party == "bob" else "",
        codecs={"hidden": "float32", "gradient": "float32"},
        versions={"splitrain": "1.0"},
    )
    secret = "labels" if party == "bob" else "columns"
    spent = SpentSecret(secret=secret, epsilon=0.0, is_exact=True, receivers=("alice",))
    return AuditPart(
        party=party,
        made_at=NOW.isoformat(timespec="seconds"),
        made_with="1.0",
        seed=0,
        conditions=conditions,
        rows=tuple(table or [make_row()]),
        spent=LedgerTotals(
            run=(spent,), all_runs=(spent,), releases={"gradients": 3000}, lines=4, last_digest="dd" * 32
        ),
        evaluation=evaluation,
    )


def make_identity(folder, name="bob"):
    """A party's certificate and key, from an authority of its own."""
    files = write_organisation(name, Usage.PARTY, folder / f"{name}-certificates", now=NOW, days=30)
    return own_identity(name, files.certificate, files.key, usage=Usage.PARTY, now=datetime.now(UTC))


def write_signed(folder, part, identity, name="part.json"):
    """Writes a signed part; returns its path."""
    path = folder / name
    path.write_bytes(part_to_bytes(part, identity))
    return path
