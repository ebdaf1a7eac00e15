"""How a session's metrics are released to the coordinator, by the owner's rules."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence

from party.cut.hidden import FloatArray
from party.data.labels import LabelNoise
from party.metrics.groups import Groups
from party.metrics.released_metrics import Figures, Releaser, of_events, release_exactly, release_rounded, secret_draws
from party.models.bounded_metrics import BoundedMetrics
from party.models.corrected_metrics import CorrectedMetrics
from party.models.losses import TaskLosses
from party.models.scores import Scores
from party.runtime.batch_setup import BatchSetup
from party.security.randomness import SECRET_BYTES, secret_stream

RELEASE_STREAM = "told metrics"  # its name determines the bits of released metrics

logger = logging.getLogger(__name__)


def metric_release(
    setup: BatchSetup, losses: TaskLosses, scores: Scores, noise: Mapping[str, LabelNoise], *, transcript: bytes
) -> Releaser:
    """Makes the function that computes the released metrics of a pass.

    Args:
        setup: the label party's setup of the session.
        losses: losses of the labels.
        scores: scores of the labels.
        noise: how the labels were drawn that metrics are computed from, by label; empty for true ones.
        transcript: SHA-256 of the session's handshake, which no other session has.

    Returns:
        Computes the released metrics from outputs, labels and exact metrics. Of true labels: the exact ones, or bounded
        and rounded ones. Of drawn labels: corrected ones, which need no rounding.
    """
    opening = setup.opening
    if noise:
        corrected = CorrectedMetrics(opening.context.configuration.data.labels, noise, scores)
        _log_left_out(setup, corrected.left_out, "as its value on true labels cannot be told from drawn ones")
        return corrected
    least_groups = opening.grant.metrics.minimum_rows
    if opening.grant.metrics.exact:
        return _exactly(scores, least_groups) if setup.metric_groups is not None else release_exactly
    training = opening.run.training
    data, sampled = opening.context.configuration.data, setup.rows.negatives.most
    bounded = BoundedMetrics(data.labels, losses, scores, least_groups=least_groups, sampled=sampled)
    reason = "as one row may move it by any amount (policy.exact_metrics)"
    _log_left_out(setup, bounded.left_out, reason)
    # A run that resumes repeats its passes with the same requests, and releases the same figures. Each evaluation has
    # draws of its own: others may have seen figures of other outputs over the same rows.
    stream = f"{RELEASE_STREAM} {transcript.hex()}" if setup.training is None else RELEASE_STREAM
    key = secret_stream(bytes.fromhex(setup.record.secret), training.seed, stream)
    passes = 1 if setup.training is None else training.epochs
    moved = () if data.negatives is None else data.negatives.moved
    events = of_events(bounded, 1 + sampled, scores.grouped_by(moved)) if sampled else bounded
    return release_rounded(events, secret_draws(key.bytes(SECRET_BYTES)), passes)


def _exactly(scores: Scores, least_groups: int) -> Releaser:
    """The releaser of exact figures, but for those behind which there are fewer groups than the owner requires rows."""

    def release(
        name: str, outputs: FloatArray, labels: FloatArray, exact: Figures, *, groups: Groups | None = None
    ) -> Mapping[str, float]:
        few = scores.with_few_groups(least_groups, labels, groups)
        return {key: math.nan if key in few else value for key, value in exact.items()}

    return release


def _log_left_out(setup: BatchSetup, names: Sequence[str], reason: str) -> None:
    if names:
        run, listed = setup.opening.run_id.hex()[:8], ", ".join(names)
        logger.info("run %s: not released to the coordinator, %s: %s", run, reason, listed)
