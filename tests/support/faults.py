"""Parties behind breakable links, and faults at chosen points of chosen calls."""

import contextlib
import enum
import socket
import threading
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import numpy as np

from coordinator.configuration import load_coordinator_configuration
from coordinator.federation import Federation
from coordinator.retry import RetryPolicy
from coordinator.transports import StreamTransport
from party.pb import party_pb2 as pb
from party.transport.service import PartyService
from tests.support.proxy import HOST, TcpProxy

METHODS = [method.name for method in pb.DESCRIPTOR.services_by_name["Party"].methods if method.name != "StreamCalls"]
NUMBERS = (
    "position",
    "step",
    "dataset",
    "kind",
    "sender",
    "receiver",
    "index",
)  # identify a call
DEADLINE_SECONDS = 60.0
FOREVER_SECONDS = 3600.0


class Place(enum.Enum):
    """The points that each attempt of a call passes, in this order, as far as it gets."""

    CALLED = "the coordinator is about to send the request"
    SENT = "the coordinator sent the request"
    ARRIVED = "the party is about to work on the request"
    ANSWERED = "the party is about to send the reply"


class Visit(NamedTuple):
    """A point of a call; equal for every repetition of the call."""

    place: Place
    party: str
    method: str
    numbers: tuple = ()


class Watch:
    """Counts how often all calls pass each point, and calls functions at chosen ones.

    Args:
        actions: functions without arguments, by `Visit`, called when the point is passed for the first time; or by
            `(place, party, method)`, called when the first such call passes it. An action may add further ones.
    """

    def __init__(self, actions=()):
        self.visits = Counter()
        self.openings = []
        self.timeout_seconds = None  # replaces that of the coordinator once it is set
        self.actions = dict(actions)
        self._lock = threading.Lock()

    @property
    def sessions(self):
        """Returns how many sessions every party opened."""
        return self.count(Place.ANSWERED, "Open")

    def count(self, place, method):
        """Returns how often calls passed a point, by party."""
        found = Counter()
        for visit, times in self.visits.items():
            if (visit.place, visit.method) == (place, method):
                found[visit.party] += times
        return dict(found)

    def visit(self, place, party, method, request):
        numbers = tuple(getattr(request, name) for name in NUMBERS if name in request.DESCRIPTOR.fields_by_name)
        visit = Visit(place, party, method, numbers)
        with self._lock:
            self.visits[visit] += 1
            if place is Place.CALLED and method == "Open":
                self.openings.append((party, request.start_step))
            due = [self.actions.pop(key) for key in (visit, visit[:3]) if key in self.actions]
        for action in due:
            action()


class WatchedFederation(Federation):
    """A coordinator whose calls, repeated ones included, are reported to a watch."""

    def __init__(self, run_path, watch):
        super().__init__(load_coordinator_configuration(Path(run_path)))
        for client in self._clients.values():
            transport = client.transport
            transport.unary.stub = _WatchedStub(transport.unary.stub, watch, client.name)
            transport.stream = _WatchedStream(transport.stream, watch, client.name)


class _WatchedStub:
    def __init__(self, inner, watch, party):
        self._inner, self._watch, self._party = inner, watch, party

    def __getattr__(self, method):
        return _WatchedMethod(getattr(self._inner, method), self._watch, self._party, method)


class _WatchedMethod:
    def __init__(self, inner, watch, party, method):
        self._inner, self._watch, self._called = inner, watch, (party, method)

    def __call__(self, request, timeout):
        return self.future(request, timeout).result()

    def future(self, request, timeout):
        self._watch.visit(Place.CALLED, *self._called, request)
        answer = self._inner.future(request, timeout=self._watch.timeout_seconds or timeout)
        self._watch.visit(Place.SENT, *self._called, request)
        return answer


class _WatchedStream(StreamTransport):
    def __init__(self, inner, watch, party):
        vars(self).update(vars(inner))
        self._watch, self._party = watch, party

    def _send(self, rpc, request, timeout_seconds):
        self._watch.visit(Place.CALLED, self._party, rpc.name, request)
        answer = super()._send(rpc, request, self._watch.timeout_seconds or timeout_seconds)
        self._watch.visit(Place.SENT, self._party, rpc.name, request)
        return answer


class Network:
    """Parties in this process, each behind a link of its own whose port remains when the party restarts.

    Args:
        organisations: with their servers started.
        monkeypatch: reports the calls that arrive at the parties to the current watch.
    """

    def __init__(self, organisations, monkeypatch):
        self.organisations = organisations
        self.links = {}
        self._watch = Watch()
        for method in METHODS:
            name = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in method)[1:]
            monkeypatch.setattr(PartyService, name, self._watched(method, getattr(PartyService, name)))

    def _watched(self, method, answer):
        def watched(service, request, raw, caller):
            party = service._context.party
            self._watch.visit(Place.ARRIVED, party, method, request)
            try:
                return answer(service, request, raw, caller)
            finally:
                self._watch.visit(Place.ANSWERED, party, method, request)

        return watched

    @contextlib.contextmanager
    def linked(self, **conditions):
        """Puts a new link in front of every party."""
        with contextlib.ExitStack() as stack:
            for party, port in self.organisations.ports.items():
                self.links[party] = stack.enter_context(TcpProxy(port, **conditions))
            stack.callback(self.links.clear)
            yield

    @contextlib.contextmanager
    def coordinator(self, actions=(), training=None, **settings):
        """Returns a coordinator that reaches the parties over their links, if there are any, and its watch."""
        ports = {party: link.port for party, link in self.links.items()} or None
        path = self.organisations.write_run(training=training, ports=ports, **settings)
        self._watch = watch = Watch(actions)
        try:
            with WatchedFederation(path, watch) as parties:
                yield parties, watch
        finally:
            self._watch = Watch()

    def fit(self, actions=(), resume=None, **settings):
        """Trains a run; returns its results, and the watch."""
        with self.coordinator(actions, **settings) as (parties, watch):
            history = parties.fit(resume=resume)
        return Outcome(self.organisations, history), watch

    def stall(self, party):
        """Blocks all traffic of a party, and limits the coordinator's wait for a reply to one second."""
        self._watch.timeout_seconds = 1.0
        self.links[party].delay_seconds = FOREVER_SECONDS

    def refuse(self, party):
        """Closes the connections of a party, and every new one while it is being opened."""
        self.links[party].upstream_port = unused_port()
        self.links[party].reset()

    def come_back(self, party):
        """Forwards traffic to a party again, on the port that it listens on now."""
        self.links[party].upstream_port = self.organisations.ports[party]


class Outcome:
    """All results of a run, for comparing two runs."""

    def __init__(self, organisations, history):
        self.run_id = history.run_id
        self.steps = history.params["steps"]
        self.weights = {name: organisations.weights(name, history.run_id) for name in organisations.names}
        self.history = (history.history, history.epoch, history.best_epoch, history.step_loss, history.params)

    def expect_equal(self, other):
        assert self.history == other.history
        for name, arrays in self.weights.items():
            assert set(arrays) == set(other.weights[name])
            for key, array in arrays.items():
                np.testing.assert_array_equal(array, other.weights[name][key], err_msg=f"{name}: {key}", strict=True)


class Outage:
    """An outage of a party that lasts until the coordinator has lost a connection and pauses.

    Args:
        monkeypatch: reports when the coordinator pauses before it tries again.
        begin: begins the outage.
        end: ends the outage, in a thread of its own.
    """

    def __init__(self, monkeypatch, begin, end):
        self._begin, self._end = begin, end
        self._noticed = threading.Event()
        self._thread = threading.Thread(target=self._await_end, name="outage")
        delays = RetryPolicy.delays

        def announced(retry):
            self._noticed.set()
            return delays(retry)

        monkeypatch.setattr(RetryPolicy, "delays", announced)

    def __call__(self):
        self._begin()
        self._noticed.clear()
        self._thread.start()

    def _await_end(self):
        await_event(self._noticed)
        self._end()


def await_event(event):
    """Waits for an event, and fails if it does not happen in time."""
    assert event.wait(DEADLINE_SECONDS)


def unused_port():
    """Returns a port on which nothing listens."""
    with socket.create_server((HOST, 0)) as server:
        return server.getsockname()[1]
