"""Parties with simulated disks, models and seals, and the real rules of calls, stages and checkpoints.

Weights are digests of every update so far: one that is left out, doubled or another one shows in all that follow.
"""

import ast
import collections
import hashlib
from dataclasses import dataclass, field

from party.errors import CheckpointError, HandshakeError, SealError, SessionError, SessionLostError
from party.protocol.calls import RepeatableCalls
from party.protocol.checkpoints import ORIGIN, CheckpointBook, Checkpoints, Mark
from party.protocol.stages import Stage, Stages

PARTIES = ("alice", "bob", "charlie")
LABEL_PARTY, FEATURE_PARTIES = "bob", ("alice", "charlie")
STEPS, KEEP, KEPT_COMMITS, BAG = 24, 2, 8, 24
HANDSHAKE, CHECKPOINT_CALLS = ("Open", "Agree", "Authenticate", "Confirm"), ("Prepare", "Commit")
CRASH_POINTS = ("record", "file", "rules", "note")  # right before or after something becomes durable


def digest(*content):
    return hashlib.sha256(repr(content).encode()).digest()[:8]


def undisturbed_run():
    """Weights of every party after every step of a run in which nothing fails."""
    chain = [{name: digest(name) for name in PARTIES}]
    for step in range(STEPS):
        former = chain[-1]
        fused = digest(former[LABEL_PARTY], step, tuple(former[name] for name in FEATURE_PARTIES))
        features = {name: digest(former[name], step, digest(name, fused)) for name in FEATURE_PARTIES}
        chain.append(features | {LABEL_PARTY: fused})
    return chain


REFERENCE = undisturbed_run()


class Crash(Exception):
    """The process of a party ends here."""


@dataclass
class Disk:
    """What a party has of one run after a restart; a file that cannot be read is None."""

    files: dict = field(default_factory=dict)
    committed: list = field(default_factory=list)
    record: bool = False

    def read(self, mark):
        if self.files.get(mark) is None:
            raise CheckpointError("is missing or damaged", where="disk")
        return self.files[mark]

    def write(self, mark, state):
        self.files[mark] = state


class Party:
    def __init__(self, name):
        self.name, self.opened = name, 0
        self.disks = collections.defaultdict(Disk)
        self.prepared, self.damaged = set(), set()  # all that ever were
        self.restart()

    def restart(self):
        self.session, self.crash_point = None, None

    def pass_point(self, point):
        if self.crash_point == point:
            raise Crash

    def handle(self, run, method, request):
        if method == "Open":
            self.session, self.opened = None, self.opened + 1
            self.session = Session(self, run, *request)
            return self.session.hello, ()
        if self.session is None or self.session.run != run:
            raise SessionLostError("no such session is open here", where=self.name)
        return self.session.handle(method, request)

    def picture(self):
        disks = [(run, sorted(disk.files.items()), disk.committed, disk.record) for run, disk in self.disks.items()]
        return repr((disks, self.session and self.session.picture()))


def read(reply):
    """What a reply says: texts, numbers and digests in tuples."""
    return ast.literal_eval(reply.decode())


class Session:
    """Uses the pure modules as a party's session, plan and checkpoints do; replies are a content and envelopes."""

    def __init__(self, party, run, step, lineage, resume):
        self.party, self.name, self.run, self.start = party, party.name, run, Mark(step, lineage)
        self.disk, self.peers = party.disks[run], [name for name in PARTIES if name != party.name]
        if (self.start != ORIGIN or self.disk.record) and not resume:
            raise SessionError("run_id was used before", where=self.name)
        if resume and not self.disk.record:
            raise CheckpointError("nothing is known here of this run", where=self.name)
        self.restored = (0, digest(self.name)) if self.start == ORIGIN else self.disk.read(self.start)
        self.hello = (self.name, step, lineage, party.opened)
        self.stages, self.step, self.weights, self.awaits_gradient = Stages(self.name), 0, b"", False
        self.caches = {beside: RepeatableCalls(self.name) for beside in (False, True)}
        self.answers = {False: {}, True: {}}  # request and reply by place, the oldest first
        self.transcript = self.checkpoints = self.book = self.copy = None

    def handle(self, method, request):
        compute = getattr(self, method.lower())
        if method in HANDSHAKE:
            return compute(*request)
        beside, place = method in CHECKPOINT_CALLS, (method, *request[:1])
        reply = self.caches[beside].answer(place, repr(request).encode(), lambda: repr(compute(*request)).encode())
        return self.answers[beside].setdefault(place, (request, read(reply))) and read(reply)

    def picture(self):
        book = self.book and (sorted(self.book.prepared), self.book.committed)
        return self.hello, self.stages.current, self.transcript, self.step, self.weights, self.copy, book

    def seal(self, receiver, kind, step, content):
        return self.transcript, self.name, receiver, kind, step, content

    def open(self, envelopes, sender, kind, step):
        for envelope in envelopes:
            if envelope[:5] == (self.transcript, sender, self.name, kind, step):
                return envelope[5]
        raise SealError("the message is missing or does not open", where=self.name)

    def agree(self, hellos):
        self.stages.require(Stage.OPENED)
        ordered = sorted(hellos)
        if tuple(hello[0] for hello in ordered) != PARTIES or self.hello not in ordered or not self.alike(ordered):
            raise HandshakeError("statements are missing, changed or differ", where=self.name)
        self.transcript = digest("transcript", ordered)
        self.stages.leave(Stage.OPENED)
        return (self.name, self.transcript), ()

    def alike(self, hellos):
        return len({hello[1:3] for hello in hellos}) == 1

    def authenticate(self, signatures):
        self.stages.require(Stage.AGREED)
        if any((peer, self.transcript) not in signatures for peer in self.peers):
            raise HandshakeError("a signature does not verify", where=self.name)
        self.stages.leave(Stage.AGREED)
        return None, tuple(self.seal(peer, "confirm", 0, b"") for peer in self.peers)

    def confirm(self, envelopes):
        self.stages.require(Stage.AUTHENTICATED)
        for peer in self.peers:
            self.open(envelopes, peer, "confirm", 0)
        book = CheckpointBook(self.disk.files, self.disk.committed, KEEP)
        self.checkpoints = Checkpoints(self.name, self.peers, self.start, self.transcript, book)
        self.book, self.disk.record = book, True
        self.disk.committed = list(book.committed)
        self.party.pass_point("record")
        self.step, self.weights = self.restored
        self.stages.leave(Stage.AUTHENTICATED)
        return None, ()

    def require(self, step, due=True):
        self.stages.require(Stage.READY)
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
        self.copy = self.checkpoints.take(step), (self.step, self.weights)
        return None, ()

    def prepare(self, step):
        self.stages.require(Stage.READY)
        if self.copy is None or self.copy[0].step != step:
            raise SessionError("no snapshot of this step was taken", where=self.name)
        mark, state = self.copy
        self.disk.write(mark, state)
        self.party.prepared.add(mark)
        self.party.pass_point("file")
        self.checkpoints.prepared(mark)
        self.copy = None
        return mark.lineage, tuple(self.seal(peer, "prepared", step, mark.lineage) for peer in self.peers)

    def commit(self, step, vouchers):
        self.stages.require(Stage.READY)
        senders = {voucher[1] for voucher in vouchers}.intersection(self.peers)
        dropped = self.checkpoints.commit(step, {one: self.open(vouchers, one, "prepared", step) for one in senders})
        self.party.pass_point("rules")
        self.disk.committed = list(self.book.committed)
        self.party.pass_point("note")
        for mark in dropped:
            self.disk.files.pop(mark, None)
        return None, ()

    def finish(self):
        self.require(STEPS)
        self.stages.leave(Stage.READY)
        return None, ()
