"""Builds a party's models from its configuration, its data and its secret."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import keras

from party.configuration.labels import Labels
from party.configuration.layout import BaseLayout, FuseLayout, OutputScale
from party.configuration.models import (
    AnyFuse,
    AnyModel,
    BSTModel,
    DeepFMFuse,
    DeepFMModel,
    DNNFuse,
    DNNModel,
    MMoEFuse,
    OwnFuse,
    OwnModel,
)
from party.cut.hidden import Aggregation, HiddenSpec
from party.cut.layout import CutLayout
from party.data.rows import RowSource
from party.errors import HandshakeError, ModelError
from party.models import bst, deepfm, dnn, mmoe
from party.models.absent import build_absent
from party.models.embedding import INDICES, VALUES
from party.models.fuse_outputs import FuseOutputs
from party.models.initial_weights import draw_initial_weights
from party.models.output_units import in_label_units
from party.models.own import OwnRows, build_own_base, build_own_fuse, source_digest
from party.models.packing import PackedFeatures, PackedRows
from party.models.storage import load_weights, save_model, save_weights
from party.security.randomness import secret_stream

WEIGHTS_FILE = "weights.npz"
BASE = "base"
FUSE = "fuse"
ABSENT = "absent"
TEACHER = "teacher_"


class PartyModels:
    """The models of one party in one run: a base model, a fuse model with vectors for absent rows, or both.

    Args:
        base: layout of the base model; None without features.
        fuse: layout of the fuse model; None at a feature party.
        folder: the folder that files with models of the owner's own are relative to.
        head: prefix of the names of its weights and of its random streams; two heads of a party differ in it.

    Raises:
        ModelError: a model of the owner's own breaks the contract.
    """

    def __init__(
        self, base: BaseLayout | None, fuse: FuseLayout | None = None, folder: Path = Path(), head: str = ""
    ) -> None:
        self._head = head
        self.base_layout = base
        self.fuse_layout = fuse
        self.models: dict[str, keras.Model] = {}
        self.specs: tuple[HiddenSpec, ...] = ()
        self._folder = folder
        if base is not None:
            self.models[BASE], self.specs = build_base_and_specs(base, folder)
            self.models[BASE].name = f"{head}{BASE}"
        if fuse is not None:
            self._add_fuse(fuse)

    def add_fuse(
        self,
        section: AnyFuse,
        labels: Labels,
        specs: Mapping[str, Sequence[HiddenSpec]],
        *,
        summed: bool = False,
        absent: Sequence[str] = (),
        scales: Mapping[str, OutputScale] | None = None,
    ) -> None:
        """Adds the fuse model, once the hiddens of every party are known.

        Args:
            section: the model's hyper-parameters.
            labels: the labels that it predicts.
            specs: specs of the hiddens by party, this one included.
            summed: whether the parties add up all hiddens.
            absent: feature parties with rows that may be absent, ascending.
            scales: scales of the numbers that it learns, by label.

        Raises:
            HandshakeError: the hiddens do not fit together, or do not fit the fuse model.
        """
        expected = EXPECTED.get(type(section))
        if expected is None:
            expected = {spec.name: spec.aggregation for party in sorted(specs) for spec in specs[party]}
        if summed:
            expected = dict.fromkeys(expected, Aggregation.SUM)
        units = aggregated_units(specs, expected, section.kind)
        self._add_fuse(
            FuseLayout(
                section=section,
                units=units,
                aggregations={name: aggregation.value for name, aggregation in expected.items()},
                labels=labels,
                source_sha256=source_digest(self._folder, section.file) if isinstance(section, OwnFuse) else "",
                columns={party: {spec.name: spec.units for spec in specs[party]} for party in sorted(specs)},
                absent=tuple(absent),
                scales=dict(scales or {}),
            )
        )

    def _add_fuse(self, layout: FuseLayout) -> None:
        self.fuse_layout = layout
        self.models[FUSE] = build_fuse(layout, self._folder)
        self.models[FUSE].name = f"{self._head}{FUSE}"
        if layout.absent:
            self.models[ABSENT] = build_absent({party: self.peer_layouts[party].specs for party in layout.absent})
            self.models[ABSENT].name = f"{self._head}{ABSENT}"

    @property
    def peer_layouts(self) -> dict[str, CutLayout]:
        """Column layouts of the matrices of every party of the run, by party; the fuse model must have been added."""
        layout = self.fuse_layout
        if layout is None:
            raise RuntimeError("these models have no fuse model")
        return {
            party: CutLayout(
                [HiddenSpec(name, units, Aggregation(layout.aggregations[name])) for name, units in columns.items()]
            )
            for party, columns in layout.columns.items()
        }

    @property
    def absent_parties(self) -> tuple[str, ...]:
        """Feature parties that there are learned vectors for, ascending."""
        return () if self.fuse_layout is None else self.fuse_layout.absent

    @property
    def fuse_outputs(self) -> FuseOutputs:
        """The outputs of the fuse model; it must have been added."""
        if self.fuse_layout is None:
            raise RuntimeError("these models have no fuse model")
        return fuse_outputs(self.fuse_layout)

    def row_source(self, packed: PackedFeatures) -> RowSource:
        """A source of what the base model reads, by input name."""
        if self.base_layout is not None and isinstance(self.base_layout.section, OwnModel):
            return OwnRows(packed, self.models[BASE])
        return PackedRows(packed, INDICES, VALUES)

    def draw(self, secret: bytes, seed: int) -> None:
        """Draws initial weights and dropout states from the party's secret.

        Args:
            secret: the party's secret of the run, 32 bytes.
            seed: the run's seed.
        """
        for name, model in self.models.items():
            draw_initial_weights(model, secret_stream(secret, seed, f"{self._head}{name}"))

    def save(self, folder: Path, teacher: PartyModels | None = None) -> tuple[str, ...]:
        """Writes the weights and the models into a folder; returns the names of the files.

        Args:
            folder: the run's folder.
            teacher: the label party's other head, of which only the weights are written; None without private labels.
        """
        others = {} if teacher is None else {f"{TEACHER}{name}": model for name, model in teacher.models.items()}
        save_weights(folder / WEIGHTS_FILE, {**self.models, **others})
        files = [WEIGHTS_FILE]
        for name, model in self.models.items():
            save_model(folder / f"{name}.keras", model)
            files.append(f"{name}.keras")
        return tuple(files)

    def load(self, folder: Path) -> None:
        """Reads the weights of a finished run.

        Args:
            folder: the run's folder.
        """
        load_weights(folder / WEIGHTS_FILE, self.models)


EXPECTED: Mapping[type[AnyFuse], Mapping[str, Aggregation]] = {
    DeepFMFuse: deepfm.EXPECTED,
    DNNFuse: dnn.EXPECTED,
    MMoEFuse: dnn.EXPECTED,
}


def build_base_and_specs(layout: BaseLayout, folder: Path) -> tuple[keras.Model, tuple[HiddenSpec, ...]]:
    """Builds the base model that a layout's section names; returns it with the specs of its hiddens.

    Args:
        layout: layout of the base model.
        folder: the folder that own models' files are relative to.
    """
    if isinstance(layout.section, OwnModel):
        return build_own_base(layout, layout.section, folder)
    return build_base(layout), base_specs(layout)


def build_base(layout: BaseLayout) -> keras.Model:
    """Builds the built-in base model that a layout's section names."""
    match layout.section:
        case DeepFMModel() as section:
            return deepfm.build_base(layout, section)
        case DNNModel() as section:
            return dnn.build_base(layout, section)
        case BSTModel() as section:
            return bst.build_base(layout, section)
    raise _no_builtin(layout.section.kind)


def base_specs(layout: BaseLayout) -> tuple[HiddenSpec, ...]:
    """Specs of the hiddens of the built-in base model that a layout's section names."""
    match layout.section:
        case DeepFMModel() as section:
            return deepfm.base_specs(layout, section)
        case DNNModel() as section:
            return dnn.base_specs(layout, section)
        case BSTModel() as section:
            return bst.base_specs(layout, section)
    raise _no_builtin(layout.section.kind)


def _no_builtin(kind: str) -> ModelError:
    return ModelError(f"{kind} is no built-in model")


def build_fuse(layout: FuseLayout, folder: Path = Path()) -> keras.Model:
    """Builds the fuse model that a layout's section names, with its outputs in the units of the labels.

    Args:
        layout: layout of the fuse model.
        folder: the folder that own models' files are relative to.
    """
    return in_label_units(_build_fuse(layout, folder), layout.scales)


def _build_fuse(layout: FuseLayout, folder: Path) -> keras.Model:
    match layout.section:
        case DeepFMFuse() as section:
            return deepfm.build_fuse(section, layout.units, layout.labels, summed=layout.summed)
        case DNNFuse() as section:
            return dnn.build_fuse(section, layout.units, layout.labels, summed=layout.summed)
        case MMoEFuse() as section:
            return mmoe.build_fuse(section, layout.units, layout.labels, summed=layout.summed)
        case OwnFuse() as section:
            return build_own_fuse(layout, section, folder)


def fuse_outputs(layout: FuseLayout) -> FuseOutputs:
    """The outputs of the fuse model that a layout's section names.

    Args:
        layout: layout of the fuse model.

    Returns:
        The outputs.
    """
    if isinstance(layout.section, MMoEFuse):
        return mmoe.fuse_outputs(layout.section, layout.labels)
    return FuseOutputs(labels=layout.labels)


def base_layout(
    section: AnyModel, packed: PackedFeatures, folder: Path = Path(), *, summed: bool = False
) -> BaseLayout:
    """Makes the layout of a base model over packed features.

    Args:
        section: the model's hyper-parameters.
        packed: the packed features.
        folder: the folder that own models' files are relative to.
        summed: whether the parties add up all hiddens.
    """
    sha256 = source_digest(folder, section.file) if isinstance(section, OwnModel) else ""
    return BaseLayout(section=section, features=packed.features, size=packed.size, source_sha256=sha256, summed=summed)


def aggregated_units(
    specs: Mapping[str, Sequence[HiddenSpec]], expected: Mapping[str, Aggregation], kind: str
) -> dict[str, int]:
    """Computes the width of each aggregated hidden; refuses hiddens that do not fit together or the fuse model.

    Args:
        specs: specs of the hiddens by party.
        expected: aggregation of each input of the fuse model, by name.
        kind: kind of the fuse model, for errors.

    Returns:
        Widths by name, in the order of `expected`.

    Raises:
        HandshakeError: the hiddens do not fit; it says what each party sends and what the fuse model expects.
    """
    units: dict[str, int] = {}
    first: dict[str, str] = {}
    for party in sorted(specs):
        for spec in specs[party]:
            if expected.get(spec.name) is not spec.aggregation:
                raise _no_fit(f"{party} sends {spec.name} ({spec.aggregation.value})", specs, expected, kind)
            first.setdefault(spec.name, party)
            if spec.aggregation is Aggregation.CONCAT:
                units[spec.name] = units.get(spec.name, 0) + spec.units
            elif units.setdefault(spec.name, spec.units) != spec.units:
                raise HandshakeError(
                    f"hidden {spec.name} has another width at {party} than at {first[spec.name]}, and is summed",
                    expected=str(units[spec.name]),
                    received=str(spec.units),
                    fix="set the same model.embedding_dimension at every party",
                )
    missing = [name for name in expected if name not in units]
    if missing:
        raise _no_fit(f"no party sends {missing[0]}", specs, expected, kind)
    return {name: units[name] for name in expected}


def _no_fit(
    what: str, specs: Mapping[str, Sequence[HiddenSpec]], expected: Mapping[str, Aggregation], kind: str
) -> HandshakeError:
    sent = "; ".join(f"{party}: {_describe(specs[party])}" for party in sorted(specs))
    return HandshakeError(
        f"the hiddens do not fit the fuse model: {what}",
        expected=f"for fuse {kind}: " + ", ".join(f"{name} ({one.value})" for name, one in expected.items()),
        received=sent,
        fix="choose model and fuse kinds that fit together",
    )


def _describe(specs: Sequence[HiddenSpec]) -> str:
    return ", ".join(f"{spec.name} ({spec.units}, {spec.aggregation.value})" for spec in specs)
