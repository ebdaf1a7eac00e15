"""Parties behind breakable links, and faults that hit them at chosen places of chosen calls."""

import contextlib
import enum
import socket
import threading
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import numpy as np
from network.proxy import HOST, TcpProxy

from coordinator.configuration import load_coordinator_configuration
from coordinator.federation import Federation
from coordinator.line import LineMethod
from coordinator.patience import Patience
from party.pb import party_pb2 as pb
from party.transport.service import PartyService

METHODS = [method.name for method in pb.DESCRIPTOR.services_by_name["Party"].methods if method.name != "Converse"]
NUMBERS = ("position", "step", "dataset", "kind", "sender", "receiver", "index")  # what tells calls of a kind apart
DEADLINE_SECONDS = 60.0
FOREVER_SECONDS = 3600.0


class Place(enum.Enum):
    """Where a call is: each of its attempts passes all places that it gets to, in this order."""

    CALLED = "the coordinator is about to send the request"
    SENT = "the coordinator sent the request"
    ARRIVED = "the party is about to work on the request"
    ANSWERED = "the party is about to send the reply"


class Visit(NamedTuple):
    """A place of a call; the repeated call is the same visit again."""

    place: Place
    party: str
    method: str
    numbers: tuple = ()


class Watch:
    """Counts the visits of all calls, and does something at chosen ones.

    Args:
        actions: by visit, called without arguments, at the first visit only; by `(place, party, method)`, at the first
            visit to any such call. An action may add further ones.
    """

    def __init__(self, actions=()):
        self.visits = Counter()
        self.openings = []
        self.timeout_seconds = None  # in place of the coordinator's own, once it is set
        self.actions = dict(actions)
        self._lock = threading.Lock()

    @property
    def sessions(self):
        """How many sessions every party opened."""
        return self.count(Place.ANSWERED, "Open")

    def count(self, place, method):
        """Visits by party."""
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
    """A coordinator whose calls pass by a watch; what it repeats passes again."""

    def __init__(self, run_path, watch):
        super().__init__(load_coordinator_configuration(Path(run_path)))
        for connection in self._connections.values():
            for method in METHODS:
                inner = getattr(connection.stub, method)
                kind = _WatchedLineMethod if isinstance(inner, LineMethod) else _WatchedMethod
                setattr(connection.stub, method, kind(inner, watch, connection.name, method))


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


class _WatchedLineMethod(_WatchedMethod, LineMethod):
    pass


class Network:
    """Parties in this process, each behind a link of its own whose port outlives the party.

    Args:
        organisations: with their servers started.
        monkeypatch: lets the calls that arrive at the parties pass by the watch of the moment.
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
        """Puts a new link before every party."""
        with contextlib.ExitStack() as stack:
            for party, port in self.organisations.ports.items():
                self.links[party] = stack.enter_context(TcpProxy(port, **conditions))
            stack.callback(self.links.clear)
            yield

    @contextlib.contextmanager
    def coordinator(self, actions=(), training=None, **settings):
        """A coordinator that reaches the parties over their links, where there are some, and its watch."""
        ports = {party: link.port for party, link in self.links.items()} or None
        path = self.organisations.write_run(training=training, ports=ports, **settings)
        self._watch = watch = Watch(actions)
        try:
            with WatchedFederation(path, watch) as parties:
                yield parties, watch
        finally:
            self._watch = Watch()

    def fit(self, actions=(), resume=None, **settings):
        """Trains a run; returns everything that two runs may be compared by, and the watch."""
        with self.coordinator(actions, **settings) as (parties, watch):
            history = parties.fit(resume=resume)
        return Outcome(self.organisations, history), watch

    def stall(self, party):
        """Lets nothing through to a party and back, and the coordinator wait for no answer longer than a second."""
        self._watch.timeout_seconds = 1.0
        self.links[party].delay_seconds = FOREVER_SECONDS

    def refuse(self, party):
        """Ends the connections of a party, and every new one while it is made."""
        self.links[party].upstream_port = unused_port()
        self.links[party].reset()

    def come_back(self, party):
        """Lets a party answer again, from the port that it listens on now."""
        self.links[party].upstream_port = self.organisations.ports[party]


class Outcome:
    """Everything that two runs may be compared by."""

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
    """Something that happens to a party, and goes on until the coordinator has lost a connection and pauses.

    Args:
        monkeypatch: tells when the coordinator pauses before it tries again.
        begin: lets it happen.
        end: lets it be over; runs in a thread of its own.
    """

    def __init__(self, monkeypatch, begin, end):
        self._begin, self._end = begin, end
        self._noticed = threading.Event()
        self._thread = threading.Thread(target=self._await_end, name="outage")
        pauses = Patience.pauses

        def announced(patience):
            self._noticed.set()
            return pauses(patience)

        monkeypatch.setattr(Patience, "pauses", announced)

    def __call__(self):
        self._begin()
        self._noticed.clear()
        self._thread.start()

    def _await_end(self):
        await_event(self._noticed)
        self._end()


def await_event(event):
    """Waits for an event that must come."""
    assert event.wait(DEADLINE_SECONDS)


def unused_port():
    """A port on which nobody listens."""
    with socket.create_server((HOST, 0)) as server:
        return server.getsockname()[1]
