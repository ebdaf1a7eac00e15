"""Parties with simulated models and seals, the real rules of calls and phases, and real checkpoints on a real disk.

Weights are digests of every update so far: a missing, doubled or different one changes all that follow.
"""

import ast
import functools
import hashlib
from dataclasses import dataclass, field

from party.cut.state import State
from party.errors import CheckpointError, HandshakeError, SealError, SessionError, SessionLostError
from party.pb.party_pb2 import Envelope
from party.protocol.calls import RepeatableCalls
from party.protocol.checkpoints import ORIGIN, Mark
from party.protocol.phases import SessionPhase, SessionPhases
from party.runtime.request_file import RequestFile
from party.runtime.training_checkpoints import TrainingCheckpoints
from party.security.sealing import SealingKeys
from tests.support.run_disks import Crash, Disk, Disks

PARTIES = ("alice", "bob", "charlie")
LABEL_PARTY, FEATURE_PARTIES = "bob", ("alice", "charlie")
STEPS, KEEP, KEPT_COMMITS, BAG = 24, 2, 8, 24
HANDSHAKE, CHECKPOINT_CALLS = ("Open", "Agree", "Authenticate", "Confirm"), ("Prepare", "Commit")
CONTRADICTION = b"other"  # in a request that contradicts an answered one; nothing but its bytes differs
CRASH_POINTS = ("record", "torn file", "file", "rules", "note")  # right before or after something becomes durable


@dataclass
class Round:
    """One call to several parties; the next one follows once all have answered."""

    method: str
    requests: dict
    replies: dict = field(default_factory=dict)


@dataclass
class Driven:
    """The coordinator's side of one session; checkpoints are made concurrently with the batches."""

    number: int
    starts: dict
    honest: bool
    rounds: dict = field(default_factory=lambda: {"batches": None, "checkpoint": None})
    step: int = 0
    latest: Mark = ORIGIN  # its start, then its latest commit
    envelopes: tuple = ()


def digest(*content):
    return hashlib.sha256(repr(content).encode()).digest()[:8]


def undisturbed_run():
    """Returns the weights of every party after every step of a run without failures."""
    chain = [{name: digest(name) for name in PARTIES}]
    for step in range(STEPS):
        former = chain[-1]
        fused = digest(former[LABEL_PARTY], step, tuple(former[name] for name in FEATURE_PARTIES))
        features = {name: digest(former[name], step, digest(name, fused)) for name in FEATURE_PARTIES}
        chain.append(features | {LABEL_PARTY: fused})
    return chain


REFERENCE = undisturbed_run()


class Party:
    """A party with disks of its own, by run, in a folder."""

    def __init__(self, name, folder):
        self.name, self.opened = name, 0
        self.disks = Disks(lambda run: Disk(folder / f"run-{run}" / name, name, self.pass_point))
        self.damaged = set()  # of all time
        self.restart()

    def restart(self):
        if getattr(self, "session", None) is not None:
            self.session.close()
        self.session, self.crash_point = None, None

    def pass_point(self, point):
        if self.crash_point == point:
            raise Crash

    def handle(self, run, method, request):
        if method == "Open":
            if self.session is not None:
                self.session.close()
            self.session, self.opened = None, self.opened + 1
            self.session = Session(self, run, *request)
            return self.session.hello, ()
        if self.session is None or self.session.run != run:
            raise SessionLostError("no such session is open here", where=self.name)
        return self.session.handle(method, request)

    def picture(self):
        disks = [(run, disk.changes, disk.record) for run, disk in self.disks.items()]
        return repr((disks, self.session and self.session.picture()))


@functools.lru_cache(maxsize=1024)
def read(reply):
    """Returns the content of a reply: texts, numbers and digests in tuples."""
    return ast.literal_eval(reply.decode())


def contents(state):
    """Returns step and weights of a checkpoint."""
    return state.values["step"], bytes.fromhex(state.values["weights"])


def as_envelope(sender, receiver, kind, content):
    """Returns the envelope for a message of this run: vouchers are really sealed, other messages are not."""
    if kind == "prepared":
        return Envelope.FromString(content)
    return Envelope(sender=sender, receiver=receiver)


class Session:
    """Uses the pure modules as a party's session, plan and checkpoints do; replies are a content and envelopes."""

    def __init__(self, party, run, step, lineage, resume):
        self.party, self.name, self.run, self.start = party, party.name, run, Mark(step, lineage)
        self.disk, self.peers = party.disks[run], [name for name in PARTIES if name != party.name]
        if (self.start != ORIGIN or self.disk.record) and not resume:
            raise SessionError("run_id was used before", where=self.name)
        if resume and not self.disk.record:
            raise CheckpointError("this party has no record of the run", where=self.name)
        self.restored = (0, digest(self.name)) if self.start == ORIGIN else contents(self.disk.files.read(self.start))
        self.hello = (self.name, step, lineage, party.opened)
        self.stages, self.step, self.weights, self.awaits_gradient = SessionPhases(self.name), 0, b"", False
        self.caches = {beside: RepeatableCalls(self.name) for beside in (False, True)}
        self.answers = {False: {}, True: {}}  # request and reply by place, oldest first
        self.transcript = self.checkpoints = self.requests = self.copied = None

    def handle(self, method, request):
        compute = getattr(self, method.lower())
        if method in HANDSHAKE:
            return compute(*request)
        beside, place = method in CHECKPOINT_CALLS, (method, *request[:1])
        arguments = [one for one in request if one != CONTRADICTION]
        reply = self.caches[beside].answer(place, repr(request).encode(), lambda: repr(compute(*arguments)).encode())
        return self.answers[beside].setdefault(place, (request, read(reply))) and read(reply)

    def picture(self):
        book = None if self.checkpoints is None else self.checkpoints._book  # what a refused call must not change
        known = book and (sorted(book.prepared), list(book.committed))
        return known, self.hello, self.stages.current, self.transcript, self.step, self.weights, self.copied

    def close(self):
        if self.requests is not None:
            self.requests.close()

    def seal(self, receiver, kind, step, content):
        return self.transcript, self.name, receiver, kind, step, content

    def open(self, envelopes, sender, kind, step):
        for envelope in envelopes:
            if envelope[:5] == (self.transcript, sender, self.name, kind, step):
                return envelope[5]
        raise SealError("the message is missing or does not open", where=self.name)

    def sealing_keys(self):
        """Returns the keys of this session, one per direction, as all parties derive them."""
        outgoing = {peer: self.key(self.name, peer) for peer in self.peers}
        incoming = {peer: self.key(peer, self.name) for peer in self.peers}
        return SealingKeys(self.transcript, outgoing, incoming)

    def key(self, sender, receiver):
        return hashlib.sha256(repr((self.transcript, sender, receiver)).encode()).digest()

    def agree(self, hellos):
        self.stages.require(SessionPhase.OPENED)
        ordered = sorted(hellos)
        if tuple(hello[0] for hello in ordered) != PARTIES or self.hello not in ordered or not self.alike(ordered):
            raise HandshakeError("statements are missing, changed or differ", where=self.name)
        self.transcript = digest("transcript", ordered)
        self.stages.leave(SessionPhase.OPENED)
        return (self.name, self.transcript), ()

    def alike(self, hellos):
        return len({hello[1:3] for hello in hellos}) == 1

    def authenticate(self, signatures):
        self.stages.require(SessionPhase.AGREED)
        if any((peer, self.transcript) not in signatures for peer in self.peers):
            raise HandshakeError("a signature does not verify", where=self.name)
        self.stages.leave(SessionPhase.AGREED)
        return None, tuple(self.seal(peer, "confirm", 0, b"") for peer in self.peers)

    def confirm(self, envelopes):
        self.stages.require(SessionPhase.AUTHENTICATED)
        for peer in self.peers:
            self.open(envelopes, peer, "confirm", 0)
        self.requests = RequestFile(self.disk.folder, self.name, len(self.peers))
        self.requests.open(self.start.step)
        self.checkpoints = TrainingCheckpoints(
            party=self.name,
            peers=self.peers,
            dataset="train",
            start=self.start,
            keys=self.sealing_keys(),
            files=self.disk.files,
            keep=KEEP,
            requests=self.requests,
        )
        self.disk.record = True
        self.party.pass_point("record")
        self.step, self.weights = self.restored
        self.stages.leave(SessionPhase.AUTHENTICATED)
        return None, ()

    def require(self, step, due=True):
        self.stages.require(SessionPhase.READY)
        if step != self.step or not due:
            raise SessionError("call out of order", where=self.name)

    def forward(self, step):
        self.require(step, self.name != LABEL_PARTY and not self.awaits_gradient and step < STEPS)
        self.awaits_gradient = True
        return None, (self.seal(LABEL_PARTY, "hidden", step, self.weights),)

    def fuse(self, step, hiddens):
        self.require(step, self.name == LABEL_PARTY and step < STEPS)
        contents = tuple(self.open(hiddens, sender, "hidden", step) for sender in FEATURE_PARTIES)
        self.step, self.weights = step + 1, digest(self.weights, step, contents)
        return None, tuple(self.seal(one, "gradient", step, digest(one, self.weights)) for one in FEATURE_PARTIES)

    def backward(self, step, gradients):
        self.require(step, self.awaits_gradient)
        gradient = self.open(gradients, LABEL_PARTY, "gradient", step)
        self.step, self.weights, self.awaits_gradient = step + 1, digest(self.weights, step, gradient), False
        return None, ()

    def snapshot(self, step):
        self.require(step, self.awaits_gradient or step == STEPS or self.name == LABEL_PARTY)
        self.checkpoints.take(step, State({"step": self.step, "weights": self.weights.hex()}))
        self.copied = step
        return None, ()

    def prepare(self, step):
        self.stages.require(SessionPhase.READY)
        lineage, vouchers = self.checkpoints.prepare(step)
        self.copied = None
        sealed = [self.seal(one.receiver, "prepared", step, one.SerializeToString()) for one in vouchers]
        return lineage, tuple(sealed)

    def commit(self, step, vouchers):
        self.stages.require(SessionPhase.READY)
        self.checkpoints.commit(step, [as_envelope(*voucher[1:4], voucher[5]) for voucher in vouchers])
        return None, ()

    def finish(self):
        self.require(STEPS)
        self.stages.leave(SessionPhase.READY)
        return None, ()
