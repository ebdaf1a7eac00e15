"""The rules of a party's owner; every refusal names its rule."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from party.configuration.party import PartyConfiguration
from party.configuration.run import CodecKind, RunConfiguration
from party.cut.hidden import HiddenSpec
from party.errors import PolicyError
from party.pb.handshake_pb2 import Purpose
from party.policy.alignment_rules import AlignmentRules
from party.policy.meter_rules import MeterRules
from party.policy.metric_rules import MetricRules
from party.policy.quality_rules import QualityRules
from party.policy.refusals import refusal
from party.policy.requests import SessionRequest
from party.protocol.schedule import TrainingSchedule
from party.security.printable import printable

SHOWN_RUN_CHARACTERS = 8


class Policy:
    """The policy section of a party's configuration, as checks.

    Args:
        configuration: the party's configuration.
    """

    def __init__(self, configuration: PartyConfiguration) -> None:
        self._party = configuration.party
        self._section = configuration.policy
        self._peers = frozenset(peer.name for peer in configuration.peers)
        self._holds_labels = configuration.holds_labels
        self._label_party = configuration.label_party
        self._datasets = frozenset(configuration.data.datasets)
        self._owns_tables = bool(configuration.data.tables)  # and so knows none of the label party's datasets
        self._coordinators = {one.name: one for one in configuration.coordinators}
        self._any_caller = configuration.insecure
        columns = (configuration.privacy.columns, configuration.policy.budgets.columns)
        self._counts_columns = any(section is not None for section in columns)

    @property
    def party(self) -> str:
        """Name of this party."""
        return self._party

    @property
    def metrics(self) -> MetricRules:
        """Rules for the metrics that are released."""
        section = self._section
        return MetricRules(section.minimum_metric_rows, section.running_metrics, section.exact_metrics)

    @property
    def alignment(self) -> AlignmentRules:
        """Rules for the rows of an alignment."""
        return AlignmentRules(self._party, self._section.minimum_intersection, self._section.maximum_peer_rows)

    @property
    def meters(self) -> MeterRules:
        """Rules for the readings of the party's own meters."""
        return MeterRules(self._party, self._section.maximum_label_reading, self._section.maximum_column_reading)

    def quality(self, coordinator: str) -> QualityRules:
        """Rules for what a coordinator learns of the quality of a dataset.

        Nothing where an account of epsilon is kept of columns: counts of cells have none.

        Args:
            coordinator: certificate name of the coordinator.
        """
        named = frozenset(name for name in self._datasets if self.may_name(coordinator, name))
        level = "none" if self._counts_columns else self._section.data_quality
        return QualityRules(level, self._section.minimum_metric_rows, named)

    @property
    def shares_schema(self) -> bool:
        """Whether the coordinator's errors may name columns and files of the data."""
        return self._section.share_schema

    def check_request(self, request: SessionRequest) -> None:
        """Refuses everything that can be refused before any row is read.

        Raises:
            PolicyError: a rule refuses it; the error names the rule.
        """
        self.check_members(request.run, self._label_party)
        self.check_left_out(request)
        self.check_rights(request)
        if request.purpose != Purpose.PURPOSE_ALIGN:
            self.check_aggregation(request.run)
        if request.trains:
            self.check_training_dataset(request.run.training.dataset, request.coordinator)
            self.check_validation_dataset(request.run.training.validation_dataset, request.coordinator)
        elif request.purpose != Purpose.PURPOSE_ALIGN:
            self.check_inference(request.purpose, request.dataset, request.coordinator)
        if request.shuffles and not self._section.shuffled_columns:
            expected = "an evaluation of the columns as they are"
            raise self._refusal("shuffled_columns", "the evaluation", expected, "one that shuffles a column")

    def check_rights(self, request: SessionRequest) -> None:
        """Refuses what this coordinator may not request."""
        if self._any_caller:  # without TLS, callers have no name
            return
        rights = self._coordinators.get(request.coordinator)
        if rights is None:
            raise self._refusal("coordinators", "the coordinator", "one that is listed", request.coordinator)
        # A run tells figures of the dataset that it holds out, as an evaluation of it does.
        for purpose in (request.purpose_name, *("evaluate" for _ in request.held_out_datasets)):
            if purpose not in rights.purposes:
                expected = " or ".join(rights.purposes)
                raise self._refusal("coordinators.purposes", "the purpose", expected, purpose)
        for dataset in request.datasets:
            if not self.may_name(request.coordinator, dataset):
                expected = " or ".join(rights.datasets or ()) or "none"
                raise self._refusal("coordinators.datasets", "the dataset", expected, printable(dataset))

    def may_name(self, coordinator: str, dataset: str) -> bool:
        """Whether a coordinator may learn that a dataset exists.

        Args:
            coordinator: the coordinator's certificate name.
            dataset: name of the dataset.
        """
        rights = self._coordinators.get(coordinator)
        return self._any_caller or (rights is not None and (rights.datasets is None or dataset in rights.datasets))

    def check_training_dataset(self, dataset: str, coordinator: str) -> None:
        """Refuses to train or measure on a dataset that is not listed for training.

        Args:
            dataset: name of the dataset.
            coordinator: certificate name of the coordinator that asks.
        """
        allowed = self._section.training_datasets
        if (self._owns_tables or dataset in self._datasets) and dataset not in allowed:
            raise self._refusal("training_datasets", "the dataset", self._named(allowed, coordinator), dataset)

    def check_validation_dataset(self, dataset: str | None, coordinator: str) -> None:
        """Refuses to hold out a dataset that is not listed to be evaluated.

        Args:
            dataset: name of the dataset; None without one.
            coordinator: certificate name of the coordinator that asks.
        """
        if dataset is not None and (self._owns_tables or dataset in self._datasets):
            self.check_inference(Purpose.PURPOSE_EVALUATE, dataset, coordinator)

    def check_members(self, run: RunConfiguration, label_party: str) -> None:
        """Refuses a run with other peers, or another label party, than configured.

        Args:
            run: the run configuration.
            label_party: name of the label party in this party's configuration.
        """
        peers = frozenset(run.parties) - {self._party}
        allowed = [self._peers]
        if self._section.peer_sets is not None:
            allowed = [frozenset(peers) for peers in self._section.peer_sets]
        if self._party not in run.parties or peers not in allowed:
            expected = " or ".join(", ".join(sorted(one)) for one in allowed) or "none"
            raise self._refusal("peer_sets", "the run's parties", expected, ", ".join(sorted(peers)))
        if run.label_party != label_party:
            raise self._refusal("label_party", "the run's label party", label_party, run.label_party)

    def check_left_out(self, request: SessionRequest) -> None:
        """Refuses a session without some parties of its run, unless the owner lists those that stay or lists nothing.

        Args:
            request: the coordinator's request.
        """
        listed = self._section.peer_sets
        if not request.without or listed is None:
            return
        peers = frozenset(request.parties) - {self._party}
        if peers not in map(frozenset, listed):
            expected = " or ".join(", ".join(sorted(one)) or "nobody" for one in listed) or "none"
            received = ", ".join(sorted(peers)) or "nobody"
            raise self._refusal("peer_sets", "the session's peers", expected, received)

    def check_aggregation(self, run: RunConfiguration) -> None:
        """Refuses a run without masked sums where the owner requires them.

        Args:
            run: the run configuration.
        """
        if self._section.require_secure_aggregation and not run.training.secure_aggregation:
            raise self._refusal("require_secure_aggregation", "training.secure_aggregation", "true", "false")

    def check_training(self, run: RunConfiguration, schedule: TrainingSchedule) -> None:
        """Refuses training parameters that the owner does not allow.

        Args:
            run: the run configuration.
            schedule: schedule of the run.
        """
        self.check_parameters(run)
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

    def check_parameters(self, run: RunConfiguration) -> None:
        """Refuses training parameters that the owner does not allow, whatever the rows.

        Args:
            run: the run configuration.
        """
        training = run.training
        if training.epochs > self._section.maximum_epochs:
            limit = f"at most {self._section.maximum_epochs}"
            raise self._refusal("maximum_epochs", "training.epochs", limit, str(training.epochs))
        for direction, codec in (("hidden", training.codecs.hidden), ("gradient", training.codecs.gradient)):
            if not self.allows_codec(codec.kind):
                expected = " or ".join(self._section.allowed_codecs)
                raise self._refusal("allowed_codecs", f"training.codecs.{direction}", expected, codec.kind)

    def check_batch_size(self, run: RunConfiguration) -> None:
        """Refuses a batch size below the fewest rows of a batch, before the number of rows is known.

        Args:
            run: the run configuration.
        """
        size, fewest = run.training.batch_size, self._section.minimum_batch
        if size < fewest:
            raise self._refusal("minimum_batch", "training.batch_size", f"at least {fewest}", str(size))

    def allows_codec(self, kind: CodecKind) -> bool:
        """Whether the tensors of a training batch may be encoded by a codec of this kind."""
        return kind in self._section.allowed_codecs

    def check_inference(self, purpose: Purpose, dataset: str, coordinator: str) -> None:
        """Refuses to evaluate or predict a dataset that is not listed for it.

        Args:
            purpose: purpose of the session.
            dataset: the dataset to evaluate or predict.
            coordinator: certificate name of the coordinator that asks.
        """
        allowed = self._section.inference_datasets
        listed = self._datasets if allowed is None else allowed
        is_listed = dataset in listed or (self._owns_tables and allowed is None)
        if not is_listed:
            expected = self._named(sorted(listed), coordinator)
            raise self._refusal("inference_datasets", "the dataset", expected, dataset)
        if purpose == Purpose.PURPOSE_PREDICT and not self._section.allow_predict:
            raise self._refusal("allow_predict", "purpose predict", "another purpose", "predict")

    def check_metric_rows(self, rows: int, what: str) -> None:
        """Refuses metrics over so few rows that they would reveal single ones.

        Args:
            rows: number of rows behind a metric.
            what: what the rows are, for the error.
        """
        if rows < self._section.minimum_metric_rows:
            expected = f"at least {self._section.minimum_metric_rows}"
            raise self._refusal("minimum_metric_rows", what, expected, str(rows))

    def check_outputs(self, specs: Sequence[HiddenSpec], sender: str) -> None:
        """Refuses hiddens with an aggregation that is not allowed.

        Args:
            specs: specs of the hiddens.
            sender: name of the party that sends them.
        """
        for spec in specs:
            self.check_aggregations((spec.aggregation.value,), f"aggregation of {spec.name} from {sender}")

    def check_aggregations(self, aggregations: Iterable[str], what: str) -> None:
        """Refuses aggregations that are not allowed.

        Args:
            aggregations: `concat` or `sum`.
            what: what is combined in this way, for the error.
        """
        for one in aggregations:
            if one not in self._section.allowed_aggregations:
                expected = " or ".join(self._section.allowed_aggregations) or "none"
                raise self._refusal("allowed_aggregations", what, expected, one)

    def check_run_owner(self, owner: str, request: SessionRequest) -> None:
        """Refuses a run that another coordinator began.

        Args:
            owner: certificate name of the coordinator that began the run.
            request: the coordinator's request.
        """
        if owner != request.coordinator:
            raise PolicyError(
                "refused by policy.coordinators: the run is another coordinator's",
                where=f"{self._party}: run {request.run_id.hex()[:SHOWN_RUN_CHARACTERS]}",
                expected="the coordinator that began it",
            )

    def _named(self, datasets: Iterable[str], coordinator: str) -> str:
        """Those of the datasets that a coordinator may learn of, for an error that it gets."""
        return " or ".join(name for name in datasets if self.may_name(coordinator, name)) or "none"

    def _refusal(self, rule: str, what: str, expected: str, received: str) -> PolicyError:
        return refusal(self._party, rule, what, expected=expected, received=received)
