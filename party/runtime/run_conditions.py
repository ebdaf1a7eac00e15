"""What a party notes of a run for its audit when the run begins: the one place that knows the protections in force."""

from __future__ import annotations

from collections.abc import Iterator

from party import __version__
from party.audit.report.audited_run import AuditedRun, ConfiguredProtection, RunConditions
from party.configuration.party import PartyConfiguration
from party.configuration.run import CodecSection, RunConfiguration
from party.engine.numerics import numeric_settings
from party.runtime.batch_setup import BatchSetup

VERSIONS = ("tensorflow", "keras", "numpy")


def run_conditions(setup: BatchSetup) -> RunConditions:
    """The conditions of a run.

    Args:
        setup: setup of its training session at this party.
    """
    opening = setup.opening
    run, training, configuration = opening.run, opening.run.training, opening.context.configuration
    settings = numeric_settings()
    base, fuse = configuration.base_model, configuration.fuse_model
    return RunConditions(
        run=AuditedRun(
            run_id=opening.run_id.hex(),
            configuration_sha256=opening.configuration_sha256.hex(),
            coordinator=opening.proposal.coordinator,
            parties=tuple(sorted(run.parties)),
            label_party=run.label_party,
            dataset=setup.rows.dataset,
            rows=len(setup.rows),
            epochs=training.epochs,
            batch_size=training.batch_size,
        ),
        protections=(*_protections(configuration), *_asked_of_all(run)),
        base_model="" if base is None else base.kind,
        fuse_model="" if fuse is None else fuse.kind,
        codecs={"hidden": _codec(training.codecs.hidden), "gradient": _codec(training.codecs.gradient)},
        validation_dataset=training.validation_dataset or "",
        versions={"splitrain": __version__, **{name: settings[name] for name in VERSIONS}},
    )


def _protections(configuration: PartyConfiguration) -> Iterator[ConfiguredProtection]:
    data, privacy = configuration.data, configuration.privacy
    if data.label_epsilon is not None:
        shares = ", ".join(
            f"{name} {label.privacy.epsilon:g}" for name, label in data.labels.items() if label.privacy is not None
        )
        yield ConfiguredProtection(
            name="private labels", epsilon=data.label_epsilon, detail=f"drawn once by id; epsilon by label: {shares}"
        )
    if privacy.columns is not None:
        yield ConfiguredProtection(
            name="private columns",
            epsilon=privacy.columns.epsilon,
            detail=f"{len(privacy.columns.columns)} columns drawn once by {privacy.columns.entity or 'row'},"
            f" {len(privacy.columns.public)} public",
        )
    if privacy.decorrelate is not None:
        yield ConfiguredProtection(
            name="decorrelation",
            epsilon=None,
            detail=f"penalty of weight {privacy.decorrelate.weight:g} on {len(privacy.decorrelate.columns)} columns;"
            " a hindrance",
        )


def _asked_of_all(run: RunConfiguration) -> Iterator[ConfiguredProtection]:
    """What the run configuration asks of all parties."""
    if run.masked_parties:
        yield ConfiguredProtection(
            name="masked sums",
            epsilon=None,
            detail=f"the label party gets the sum of {len(run.masked_parties)} feature parties; hides who contributed"
            " what, and neither attributes nor labels",
        )


def _codec(section: CodecSection) -> str:
    return f"{section.kind} with error feedback" if section.error_feedback else section.kind
