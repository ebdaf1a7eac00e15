"""The label party's side of the batches of a session."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Executor, Future
from contextlib import suppress
from typing import Any, cast

from party.errors import SessionError
from party.pb.party_pb2 import MESSAGE_KIND_DECISION, MESSAGE_KIND_GRADIENT, MESSAGE_KIND_HIDDEN, Envelope, MessageKind
from party.protocol.channels import TensorReceiver, TensorSender
from party.protocol.deferred import Deferred
from party.protocol.early_stopping import EarlyStopping
from party.protocol.halves import Base, Fuse
from party.protocol.hidden import FloatArray, HiddenSpec, LossAndGradients, Rows, Step, Tensors
from party.protocol.local_steps import LabelLocalSteps
from party.protocol.metrics import MetricAccumulator, PassMetrics, StepLossRelease
from party.protocol.schedule import Activity, Exchange, Schedule, following_training_exchange
from party.protocol.state import State, join_states, part_of
from party.protocol.tensors import BatchCodec
from party.protocol.timings import Timings
from party.security.sealing import SealingKeys, Slot


class EpochMetrics:
    """What an epoch came to: metrics of training and, where rows are held out, of validation."""

    def __init__(self, epoch: int, train: PassMetrics | None = None, validation: PassMetrics | None = None) -> None:
        self.epoch = epoch
        self.train = train
        self.validation = validation

    def to_values(self) -> list[object]:
        """As JSON can hold it."""
        return [self.epoch, *(None if one is None else one.to_values() for one in (self.train, self.validation))]


class LabelExchanges:
    """Takes hiddens, sends gradients, keeps the metrics.

    Args:
        party: own name.
        dataset: of the session.
        schedule: of the session.
        labels: of all rows in the common order, float32 (rows, labels).
        fuse: the fuse model.
        specs: the hiddens of every feature party.
        keys: of the session.
        minimum_metric_rows: fewest rows behind a metric that the coordinator is told.
        background: computes steps where several batches are under way.
        timings: where the time of a step is noted.
        base: the own base model; None without features.
        hidden_receivers: decode the hiddens of training, by feature party; as they are where absent.
        gradient_senders: encode the gradients, likewise.
        local_steps: further updates after each exchange; none where None.
    """

    def __init__(
        self,
        party: str,
        dataset: str,
        schedule: Schedule,
        labels: FloatArray,
        fuse: Fuse,
        specs: Mapping[str, Sequence[HiddenSpec]],
        keys: SealingKeys,
        minimum_metric_rows: int,
        background: Executor,
        timings: Timings,
        base: Base | None = None,
        hidden_receivers: Mapping[str, TensorReceiver] | None = None,
        gradient_senders: Mapping[str, TensorSender] | None = None,
        local_steps: LabelLocalSteps | None = None,
    ) -> None:
        self._party = party
        self._dataset = dataset
        self._schedule = schedule
        self._labels = labels
        self._fuse = fuse
        self._specs = {name: specs[name] for name in sorted(specs)}
        plain = {name: BatchCodec.plain(sent) for name, sent in self._specs.items()}
        self._plain_receivers = {name: TensorReceiver(codec) for name, codec in plain.items()}
        self._hidden_receivers = {**self._plain_receivers, **(hidden_receivers or {})}
        plain_senders = {name: TensorSender(codec) for name, codec in plain.items()}
        self._gradient_senders = {**plain_senders, **(gradient_senders or {})}
        self._local_steps = local_steps
        self._keys = keys
        self._minimum_metric_rows = minimum_metric_rows
        self._background = background
        self._timings = timings
        self._base = base
        self._own_hiddens: Tensors | None = None
        self._own_update: Deferred[None] = Deferred.of(None)
        self._update: Future[Any] | None = None
        self._told: Deferred[list[Envelope]] = Deferred.of([])
        self._pass: MetricAccumulator | None = None
        self._stopping = (
            None if schedule.early_stopping is None else EarlyStopping(schedule.early_stopping, schedule.epochs)
        )
        self._stopped = False
        self.position = 0
        self.step_losses = StepLossRelease(minimum_metric_rows)
        self.epochs: list[EpochMetrics] = []
        self.inference: MetricAccumulator | None = None

    @property
    def finished(self) -> bool:
        """Whether every exchange of the schedule is done, or it was decided to stop."""
        return self._stopped or self.position == self._schedule.exchanges

    @property
    def step(self) -> int:
        """Training steps done so far."""
        if self.position == self._schedule.exchanges:
            return self._schedule.steps
        return self._schedule.exchange(self.position).step

    @property
    def best_epoch(self) -> int | None:
        """The epoch whose weights were kept last, where early stopping watches."""
        return None if self._stopping is None else self._stopping.best_epoch

    def fuse(self, position: int, envelopes: Sequence[Envelope]) -> Deferred[list[Envelope]]:
        """Takes the hiddens of a batch; in training, yields the gradients.

        The own update is left to `go_on`: nothing that can wait stands between
        a hidden and its gradient. With several batches under way the whole step
        runs in the background, so that the next one's hiddens are opened beside it.

        Args:
            position: of the exchange; must be the next one.
            envelopes: one of every feature party, in any order.

        Returns:
            Sealed gradients for every feature party, once they are there; none outside of training.

        Raises:
            SessionError: another exchange is due, or a party's message is missing.
            SealError, TensorError: a message is not what it should be; nothing has changed.
        """
        exchange = self._due("Fuse", position)
        rows = self._schedule.rows(exchange)
        with self._timings.measure("open"):
            hiddens = self._open(exchange, rows, envelopes)
        if exchange.activity is Activity.TRAIN and self._schedule.depth > 1:
            return self._train_whole(exchange, rows, hiddens)
        self.wait_for_update()
        if self._pass is None:
            self._pass = self._new_pass(exchange)
        if exchange.activity is Activity.TRAIN:
            return Deferred.of(self._train(exchange, rows, hiddens))
        with self._timings.measure("fuse"):
            result = self._fuse.infer(rows, self._with_own(exchange, rows, hiddens))
        self._pass.add(result.outputs, self._labels[rows], result.loss, result.measures)
        self._end_pass(exchange)
        self.position += 1
        return Deferred.of([])

    def decide(self, position: int) -> tuple[list[Envelope], bool]:
        """Decides after an epoch whether to go on.

        Args:
            position: of the decision; must be the next exchange.

        Returns:
            The sealed decision for every feature party, and whether to stop.

        Raises:
            SessionError: another exchange is due.
            ConfigurationError: the metric to decide by does not exist.
        """
        exchange = self._due("Decide", position)
        self.wait_for_update()
        validation = self.epochs[-1].validation
        if self._stopping is None or validation is None:
            raise RuntimeError("a decision is due without held-out rows")
        verdict = self._stopping.judge(exchange.epoch, validation.values)
        halves: list[Base | Fuse] = [self._fuse] if self._base is None else [self._fuse, self._base]
        for half in halves:
            if verdict.improved:
                half.keep()
            if verdict.restore:
                half.restore()
        kind = MESSAGE_KIND_DECISION
        envelopes = [
            self._keys.seal(self._slot(exchange, self._party, name, kind), verdict.to_bytes()) for name in self._specs
        ]
        self.position += 1
        self._stopped = verdict.stop
        return envelopes, verdict.stop

    def go_on(self) -> None:
        """Does the own update of the last batch; for whoever has just sent its gradients.

        Not in a thread of its own: that one and the one that sends would stand in each other's way.
        """
        with suppress(Exception):  # told by `wait_for_update`
            self._own_update.result()

    def wait_for_update(self) -> None:
        """Sees that the own update of the last batch is done; raises its error, now and whenever asked again."""
        update = self._update
        if update is not None:
            with self._timings.measure("wait for own update"):
                update.result()
            if self._update is update:
                self._update = None
        self._own_update.result()
        self._told.result()

    def give_up(self) -> None:
        """Leaves an own update that has not begun, and waits for what has: the session is over."""
        self._own_update.give_up(SessionError("the session has ended", where=self._party))
        update = self._update
        if update is not None:
            update.exception()

    def state(self) -> State:
        """Everything that decides how training goes on, between two training batches or at the end.

        Raises:
            SessionError: the next batch is of another kind.
        """
        if not self.finished and self._schedule.exchange(self.position).activity is not Activity.TRAIN:
            received = f"Snapshot {self.position}"
            raise SessionError(
                "call out of order", where=self._party, expected="the end of the epoch", received=received
            )
        self.wait_for_update()
        epochs = [epoch.to_values() for epoch in self.epochs]
        parts = {
            "exchanges": State({"position": self.position, "stopped": self._stopped, "epochs": epochs}),
            "fuse": self._fuse.state(),
            "step_losses": self.step_losses.state(),
        }
        if self._base is not None:
            parts["base"] = self._base.state()
        if self._own_hiddens is not None:
            parts["own_hiddens"] = State(arrays=dict(self._own_hiddens))
        for name in self._specs:
            parts[f"hidden_receiver {name}"] = self._hidden_receivers[name].state()
            parts[f"gradient_sender {name}"] = self._gradient_senders[name].state()
        if self._local_steps is not None:
            parts["local_steps"] = self._local_steps.state()
        if self._pass is not None:
            parts["pass"] = self._pass.state()
        if self._stopping is not None:
            parts["stopping"] = self._stopping.state()
        return join_states(parts)

    def set_state(self, state: State) -> None:
        """Goes on from a state of the same schedule, before the first call.

        Raises:
            CheckpointError: the state is that of another model.
        """
        own = part_of(state, "exchanges").values
        self._fuse.set_state(part_of(state, "fuse"))
        if self._base is not None:
            self._base.set_state(part_of(state, "base"))
        self.step_losses.set_state(part_of(state, "step_losses"))
        if self._stopping is not None:
            self._stopping.set_state(part_of(state, "stopping"))
        self.position, self._stopped = int(own["position"]), bool(own["stopped"])
        self.epochs = [
            EpochMetrics(epoch, *(None if one is None else PassMetrics(**one) for one in passes))
            for epoch, *passes in own["epochs"]
        ]
        for name in self._specs:
            self._hidden_receivers[name].set_state(part_of(state, f"hidden_receiver {name}"))
            self._gradient_senders[name].set_state(part_of(state, f"gradient_sender {name}"))
        if self._local_steps is not None:
            self._local_steps.set_state(part_of(state, "local_steps"))
        own_hiddens = part_of(state, "own_hiddens").arrays
        self._own_hiddens = cast("Tensors", own_hiddens) if own_hiddens else None
        under_way = part_of(state, "pass")
        if under_way.arrays:
            self._pass = self._new_pass(self._schedule.exchange(self.position))
            self._pass.set_state(under_way)

    def running(self) -> PassMetrics | None:
        """Metrics of the current training epoch so far; None while they would cover too few rows."""
        current = self._pass
        if current is None or self.finished or self._schedule.exchange(self.position).activity is not Activity.TRAIN:
            return None
        return current.running(self._minimum_metric_rows)

    def _new_pass(self, exchange: Exchange) -> MetricAccumulator:
        rows = self._schedule.epoch_rows(exchange)
        return MetricAccumulator(rows, self._fuse.outputs, self._labels.shape[1], self._fuse.score)

    def _due(self, call: str, position: int) -> Exchange:
        """The exchange at a position, which must be the next one and take this call."""
        exchange = None if self.finished else self._schedule.exchange(self.position)
        deciding = exchange is not None and exchange.activity is Activity.DECIDE
        if exchange is None or position != self.position or deciding != (call == "Decide"):
            due = "nothing more" if exchange is None else f"{'Decide' if deciding else 'Fuse'} {self.position}"
            raise SessionError("call out of order", where=self._party, expected=due, received=f"{call} {position}")
        return exchange

    def _with_own(self, exchange: Exchange, rows: Rows, hiddens: Mapping[str, Tensors]) -> Mapping[str, Tensors]:
        """Those of a training batch were computed beside the last update; the first of an epoch is computed here."""
        if self._base is None:
            return hiddens
        own, self._own_hiddens = self._own_hiddens, None
        if own is None:
            with self._timings.measure("own base"):
                own = self._base.forward(rows) if exchange.activity is Activity.TRAIN else self._base.infer(rows)
        return {**hiddens, self._party: own}

    def _train(self, exchange: Exchange, rows: Rows, hiddens: Mapping[str, Tensors]) -> list[Envelope]:
        with_own = self._with_own(exchange, rows, hiddens)
        with self._timings.measure("fuse"):
            result = self._fuse.gradients(rows, with_own)
        envelopes = self._seal_gradients(exchange, rows, result)
        self.position += 1
        self._own_update = Deferred(lambda: self._finish_step(exchange, rows, hiddens, result))
        return envelopes

    def _train_whole(self, exchange: Exchange, rows: Rows, hiddens: Mapping[str, Tensors]) -> Deferred[list[Envelope]]:
        """Where other batches are under way, nobody waits for this one's gradients: one call costs less than three.

        One thread computes step after step. What comes before and after runs beside it: this method, which makes the
        inputs of the next step ready, and whoever asks for the gradients.
        """
        if self._pass is None or exchange.start == 0:
            self.wait_for_update()
            self._pass = self._pass or self._new_pass(exchange)
        train = self._fuse.begin_step(rows, hiddens)
        before, told_before = self._update, self._told
        step = self._background.submit(self._train_next, before, train)
        self._update = step
        if self._local_steps is not None:
            self._update = self._background.submit(self._go_on_locally, self._local_steps, step, exchange, hiddens)
        self.position += 1

        def tell() -> list[Envelope]:
            result = step.result().result()
            told_before.result()
            envelopes = self._seal_gradients(exchange, rows, result)
            self._note_step(exchange, rows, result)
            return envelopes

        self._told = Deferred(tell)
        if before is not None:
            before.exception()  # one step ahead is enough; what it raised is raised where its gradients are asked for
        return self._told

    def _train_next(self, before: Future[Any] | None, train: Step) -> Deferred[LossAndGradients]:
        if before is not None:
            before.result()
        with self._timings.measure("fuse"):
            return Deferred(train())

    @staticmethod
    def _go_on_locally(
        local_steps: LabelLocalSteps,
        step: Future[Deferred[LossAndGradients]],
        exchange: Exchange,
        hiddens: Mapping[str, Tensors],
    ) -> None:
        """In the same thread as the steps, but with the gradients on their way."""
        local_steps.after(exchange, hiddens, step.result().result().gradients)

    def _seal_gradients(self, exchange: Exchange, rows: Rows, result: LossAndGradients) -> list[Envelope]:
        with self._timings.measure("seal"):
            return [
                self._keys.seal(
                    self._slot(exchange, self._party, name, MESSAGE_KIND_GRADIENT),
                    self._gradient_senders[name].encode(result.gradients[name], rows, exchange.position),
                )
                for name in self._specs
            ]

    def _finish_step(
        self, exchange: Exchange, rows: Rows, hiddens: Mapping[str, Tensors], result: LossAndGradients
    ) -> None:
        """All that follows a batch whose gradients are on their way."""
        following = following_training_exchange(self._schedule, exchange.position)
        at_once = following if self._local_steps is None else None
        with self._timings.measure("own update"):
            self._fuse.apply()
            if self._base is not None:
                self._update_base(self._base, result.gradients[self._party], at_once)
        self._note_step(exchange, rows, result)
        if self._local_steps is not None:
            self._local_steps.after(exchange, hiddens, result.gradients)
        if self._base is not None and following is not None and at_once is None:
            with self._timings.measure("own base"):
                self._own_hiddens = self._base.forward(self._schedule.rows(following))

    def _note_step(self, exchange: Exchange, rows: Rows, result: LossAndGradients) -> None:
        if self._pass is None:
            raise RuntimeError("a training step ended outside of an epoch")
        self._pass.add(result.outputs, self._labels[rows], result.loss, result.measures)
        rows_left = self._schedule.epoch_rows(exchange) - exchange.start - exchange.rows
        self.step_losses.add(exchange.step, exchange.rows, result.loss, rows_left)
        if not self.step_losses.held_back_rows:
            self._pass.release()
        self._end_pass(exchange)

    def _update_base(self, base: Base, gradients: Tensors, following: Exchange | None) -> None:
        if following is None:
            base.backward(gradients)
        else:
            self._own_hiddens = base.backward_and_forward(gradients, self._schedule.rows(following))

    def _end_pass(self, exchange: Exchange) -> None:
        """Closes the books where an exchange is the last of its pass."""
        if not exchange.last or self._pass is None:
            return
        if exchange.activity is Activity.INFER:
            self.inference, self._pass = self._pass, None
            return
        metrics = self._pass.metrics()
        self._pass = None
        if exchange.activity is Activity.TRAIN:
            self.epochs.append(EpochMetrics(exchange.epoch))
            self.epochs[-1].train = metrics
        else:
            self.epochs[-1].validation = metrics

    def _open(self, exchange: Exchange, rows: Rows, envelopes: Sequence[Envelope]) -> dict[str, Tensors]:
        by_sender = {envelope.sender: envelope for envelope in envelopes}
        if len(envelopes) != len(self._specs) or set(by_sender) != set(self._specs):
            raise SessionError(
                "a batch needs the hiddens of every feature party, each once",
                where=f"{self._party}: exchange {exchange.position}",
                expected=", ".join(self._specs),
                received=f"{len(envelopes)} messages",
            )
        hiddens = {}
        receivers = self._hidden_receivers if exchange.activity is Activity.TRAIN else self._plain_receivers
        for name in self._specs:
            slot = self._slot(exchange, name, self._party, MESSAGE_KIND_HIDDEN)
            message = self._keys.open(slot, by_sender[name])
            hiddens[name] = receivers[name].decode(message, rows, exchange.position, slot)
        for name, tensors in hiddens.items():
            receivers[name].accept(tensors, rows)
        return hiddens

    def _slot(self, exchange: Exchange, sender: str, receiver: str, kind: MessageKind) -> Slot:
        return Slot(sender, receiver, kind, self._dataset, exchange.position, exchange.rows)
