"""How a session's metrics are released to the coordinator, by the owner's rules."""

from __future__ import annotations

import logging

from party.metrics.released_metrics import Releaser, release_exactly, release_rounded, secret_draws
from party.models.bounded_metrics import BoundedMetrics
from party.models.losses import TaskLosses
from party.models.scores import Scores
from party.runtime.batch_setup import BatchSetup
from party.security.randomness import SECRET_BYTES, secret_stream

RELEASE_STREAM = "told metrics"  # its name determines the bits of released metrics

logger = logging.getLogger(__name__)


def metric_release(setup: BatchSetup, losses: TaskLosses, scores: Scores, *, transcript: bytes) -> Releaser:
    """Makes the function that computes the released metrics of a pass.

    Args:
        setup: the label party's setup of the session.
        losses: losses of the labels.
        scores: scores of the labels.
        transcript: SHA-256 of the session's handshake, which no other session has.

    Returns:
        Computes the released metrics from outputs, labels and exact metrics: the exact ones, or bounded and rounded
        ones.
    """
    opening = setup.opening
    if opening.grant.metrics.exact:
        return release_exactly
    training = opening.run.training
    bounded = BoundedMetrics(opening.context.configuration.data.labels, losses, scores)
    if bounded.left_out:
        logger.info(
            "run %s: not released to the coordinator, as one row may move it by any amount: %s (policy.exact_metrics)",
            opening.run_id.hex()[:8],
            ", ".join(bounded.left_out),
        )
    # A run that resumes repeats its passes with the same requests, and releases the same figures. Each evaluation has
    # draws of its own: others may have seen figures of other outputs over the same rows.
    stream = f"{RELEASE_STREAM} {transcript.hex()}" if setup.training is None else RELEASE_STREAM
    key = secret_stream(bytes.fromhex(setup.record.secret), training.seed, stream)
    passes = 1 if setup.training is None else training.epochs
    return release_rounded(bounded, secret_draws(key.bytes(SECRET_BYTES)), passes)
