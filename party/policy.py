"""What the owner of a party allows; every refusal names the rule."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from party.configuration.party import PartyConfiguration
from party.configuration.run import CodecKind, RunConfiguration
from party.errors import PolicyError
from party.pb.handshake_pb2 import Purpose
from party.protocol.hidden import HiddenSpec
from party.protocol.schedule import TrainingSchedule


class Policy:
    """The policy section of a party's configuration, as checks.

    Args:
        configuration: of the party.
    """

    def __init__(self, configuration: PartyConfiguration) -> None:
        self._party = configuration.party
        self._section = configuration.policy
        self._peers = frozenset(peer.name for peer in configuration.peers)
        self._holds_labels = configuration.holds_labels

    def check_members(self, run: RunConfiguration, label_party: str) -> None:
        """Refuses a run with other peers, or another label party, than configured."""
        peers = frozenset(run.parties) - {self._party}
        allowed = [self._peers]
        if self._section.peer_sets is not None:
            allowed = [frozenset(peers) for peers in self._section.peer_sets]
        if self._party not in run.parties or peers not in allowed:
            expected = " or ".join(", ".join(sorted(one)) for one in allowed) or "none"
            raise self._refusal("peer_sets", "the run's parties", expected, ", ".join(sorted(peers)))
        if run.label_party != label_party:
            raise self._refusal("label_party", "the run's label party", label_party, run.label_party)

    def check_training(self, run: RunConfiguration, schedule: TrainingSchedule) -> None:
        """Refuses training parameters that the owner does not allow."""
        training = run.training
        if training.epochs > self._section.maximum_epochs:
            limit = f"at most {self._section.maximum_epochs}"
            raise self._refusal("maximum_epochs", "training.epochs", limit, str(training.epochs))
        for direction, codec in (("hidden", training.codecs.hidden), ("gradient", training.codecs.gradient)):
            if not self.allows_codec(codec.kind):
                expected = " or ".join(self._section.allowed_codecs)
                raise self._refusal("allowed_codecs", f"training.codecs.{direction}", expected, codec.kind)
        if schedule.smallest_batch < self._section.minimum_batch:
            raise self._refusal(
                "minimum_batch",
                "the smallest batch of an epoch",
                f"at least {self._section.minimum_batch} rows",
                f"{schedule.smallest_batch}; set training.remainder: drop or another batch_size",
            )
        if self._holds_labels and len(schedule.held_out_rows) > 0:
            self.check_metric_rows(len(schedule.held_out_rows), "held-out rows")
        if self._holds_labels and schedule.steps:
            self.check_metric_rows(schedule.smallest_epoch, "training rows of the shortest epoch")

    def allows_codec(self, kind: CodecKind) -> bool:
        """Whether the tensors of a training batch may be encoded like this."""
        return kind in self._section.allowed_codecs

    def check_restores(self, restores: int) -> None:
        """Refuses to go back to a checkpoint once more than the owner allows."""
        if restores > self._section.maximum_restores:
            limit = f"at most {self._section.maximum_restores}"
            raise self._refusal("maximum_restores", "going back to a checkpoint", limit, f"{restores} for this run")

    def check_inference(self, purpose: Purpose, dataset: str, known: Collection[str]) -> None:
        """Refuses to evaluate or predict a dataset that is not on the list."""
        allowed = self._section.inference_datasets
        listed = known if allowed is None else allowed
        if dataset not in listed:
            raise self._refusal("inference_datasets", "the dataset", ", ".join(sorted(listed)) or "none", dataset)
        if purpose == Purpose.PURPOSE_PREDICT and not self._section.allow_predict:
            raise self._refusal("allow_predict", "purpose predict", "another purpose", "predict")

    def check_metric_rows(self, rows: int, what: str) -> None:
        """Refuses metrics over so few rows that they speak of single ones."""
        if rows < self._section.minimum_metric_rows:
            expected = f"at least {self._section.minimum_metric_rows}"
            raise self._refusal("minimum_metric_rows", what, expected, str(rows))

    def check_outputs(self, specs: Sequence[HiddenSpec], sender: str) -> None:
        """Refuses hiddens that would meet others in a way that is not allowed."""
        for spec in specs:
            if spec.aggregation.value not in self._section.allowed_aggregations:
                expected = " or ".join(self._section.allowed_aggregations) or "none"
                what = f"aggregation of {spec.name} from {sender}"
                raise self._refusal("allowed_aggregations", what, expected, spec.aggregation.value)

    def _refusal(self, rule: str, what: str, expected: str, received: str) -> PolicyError:
        return PolicyError(f"refused by policy.{rule}: {what}", where=self._party, expected=expected, received=received)
