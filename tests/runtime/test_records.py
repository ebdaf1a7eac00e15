"""Records of runs keep what the order of a file's keys means."""

from __future__ import annotations

from pathlib import Path

from party.configuration.features import DataSection
from party.configuration.layout import FuseLayout
from party.configuration.models import DNNFuse
from party.configuration.strict import validate
from party.runtime.records import RunRecord, RunRecords

RUN_ID = bytes(16)


def test_labels_keep_their_order(tmp_path: Path) -> None:
    sections = {name: {"rule": f"{name} > 1"} for name in ("liked", "bought", "again")}
    data = validate(DataSection, {"id": "ID", "datasets": {"train": "train.csv"}, "labels": sections}, "bank.yaml")
    fuse = FuseLayout(section=DNNFuse(kind="dnn"), units={"deep": 4}, labels=data.labels)
    record = RunRecord(
        run_id=RUN_ID.hex(),
        coordinator="driver",
        configuration_sha256="",
        parties=("bank", "shop"),
        secret="",
        row_key="",
        state="trained",
        fuse=fuse,
    )
    RunRecords(tmp_path / "runs", "bank").save(record)
    found = RunRecords(tmp_path / "runs", "bank").find(RUN_ID)
    assert found == record
    assert found.fuse is not None
    assert list(found.fuse.labels) == list(sections)
