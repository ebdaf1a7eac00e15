"""Builds a party's models from its configuration, its data and its secret."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import keras
import numpy as np
import numpy.typing as npt

from party.configuration.labels import Labels
from party.configuration.layout import BaseLayout, FuseLayout
from party.configuration.models import AnyFuse, AnyModel, BSTModel, DeepFMFuse, DeepFMModel, DNNFuse, DNNModel, MMoEFuse
from party.errors import HandshakeError
from party.models import bst, deepfm, dnn, mmoe
from party.models.embedding import INDICES, VALUES
from party.models.initial_weights import draw_initial_weights
from party.models.packing import PackedFeatures
from party.models.storage import load_weights, save_model, save_weights
from party.protocol.hidden import Aggregation, HiddenSpec
from party.security.randomness import secret_stream

WEIGHTS_FILE = "weights.npz"
BASE = "base"
FUSE = "fuse"


class PartyModels:
    """The models of one party in one run: a base model, a fuse model, or both.

    Args:
        base: layout of the base model; None without features.
        fuse: layout of the fuse model; None at a feature party.
    """

    def __init__(self, base: BaseLayout | None, fuse: FuseLayout | None = None) -> None:
        self.base_layout = base
        self.fuse_layout = fuse
        self.models: dict[str, keras.Model] = {}
        if base is not None:
            self.models[BASE] = build_base(base)
        if fuse is not None:
            self._add_fuse(fuse)

    def add_fuse(self, section: AnyFuse, labels: Labels, specs: Mapping[str, Sequence[HiddenSpec]]) -> None:
        """Adds the fuse model once it is known what every party sends.

        Args:
            section: its hyper-parameters.
            labels: what it tells.
            specs: hiddens by party, own included.

        Raises:
            HandshakeError: the hiddens do not fit together, or not the fuse model.
        """
        units = aggregated_units(specs, EXPECTED[type(section)], section.kind)
        self._add_fuse(FuseLayout(section=section, units=units, labels=labels))

    def _add_fuse(self, layout: FuseLayout) -> None:
        self.fuse_layout = layout
        self.models[FUSE] = build_fuse(layout)

    @property
    def specs(self) -> tuple[HiddenSpec, ...]:
        """The hiddens of the base model; none without one."""
        return () if self.base_layout is None else base_specs(self.base_layout)

    def draw(self, secret: bytes, seed: int) -> None:
        """Draws initial weights and dropout states from the party's secret."""
        for name, model in self.models.items():
            draw_initial_weights(model, secret_stream(secret, seed, name))

    def save(self, folder: Path) -> tuple[str, ...]:
        """Writes weights and models; returns the names of the files."""
        save_weights(folder / WEIGHTS_FILE, self.models)
        files = [WEIGHTS_FILE]
        for name, model in self.models.items():
            save_model(folder / f"{name}.keras", model)
            files.append(f"{name}.keras")
        return tuple(files)

    def load(self, folder: Path) -> None:
        """Reads the weights of a finished run."""
        load_weights(folder / WEIGHTS_FILE, self.models)


EXPECTED: Mapping[type[AnyFuse], Mapping[str, Aggregation]] = {
    DeepFMFuse: deepfm.EXPECTED,
    DNNFuse: dnn.EXPECTED,
    MMoEFuse: dnn.EXPECTED,
}


def build_base(layout: BaseLayout) -> keras.Model:
    """Builds the base model that a layout's section names."""
    match layout.section:
        case DeepFMModel() as section:
            return deepfm.build_base(layout, section)
        case DNNModel() as section:
            return dnn.build_base(layout, section)
        case BSTModel() as section:
            return bst.build_base(layout, section)


def base_specs(layout: BaseLayout) -> tuple[HiddenSpec, ...]:
    """The hiddens of the base model that a layout's section names."""
    match layout.section:
        case DeepFMModel() as section:
            return deepfm.base_specs(layout, section)
        case DNNModel() as section:
            return dnn.base_specs(layout, section)
        case BSTModel() as section:
            return bst.base_specs(layout, section)


def build_fuse(layout: FuseLayout) -> keras.Model:
    """Builds the fuse model that a layout's section names."""
    match layout.section:
        case DeepFMFuse() as section:
            return deepfm.build_fuse(section, layout.units, layout.labels)
        case DNNFuse() as section:
            return dnn.build_fuse(section, layout.units, layout.labels)
        case MMoEFuse() as section:
            return mmoe.build_fuse(section, layout.units, layout.labels)


def base_layout(section: AnyModel, packed: PackedFeatures) -> BaseLayout:
    """The layout of a base model over packed features."""
    return BaseLayout(section=section, features=packed.features, size=packed.size)


def base_inputs(packed: PackedFeatures) -> dict[str, npt.NDArray[np.generic]]:
    """The arrays that a base model reads, by input."""
    return {INDICES: packed.indices, VALUES: packed.values}


def aggregated_units(
    specs: Mapping[str, Sequence[HiddenSpec]], expected: Mapping[str, Aggregation], kind: str
) -> dict[str, int]:
    """Width of each aggregated hidden; refuses hiddens that do not fit together, or not the fuse model.

    Args:
        specs: hiddens by party.
        expected: aggregation of each hidden that the fuse model takes, by name.
        kind: of the fuse model, for errors.

    Returns:
        Width by name, in the order of `expected`.

    Raises:
        HandshakeError: says which party sends what and what the fuse model expects.
    """
    units: dict[str, int] = {}
    for party in sorted(specs):
        for spec in specs[party]:
            if expected.get(spec.name) is not spec.aggregation:
                raise _no_fit(f"{party} sends {spec.name} ({spec.aggregation.value})", specs, expected, kind)
            if spec.aggregation is Aggregation.CONCAT:
                units[spec.name] = units.get(spec.name, 0) + spec.units
            elif units.setdefault(spec.name, spec.units) != spec.units:
                raise HandshakeError(
                    f"hidden {spec.name} has another width at {party} than elsewhere, and is summed",
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
