"""Coordinators that record, alter or replace the messages that they relay."""

from pathlib import Path

import numpy as np

from coordinator.configuration import load_coordinator_configuration
from coordinator.federation import Federation
from party.errors import SplitError
from party.pb import party_pb2 as pb


class Relay(Federation):
    """A coordinator that passes every call to the function `around`.

    Args:
        run_path: the run's YAML file.
        around: called with (send, party, method, request); `send(request)` calls the party and returns its reply.
        without: parties that it does not connect to.
    """

    def __init__(self, run_path, around, without=()):
        super().__init__(load_coordinator_configuration(Path(run_path)), without=without)
        for client in self._clients.values():
            client.transport = _RelayedTransport(client, around)


class _RelayedTransport:
    """Passes every call to `around`; a call that was begun when its reply is requested."""

    def __init__(self, client, around):
        self._inner, self._party, self._around = client.transport, client.name, around

    def call(self, rpc, request, *, timeout_seconds=None):
        def send(altered):
            return self._inner.call(rpc, altered, timeout_seconds=timeout_seconds)

        return self._around(send, self._party, rpc.name, request)

    def begin(self, rpc, request):
        return lambda: self.call(rpc, request)

    def close_stream(self):
        self._inner.close_stream()

    def close(self):
        self._inner.close()


class Recorder:
    """Records the bytes of every request and reply, in the order of the calls, and the kinds of their messages."""

    def __init__(self):
        self.messages = []
        self.kinds = set()

    def __call__(self, send, party, method, request):
        reply = send(request)
        for message in (request, reply):
            self.messages.append(message.SerializeToString())
            self.kinds.update(envelope.kind for envelope in envelopes(message))
        return reply

    def finds(self, *texts):
        """Returns which of the byte strings were relayed."""
        return [text for text in texts if any(text in message for message in self.messages)]


def envelopes(message):
    for _, value in message.ListFields():
        values = value if hasattr(value, "__len__") and not isinstance(value, (str, bytes)) else [value]
        yield from (one for one in values if isinstance(one, pb.Envelope))


class Tamper:
    """Sends altered requests before the true one, and records their errors.

    Args:
        party: whose call is altered.
        method: name of the call.
        alter: returns the altered request for a copy of the true one.
        times: number of altered requests to send.
    """

    def __init__(self, party, method, alter, *, times=1):
        self.party, self.method, self.alter = party, method, alter
        self.times = times
        self.errors = []

    def __call__(self, send, party, method, request):
        while (party, method) == (self.party, self.method) and len(self.errors) < self.times:
            copy = type(request).FromString(request.SerializeToString())
            self.errors.append(error_of(send, self.alter(copy)))
        return send(request)


def error_of(send, request):
    """Returns the error of a call, which must fail."""
    try:
        send(request)
    except SplitError as error:
        return error
    raise AssertionError("the altered request was accepted")


def honest(send, party, method, request):
    return send(request)


def saved_weights(organisations, run_id):
    return {name: organisations.weights(name, run_id) for name in organisations.names}


def assert_undisturbed(organisations, run_id):
    """Checks that a run has the same bits as the undisturbed one."""
    for name, weights in saved_weights(organisations, run_id).items():
        assert set(weights) == set(organisations.reference[name])
        for key, array in weights.items():
            assert np.array_equal(array, organisations.reference[name][key]), (name, key)


def fit(organisations, around):
    with Relay(organisations.run_path, around) as parties:
        return parties.fit()


class Liar:
    """Sends false requests at one step, each once, and then the true one.

    Args:
        lies: tuples of (party, method, alter, ...); `alter` receives a copy of the request and this object.
        position: of the step.
    """

    def __init__(self, lies, position=1):
        self.hiddens, self.gradients = {}, {}
        self.errors = [None] * len(lies)
        self._lies, self._position = lies, position

    def __call__(self, send, party, method, request):
        if method == "Fuse":
            self.hiddens[request.position] = {one.sender: one for one in request.hiddens}
        for number, (its_party, its_method, alter, *_) in enumerate(self._lies):
            due = (party, method) == (its_party, its_method) and request.position == self._position
            if due and self.errors[number] is None:
                copy = type(request).FromString(request.SerializeToString())
                self.errors[number] = error_of(send, alter(copy, self))
        reply = send(request)
        if method == "Fuse":
            self.gradients[request.position] = {one.receiver: one for one in reply.gradients}
        return reply


def flip(envelope, field="ciphertext", place=10):
    content = bytearray(getattr(envelope, field))
    content[place] ^= 1
    setattr(envelope, field, bytes(content))


def replace(envelope, other, *, relabel=False):
    """Replaces a message by another one; `relabel` gives it the labels of the replaced one."""
    if relabel:
        envelope.nonce, envelope.ciphertext = other.nonce, other.ciphertext
    else:
        envelope.CopyFrom(other)
