"""A session that shows how long training takes: it trains in earnest, and keeps nothing of it."""

from __future__ import annotations

from typing import NoReturn

from party.configuration.candidates import CANDIDATE_CODECS
from party.configuration.run import RunConfiguration
from party.errors import SessionError
from party.protocol.checkpoints import ORIGIN
from party.protocol.miniature import MiniatureSchedule
from party.protocol.schedule import TrainingSchedule
from party.runtime.codec_costs import measure_codecs
from party.runtime.context import PartyContext
from party.runtime.training_checkpoints import TrainingCheckpoints
from party.runtime.training_plan import TrainingPlan
from party.security.sealing import SealingKeys


class MeasuringPlan(TrainingPlan):
    """A training run in miniature, with the data, the models and the policy of a whole one.

    Args:
        context: of the party.
        run: the run configuration; half of its `maximum_steps` are those of one of two epochs.
        run_id: 16 bytes.
        configuration_sha256: of the run configuration as it came.

    Raises:
        SessionError: a run has this run_id.
    """

    def __init__(
        self, context: PartyContext, run: RunConfiguration, run_id: bytes, configuration_sha256: bytes
    ) -> None:
        super().__init__(context, run, run_id, configuration_sha256, ORIGIN, resume=False)

    def start(self, keys: SealingKeys, pair_key: object) -> None:
        """Measures codecs, then makes ready for the first batch."""
        training = self._run.training
        specs = (
            self._peer_specs
            if self._context.configuration.holds_labels
            else {self._context.party: tuple(self.models.specs)}
        )
        own = (training.codecs.hidden, training.codecs.gradient)
        allowed = [
            one for one in dict.fromkeys((*CANDIDATE_CODECS, *own)) if self._context.policy.allows_codec(one.kind)
        ]
        rows = self._training_schedule.largest_training_batch
        self.codec_costs = measure_codecs(allowed, specs, rows, training, self._context.monotonic)
        super().start(keys, pair_key)

    def snapshot(self, step: int) -> None:
        """Refuses: there is nothing to go on with."""
        self._refuse()

    @property
    def checkpoints(self) -> TrainingCheckpoints:
        """Refuses: there are none."""
        self._refuse()

    def finish(self) -> tuple[tuple[str, ...], int]:
        """Refuses: there is no result."""
        self._refuse()

    def _refuse(self) -> NoReturn:
        raise SessionError("a measuring session keeps nothing", where=self._context.party)

    def _begin_to_keep(self, keys: SealingKeys) -> None:
        """Keeps nothing."""

    def _make_schedule(self, rows: int) -> TrainingSchedule:
        """The whole run has to be allowed, and its miniature as well; encoders learn from the rows of the whole run."""
        whole = self._run.training.model_copy(update={"maximum_steps": None})  # which the planner cuts short
        self._training_schedule = TrainingSchedule(whole, rows)
        self._context.policy.check_training(self._run, self._training_schedule)
        miniature = MiniatureSchedule(self._run.training, rows)
        self._context.policy.check_training(self._run, miniature)
        return miniature
