"""A coordinator that does what a test wants with the messages it relays."""

from pathlib import Path

import numpy as np

from coordinator.configuration import load_coordinator_configuration
from coordinator.federation import Federation
from party.errors import SplitError
from party.pb import party_pb2 as pb


class Relay(Federation):
    """A coordinator that hands every call to `around`, which may do with it what it likes.

    Args:
        run_path: the run's YAML file.
        around: called with (send, party, method, request); `send(request)` calls the party and returns its reply.
    """

    def __init__(self, run_path, around):
        super().__init__(load_coordinator_configuration(Path(run_path)))
        for connection in self._connections.values():
            connection.stub = _Stub(connection, around)


class _Stub:
    def __init__(self, connection, around):
        self._connection, self._stub, self._around = connection, connection.stub, around

    def __getattr__(self, method):
        return _Method(self._connection, getattr(self._stub, method), method, self._around)


class _Method:
    def __init__(self, connection, inner, name, around):
        self._connection, self._inner, self._name, self._around = connection, inner, name, around

    def __call__(self, request, timeout):
        return self._around(lambda altered: self._send(altered, timeout), self._connection.name, self._name, request)

    def _send(self, request, timeout):
        def method(altered, **_):
            return self._inner(altered, timeout=timeout)

        return self._connection.call(method, request)

    def future(self, request, timeout):
        return _Later(lambda: self(request, timeout))


class _Later:
    def __init__(self, call):
        self.result = call


class Recorder:
    """Keeps the bytes of every request and reply, in the order of the calls, and which kinds of messages they held."""

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
        """Which of the byte strings went through."""
        return [text for text in texts if any(text in message for message in self.messages)]


def envelopes(message):
    for _, value in message.ListFields():
        values = value if hasattr(value, "__len__") and not isinstance(value, (str, bytes)) else [value]
        yield from (one for one in values if isinstance(one, pb.Envelope))


class Tamper:
    """Sends altered requests before the true one, and keeps the errors that they met.

    Args:
        party: whose call is altered.
        method: name of the call.
        alter: from a copy of the request to what is sent.
        times: how many altered requests are sent.
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
    """The error that a call meets, which it must."""
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
    """A run came to the same bits as the undisturbed one."""
    for name, weights in saved_weights(organisations, run_id).items():
        assert set(weights) == set(organisations.reference[name])
        for key, array in weights.items():
            assert np.array_equal(array, organisations.reference[name][key]), (name, key)


def fit(organisations, around):
    with Relay(organisations.run_path, around) as parties:
        return parties.fit()


class Liar:
    """At one step tells lies, each once, and then the truth.

    Args:
        lies: (party, method, alter, ...) each; `alter` gets a copy of the request and this object.
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
    """Puts another message in the place of one; `relabel` gives it the labels of the place."""
    if relabel:
        envelope.nonce, envelope.ciphertext = other.nonce, other.ciphertext
    else:
        envelope.CopyFrom(other)
