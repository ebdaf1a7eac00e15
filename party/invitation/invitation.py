"""The public material of one organisation: its name, its role, where it is, and the authority that vouches for it."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from party.configuration.addresses import ReachableAddress
from party.configuration.joins import MAXIMUM_KEY_COLUMNS, Transforms
from party.configuration.run import MAXIMUM_DATASETS, DatasetName
from party.configuration.sections import Name
from party.configuration.strict import StrictModel
from party.configuration.yaml_text import flow_text

VERSION = 1
SUFFIX = ".invitation"
MAXIMUM_AUTHORITY_CHARACTERS = 16 * 1024

Role = Literal["label_party", "feature_party", "coordinator"]

_PREAMBLE = """\
# What {name} hands to its partners. Nothing in here is secret, but it decides whom they trust:
# compare its fingerprint with the one that {name} reads to you, over the telephone or face to face.
"""


class OfferedTable(StrictModel):
    """A table of a feature party, which the label party may join.

    Attributes:
        name: name of the table.
        key_columns: number of columns that its key has.
        transforms: what happens to each cell of the key before it is compared; the same at both parties.
    """

    name: DatasetName
    key_columns: int = Field(default=1, ge=1, le=MAXIMUM_KEY_COLUMNS)
    transforms: Transforms = ()


class Invitation(StrictModel):
    """One organisation's invitation: public facts alone, no path and no column.

    Attributes:
        invitation: version of this form.
        name: certificate name.
        role: what the organisation does in a run.
        protocol: version of what parties say to each other.
        address: host and port of a party.
        datasets: names of a party's datasets.
        tables: a feature party's tables, in place of datasets.
        authority: the authority that vouches for the name, one certificate as PEM.
    """

    invitation: Literal[1]
    name: Name
    role: Role
    protocol: int = Field(ge=1, le=1_000_000)
    address: ReachableAddress | None = None
    datasets: Annotated[tuple[DatasetName, ...], Field(max_length=MAXIMUM_DATASETS, strict=False)] = ()
    tables: Annotated[tuple[OfferedTable, ...], Field(max_length=MAXIMUM_DATASETS, strict=False)] = ()
    authority: str = Field(min_length=1, max_length=MAXIMUM_AUTHORITY_CHARACTERS)

    @model_validator(mode="after")
    def _fits_its_role(self) -> Self:
        if self.role == "coordinator" and (self.address or self.datasets or self.tables):
            raise ValueError("a coordinator has no address, datasets or tables: it calls the parties")
        if self.role != "coordinator" and self.address is None:
            raise ValueError("a party has an address, at which the coordinator reaches it")
        if self.role != "coordinator" and bool(self.datasets) == bool(self.tables):
            raise ValueError("a party has either datasets or tables")
        if self.role == "label_party" and self.tables:
            raise ValueError("tables belong to feature parties")
        return self

    @property
    def role_words(self) -> str:
        """The role as people write it."""
        return self.role.replace("_", " ")

    def to_bytes(self) -> bytes:
        """The file to hand over, as YAML."""
        content = self.model_dump(mode="json", exclude={"authority"}, exclude_defaults=True)
        lines = [f"{key}: {flow_text(value)}" for key, value in content.items()]
        pem = "".join(f"  {line}\n" for line in self.authority.split("\n") if line)
        preamble = _PREAMBLE.format(name=self.name)
        return (preamble + "\n".join(lines) + "\nauthority: |\n" + pem).encode()
