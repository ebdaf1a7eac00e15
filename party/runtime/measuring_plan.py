"""The plan of a session that measures training: it trains for real, and saves nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

from party.configuration.candidates import CANDIDATE_CODECS
from party.cut.layout import CutLayout
from party.ledger.entry import Kind
from party.policy.requests import Release
from party.runtime.batch_agreement import BatchAgreement
from party.runtime.batches import Batches
from party.runtime.codec_costs import MeasuredCodec, measure_codecs
from party.runtime.plan import OfferedCalls, PairSecrets
from party.runtime.proposal import Opening
from party.runtime.run_origin import check_trainable, former_run
from party.runtime.session_report import SessionReport
from party.runtime.training_plan import training_release
from party.runtime.training_setup import TrainingSetup, complete_models, measuring_setup
from party.security.sealing import SealingKeys

METRICS: Kind = "metrics"
NOTHING_SAVED = "a measuring session keeps nothing"


class MeasuringPlan:
    """A training run in miniature, with the data, the models and the policy of a whole one.

    Args:
        setup: the session's setup.
        agreement: what the session's parties agree on.
        batches: the session's batches.
    """

    def __init__(self, setup: TrainingSetup, agreement: BatchAgreement, batches: Batches) -> None:
        self._setup = setup
        self._batches = batches
        self._agreement = agreement
        self._codec_costs: Sequence[MeasuredCodec] = ()
        self.facts = setup.batches.facts(_release(setup), lineage=b"")
        self.agreement = agreement
        self.progress = batches
        self.offered = OfferedCalls(
            batches=batches,
            report=self.report,
            work=lambda: batches.work,
            no_checkpoints=NOTHING_SAVED,
            no_result=NOTHING_SAVED,
        )

    @property
    def released(self) -> Mapping[Kind, int]:
        """Number of rows released so far, by kind; metrics stay with the party."""
        return {kind: count for kind, count in self._batches.released.items() if kind != METRICS}

    def start(self, keys: SealingKeys, secrets: PairSecrets) -> None:
        """Measures codecs, then prepares for the first batch.

        Args:
            keys: the session's sealing keys.
            secrets: what this party shares with each peer.
        """
        opening, setup = self._setup.batches.opening, self._setup.batches
        context, training = opening.context, opening.run.training
        specs = self._agreement.peer_specs
        if not context.configuration.holds_labels:
            specs = {context.party: tuple(setup.models.specs)}
        own = (training.codecs.hidden, training.codecs.gradient)
        allowed = [one for one in dict.fromkeys((*CANDIDATE_CODECS, *own)) if opening.grant.allows_codec(one.kind)]
        rows = self._setup.whole.largest_training_batch
        layouts = {name: CutLayout(sent) for name, sent in specs.items()}
        self._codec_costs = measure_codecs(allowed, layouts, rows=rows, seed=training.seed, monotonic=context.monotonic)
        self._batches.start(keys, secrets)

    def report(self, steps_seen: int) -> SessionReport:
        """Reports timings and codec costs; metrics of a miniature would say nothing about the model.

        Args:
            steps_seen: number of released step losses that the coordinator already has; this session releases none.
        """
        return SessionReport(timings=self._batches.timings.totals(), codec_costs=self._codec_costs)

    def close(self) -> None:
        """Waits for computations that have begun."""
        self._batches.close()


def measuring_plan(opening: Opening) -> MeasuringPlan:
    """Prepares the plan of a session that measures; each of two epochs has half of `maximum_steps`.

    Args:
        opening: the granted proposal.

    Raises:
        PolicyError: the owner does not allow the whole run, or its miniature.
        SessionError: a run has this run_id already.
        SplitError: the data does not fit.
    """
    check_trainable(opening)
    setup = measuring_setup(opening, former_run(opening))
    agreement = BatchAgreement(setup.batches, partial(complete_models, setup.batches))
    return MeasuringPlan(setup, agreement, Batches(setup.batches, agreement))


def _release(setup: TrainingSetup) -> Release:
    """The release of a run, but without metrics."""
    whole = training_release(setup)
    return replace(whole, most={kind: count for kind, count in whole.most.items() if kind != METRICS})
