"""Builds a party's models from its configuration, its data and its secret."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import keras
import numpy as np
import numpy.typing as npt

from party.configuration.layout import BaseLayout, FuseLayout
from party.configuration.party import DeepFMFuse, DeepFMModel
from party.errors import HandshakeError
from party.models import deepfm
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
            self.models[BASE] = deepfm.build_base(base.section, base.widths, base.size)
        if fuse is not None:
            self._add_fuse(fuse)

    def add_fuse(self, section: DeepFMFuse, specs: Mapping[str, Sequence[HiddenSpec]]) -> None:
        """Adds the fuse model once it is known what every party sends.

        Args:
            section: its hyper-parameters.
            specs: hiddens by party, own included.
        """
        self._add_fuse(FuseLayout(section=section, units=aggregated_units(specs)))

    def _add_fuse(self, layout: FuseLayout) -> None:
        self.fuse_layout = layout
        self.models[FUSE] = deepfm.build_fuse(layout.section, layout.units)

    @property
    def specs(self) -> tuple[HiddenSpec, ...]:
        """The hiddens of the base model; none without one."""
        return () if self.base_layout is None else deepfm.base_specs(self.base_layout.section)

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


def base_layout(section: DeepFMModel, packed: PackedFeatures) -> BaseLayout:
    """The layout of a base model over packed features."""
    return BaseLayout(section=section, widths=packed.widths, size=packed.size)


def base_inputs(packed: PackedFeatures) -> dict[str, npt.NDArray[np.generic]]:
    """The arrays that a base model reads, by input."""
    return {deepfm.INDICES: packed.indices, deepfm.VALUES: packed.values}


def aggregated_units(specs: Mapping[str, Sequence[HiddenSpec]]) -> dict[str, int]:
    """Width of each aggregated hidden; refuses hiddens that do not fit together.

    Args:
        specs: hiddens by party.

    Returns:
        Width by name.

    Raises:
        HandshakeError: says which party sends what and what the fuse model expects.
    """
    units: dict[str, int] = {}
    first = next(iter(sorted(specs)))
    for party in sorted(specs):
        if [(spec.name, spec.aggregation) for spec in specs[party]] != [
            (spec.name, spec.aggregation) for spec in specs[first]
        ]:
            raise HandshakeError(
                f"hiddens of {party} and {first} differ",
                expected=_describe(specs[first]),
                received=_describe(specs[party]),
            )
        for spec in specs[party]:
            if spec.aggregation is Aggregation.CONCAT:
                units[spec.name] = units.get(spec.name, 0) + spec.units
            elif units.setdefault(spec.name, spec.units) != spec.units:
                raise HandshakeError(
                    f"hidden {spec.name} has another width at {party} than at {first}, and is summed",
                    expected=str(units[spec.name]),
                    received=str(spec.units),
                    fix="set the same model.embedding_dimension at every party",
                )
    return units


def _describe(specs: Sequence[HiddenSpec]) -> str:
    return ", ".join(f"{spec.name} ({spec.units}, {spec.aggregation.value})" for spec in specs)
