"""A whole run over the pure protocol modules: parties with disks, a coordinator with a journal, and all that may fail.

The network, the disks and the models are simulated; the rules of calls, stages and checkpoints are the real ones.
Weights are digests of every update so far: one that is left out, doubled or another one shows in all that follow.
"""

import collections
import hashlib
import pickle
from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from party.errors import CheckpointError, HandshakeError, SealError, SessionError, SessionLostError, SplitError
from party.protocol.calls import KEPT_REPLIES, RepeatableCalls
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
        reply = self.caches[beside].answer(place, repr(request).encode(), lambda: pickle.dumps(compute(*request)))
        return self.answers[beside].setdefault(place, (request, pickle.loads(reply))) and pickle.loads(reply)

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


@dataclass
class Round:
    """One call to several parties, gone on from once all have answered."""

    method: str
    requests: dict
    replies: dict = field(default_factory=dict)


@dataclass
class Driven:
    """The coordinator's side of one session; checkpoints are made beside the batches."""

    number: int
    starts: dict
    honest: bool
    rounds: dict = field(default_factory=lambda: {"batches": None, "checkpoint": None})
    step: int = 0
    latest: Mark = ORIGIN  # its start, then its latest commit
    envelopes: tuple = ()


Message = collections.namedtuple("Message", "number run track method name request reply", defaults=[None])
names, small, cadences = st.sampled_from(PARTIES), st.integers(0, 9), st.sampled_from([1, 2, 5, 7, 11])


class RunProtocol(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.parties = {name: Party(name) for name in PARTIES}
        self.bag, self.sealed, self.handed = [], [], []
        self.starts, self.parents, self.driven = {}, {}, None
        self.run = self.number = self.finished = 0
        self.begin_run()

    def begin_run(self):
        self.run, self.began, self.attempted = self.run + 1, False, False
        self.commits, self.fallback, self.unusable = [], ORIGIN, set()

    # The coordinator.

    def open(self, starts, resume, honest):
        self.number, self.attempted = self.number + 1, True
        self.driven = Driven(self.number, starts, honest)
        self.begin("batches", "Open", {name: (mark.step, mark.lineage, resume) for name, mark in starts.items()})

    def begin(self, track, method, requests):
        self.driven.rounds[track] = Round(method, requests)
        self.bag += [Message(self.number, self.run, track, method, name, one) for name, one in requests.items()]
        del self.bag[:-BAG]

    def receive(self, message):
        """Takes an answer, unless it is late."""
        driven, name, (error, *reply) = self.driven, message.name, message.reply
        current = driven.rounds[message.track] if driven is not None and driven.number == message.number else None
        awaited = current is not None and current.method == message.method and name not in current.replies
        if not awaited or current.requests.get(name) != message.request:
            return
        if error is not None:
            if driven.honest and isinstance(error, CheckpointError):
                assert driven.starts[name] != ORIGIN, "a run that began is not known"
                self.unusable.add(driven.starts[name])
            self.driven = None
            return
        current.replies[name] = reply
        if len(current.replies) == len(current.requests):
            driven.rounds[message.track] = None
            replies = [current.replies[name] for name in PARTIES if name in current.replies]
            envelopes = tuple(one for _, envelopes in replies for one in envelopes)
            self.proceed(current.method, *message.request[:1], [content for content, _ in replies], envelopes)

    def proceed(self, method, *answers):
        driven, (*step, contents, envelopes) = self.driven, answers
        addressed = {name: tuple(envelope for envelope in envelopes if envelope[2] == name) for name in PARTIES}
        if method in ("Open", "Agree"):
            following = HANDSHAKE[HANDSHAKE.index(method) + 1]
            self.begin("batches", following, dict.fromkeys(PARTIES, (tuple(contents),)))
        elif method == "Authenticate":
            self.begin("batches", "Confirm", {name: (addressed[name],) for name in PARTIES})
        elif method == "Confirm":
            assert len(set(driven.starts.values())) == 1, "parties started from different points"
            self.began, driven.latest = True, driven.starts[LABEL_PARTY]
            driven.step = driven.latest.step
        elif method == "Forward":
            driven.envelopes = envelopes
        elif method == "Fuse":
            self.begin("batches", "Backward", {name: (*step, addressed[name]) for name in FEATURE_PARTIES})
        elif method == "Backward":
            driven.step, driven.envelopes = driven.step + 1, ()
        elif method == "Snapshot":
            self.begin("checkpoint", "Prepare", dict.fromkeys(PARTIES, tuple(step)))
        elif method == "Prepare":
            assert len(set(contents)) == 1, "checkpoints of different histories"
            self.note(Mark(*step, contents[0]))
            self.begin("checkpoint", "Commit", {name: (*step, addressed[name]) for name in PARTIES})
        elif method == "Finish":
            self.driven, self.finished = None, self.finished + 1
            self.begin_run()

    def note(self, mark):
        """The journal's commit; from now on `fallback` is what has to serve where this one is damaged."""
        if mark == self.driven.latest:
            return
        self.parents[mark], self.driven.latest = self.driven.latest, mark
        self.commits = [*(one for one in self.commits if one.step < mark.step), mark][-KEPT_COMMITS:]
        disks = [party.disks[self.run] for party in self.parties.values()]
        self.fallback = self.parents[mark]
        while self.fallback != ORIGIN and (
            self.fallback.step == mark.step or any(disk.files.get(self.fallback) is None for disk in disks)
        ):
            self.fallback = self.parents.get(self.fallback, ORIGIN)

    def begin_next(self, due):
        """What the coordinator does between two batches."""
        driven = self.driven
        idle, ends, between = driven.rounds["checkpoint"] is None, driven.step == STEPS, bool(driven.envelopes)
        safe = driven.latest.step == STEPS and driven.latest != driven.starts[LABEL_PARTY]
        if idle and ((due and between) or (ends and not safe)):
            self.begin("batches", "Snapshot", dict.fromkeys(PARTIES, (driven.step,)))
        elif between:
            self.begin("batches", "Fuse", {LABEL_PARTY: (driven.step, driven.envelopes)})
        elif not ends:
            self.begin("batches", "Forward", dict.fromkeys(FEATURE_PARTIES, (driven.step,)))
        elif idle:
            self.begin("batches", "Finish", dict.fromkeys(PARTIES, ()))

    def carry_on(self, cadence, tracks=("checkpoint", "batches")):
        """One move of the coordinator while nothing fails."""
        if self.driven is None:
            self.open_as_the_journal_says()
        for track in tracks:
            current = self.driven and self.driven.rounds[track]
            for name, request in current.requests.items() if current else ():
                if self.driven is not None and name not in current.replies:
                    self.deliver(Message(self.number, self.run, track, current.method, name, request))
        driven = self.driven
        if driven is not None and driven.rounds["batches"] is None:
            self.begin_next(driven.step > driven.latest.step and driven.step % cadence == 0)

    def deliver(self, message):
        reply = self.ask(message.name, message.run, message.method, message.request)
        if reply is not None:
            self.receive(message._replace(reply=reply))

    # The parties, and what holds for every call.

    def ask(self, name, run, method, request):
        """What a party answers, as error, content and envelopes; None where it crashed."""
        party, place = self.parties[name], (method, *request[:1])
        session, before = party.session, party.picture()
        answers = session.answers[method in CHECKPOINT_CALLS] if session is not None and session.run == run else {}
        former, recent = answers.get(place), list(answers)[-KEPT_REPLIES:]
        error, reply = None, (None, ())
        try:
            reply = party.handle(run, method, request)
        except Crash:
            return party.restart()
        except SplitError as refusal:
            error = refusal
        if (error is not None and method != "Open") or former is not None:
            assert party.picture() == before, "a refused or repeated call changed something"
        if former is not None and place in recent:
            repeated = error is None and reply == former[1]
            assert repeated if request == former[0] else isinstance(error, SessionError), "not the first answer"
        elif error is None:
            self.check_first_answer(party.session, method, request)
            self.sealed.extend(reply[1])
            self.handed.extend([(method, reply[0])] if method in ("Open", "Agree") else [])
        return error, *reply

    def check_first_answer(self, session, method, request):
        if method == "Confirm":
            start = session.start
            assert self.starts.setdefault(session.transcript, start) == start, "different starts in one session"
            assert start in (ORIGIN, *session.disk.files), "started from a point that is not here"
            assert start == ORIGIN or self.prepared_by_all(start), "started from a point that not all prepared"
            assert start in (ORIGIN, *self.commits) or not self.driven.honest, "started from a point not in the journal"
        if method == "Commit":
            assert self.prepared_by_all(session.checkpoints.mark(request[0])), "committed what not all prepared"
            assert len(session.disk.files) <= KEEP, "too many checkpoints"

    def prepared_by_all(self, mark):
        return all(mark in party.prepared for party in self.parties.values())

    # What happens.

    @initialize(moves=st.integers(0, 40), cadence=cadences)
    def a_run_begins(self, moves, cadence):
        self.nothing_fails_for_a_while(moves, cadence)

    @rule(moves=st.integers(1, 20), cadence=cadences)
    def nothing_fails_for_a_while(self, moves, cadence):
        for _ in range(moves):
            self.carry_on(cadence)

    @rule(moves=st.integers(1, 9), cadence=cadences)
    def a_checkpoint_is_slow(self, moves, cadence):
        for _ in range(moves):
            self.carry_on(cadence, tracks=("batches",))

    @precondition(lambda self: self.bag)
    @rule(index=small, stays=st.booleans(), fate=st.sampled_from(["answered", "answered late", "answer lost", "lost"]))
    def a_message_arrives(self, index, stays, fate):
        index = -1 - index % len(self.bag)
        message = self.bag[index] if stays else self.bag.pop(index)
        if message.reply is not None:
            self.receive(message)
        elif fate == "answered":
            self.deliver(message)
        elif fate != "lost":
            reply = self.ask(message.name, message.run, message.method, message.request)
            self.bag.extend([message._replace(reply=reply)] if reply is not None and fate == "answered late" else [])

    @precondition(lambda self: self.driven is not None and self.driven.rounds["batches"] is None)
    @rule()
    def a_checkpoint_is_due(self):
        self.begin_next(due=True)

    @rule()
    def open_as_the_journal_says(self):
        if self.attempted and not self.began:
            self.begin_run()
        usable = [mark for mark in self.commits if mark not in self.unusable]
        self.open(dict.fromkeys(PARTIES, usable[-1] if usable else ORIGIN), self.began, honest=True)

    @rule(choices=small.map(lambda one: (one,) * 3) | st.tuples(small, small, small), resume=st.integers(0, 5))
    def the_coordinator_lies_about_the_start(self, choices, resume):
        marks = [*self.parties["alice"].disks[self.run].files, ORIGIN, *list(self.parents)[-2:], Mark(2, b"invented")]
        starts = {name: marks[choice % len(marks)] for name, choice in zip(PARTIES, choices, strict=True)}
        self.open(starts, self.began == bool(resume), honest=False)

    @rule()
    def the_coordinator_restarts(self):
        self.driven, self.unusable = None, set()

    @rule(name=names, damage=st.sampled_from(["nothing", "older", "latest", "deleted"]))
    def a_party_restarts(self, name, damage):
        party = self.parties[name]
        party.restart()
        files = party.disks[self.run].files
        marks = {"nothing": [], "older": self.commits[-2:-1]}.get(damage, self.commits[-1:])
        for mark in [one for one in marks if one in files]:
            party.damaged.add(mark)
            files[mark] = None
            if damage == "deleted":
                del files[mark]

    @rule(name=names, point=st.sampled_from(CRASH_POINTS))
    def a_party_will_crash(self, name, point):
        self.parties[name].crash_point = point

    @rule(name=names, method=st.sampled_from([*HANDSHAKE[1:], "Fuse", "Backward"]), picks=st.lists(small, max_size=4))
    def the_coordinator_hands_out_other_messages(self, name, method, picks):
        kind, session = {"Agree": "Open", "Authenticate": "Agree"}.get(method), self.parties[name].session
        pool = [one for given, one in self.handed if given == kind] if kind else self.sealed
        chosen = tuple(pool[-1 - pick % len(pool)] for pick in picks if pool)
        self.ask(name, self.run, method, (chosen,) if method in HANDSHAKE else (session.step if session else 0, chosen))

    @rule(name=names, method=st.sampled_from(["Forward", "Snapshot", "Prepare", "Finish"]), back=st.integers(-1, 2))
    def the_coordinator_calls_out_of_turn(self, name, method, back):
        session = self.parties[name].session
        step = session.step - back if session else 0
        self.ask(name, self.run, method, () if method == "Finish" else (step,))

    @rule(name=names, missing=st.integers(0, 1), pick=small)
    def the_coordinator_commits_without_a_voucher(self, name, missing, pick):
        session = self.parties[name].session
        for mark in sorted(session.book.prepared)[-1:] if session and session.book else []:
            kept = session.peers[1 - missing]
            vouchers = [one for one in self.sealed if one[1:5] == (kept, name, "prepared", mark.step)][-1:]
            others = [one for one in self.sealed[-1 - pick :][:1] if one[1] != session.peers[missing]]
            reply = self.ask(name, session.run, "Commit", (mark.step, tuple(vouchers + others)))
            assert reply is not None and reply[0] is not None, "committed without a voucher"

    @rule(name=names, back=st.integers(1, KEPT_REPLIES), beside=st.booleans(), same=st.booleans())
    def the_coordinator_repeats_or_contradicts_itself(self, name, back, beside, same):
        session = self.parties[name].session
        answers = list(session.answers[beside].items()) if session else []
        for (method, *_), (request, _) in answers[-back:][:1]:
            self.ask(name, session.run, method, request if same or not request else (*request, b"other"))

    # What holds at all times.

    @invariant()
    def every_state_is_that_of_the_undisturbed_run(self):
        for name, party in self.parties.items():
            session = party.session
            if session is not None and session.stages.current in (Stage.READY, Stage.FINISHED):
                assert session.weights == REFERENCE[session.step][name], "other weights"
            for mark, state in party.disks[self.run].files.items():
                assert state in (None, (mark.step, REFERENCE[mark.step][name])), "another checkpoint"

    @invariant()
    def the_latest_commit_and_the_one_before_are_everywhere(self):
        for name, party in self.parties.items():
            for what, mark in [("latest", one) for one in self.commits[-1:]] + [("one before", self.fallback)]:
                held = mark == ORIGIN or mark in party.damaged or mark in party.disks[self.run].files
                assert held, f"{name} dropped the {what}, of step {mark.step}"

    def teardown(self):
        """Once nothing fails any more, the coordinator gets to the end, from whatever is left."""
        for party in self.parties.values():
            party.crash_point = None
        target = self.finished + 1
        for _ in range(300):
            if self.finished < target:
                self.carry_on(cadence=2)
        assert self.finished == target, "no progress"
        self.every_state_is_that_of_the_undisturbed_run()


SETTINGS = settings(
    max_examples=500,
    stateful_step_count=50,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.generate],  # add Phase.shrink to look into a failure: it takes minutes
)


def test_whatever_fails_the_run_goes_on_from_what_all_parties_have():
    run_state_machine_as_test(RunProtocol, settings=SETTINGS)


def accept_any_voucher(monkeypatch):
    commit = Checkpoints.commit
    everything = collections.defaultdict(bytes)

    def lenient(self, step, vouchers):
        everything.update(dict.fromkeys(self._peers, self.mark(step).lineage))
        return commit(self, step, everything)

    monkeypatch.setattr(Checkpoints, "commit", lenient)


def keep_one(monkeypatch):
    create = CheckpointBook.__init__
    monkeypatch.setattr(
        CheckpointBook, "__init__", lambda self, prepared, committed, keep: create(self, prepared, committed, 1)
    )


def drop_nothing(monkeypatch):
    commit = CheckpointBook.commit
    monkeypatch.setattr(CheckpointBook, "commit", lambda self, mark: commit(self, mark) and ())


def drop_before_commit(monkeypatch):
    def write(self, mark, state):
        self.files = {mark: state}

    monkeypatch.setattr(Disk, "write", write)


def compute_again(monkeypatch):
    monkeypatch.setattr(RepeatableCalls, "answer", lambda self, call, request, compute: compute())


def restore_what_is_there(monkeypatch):
    monkeypatch.setattr(Disk, "read", lambda self, mark: self.files.get(mark) or (0, b"drawn anew"))
    monkeypatch.setattr(CheckpointBook, "holds", lambda self, mark: True)


def meet_from_anywhere(monkeypatch):
    monkeypatch.setattr(Session, "alike", lambda self, hellos: True)


def commit_what_is_only_in_memory(monkeypatch):
    take = Checkpoints.take

    def hasty(self, step):
        mark = take(self, step)
        self._book.add(mark)
        self._book.commit(mark)
        return mark

    monkeypatch.setattr(Checkpoints, "take", hasty)


@pytest.mark.parametrize(
    ("break_it", "told"),
    [
        (accept_any_voucher, "committed without a voucher"),
        (keep_one, "dropped the one before"),
        (drop_nothing, "too many checkpoints"),
        (drop_before_commit, "dropped the latest"),
        (compute_again, "not the first answer|changed something"),
        (restore_what_is_there, "started from a point|other weights"),
        (meet_from_anywhere, "different points|different starts"),
        (commit_what_is_only_in_memory, "dropped the|too many checkpoints"),
    ],
)
def test_a_broken_rule_is_noticed(monkeypatch, break_it, told):
    break_it(monkeypatch)
    with pytest.raises(AssertionError, match=told):
        run_state_machine_as_test(RunProtocol, settings=SETTINGS)


FOUR, EIGHT, TWELVE = (ORIGIN.after(b"transcript", step) for step in (4, 8, 12))


def test_a_mark_tells_histories_apart():
    assert ORIGIN.after(b"transcript", 4) == FOUR
    others = [ORIGIN.after(b"other", 4), EIGHT, FOUR.after(b"transcript", 4), FOUR.after(b"transcript", 8)]
    assert len({mark.lineage for mark in [ORIGIN, FOUR, *others]}) == 6


def test_a_book_keeps_the_last_two_commits():
    book = CheckpointBook([FOUR, EIGHT, TWELVE], [ORIGIN, FOUR], KEEP)
    assert book.committed == [FOUR]
    assert book.commit(EIGHT) == (TWELVE,)
    book.add(TWELVE)
    assert book.commit(TWELVE) == (FOUR,)
    assert book.holds(EIGHT) and book.holds(TWELVE) and book.holds(ORIGIN) and not book.holds(FOUR)
    with pytest.raises(CheckpointError, match="step 4 was never prepared"):
        book.commit(FOUR)


def checkpoints(book, start=ORIGIN):
    return Checkpoints("alice", ["bob", "charlie"], start, b"new transcript", book)


def prepared(rules, step):
    mark = rules.take(step)
    rules.prepared(mark)
    return mark


def vouched(mark):
    return dict.fromkeys(["bob", "charlie"], mark.lineage)


def test_a_commit_needs_the_voucher_of_every_peer():
    book = CheckpointBook([], [], KEEP)
    rules = checkpoints(book)
    mark = rules.take(4)
    with pytest.raises(SessionError, match="no checkpoint of this step is prepared"):
        rules.commit(4, vouched(mark))
    rules.prepared(mark)
    for peer in ("bob", "charlie"):
        for wrong in ({}, {peer: EIGHT.lineage}):
            others = {one: lineage for one, lineage in vouched(mark).items() if one != peer}
            with pytest.raises(SealError, match=f"{peer} did not vouch"):
                rules.commit(4, others | wrong)
    assert book.committed == []
    assert rules.commit(4, vouched(mark)) == () and book.committed == [mark]


def test_a_copy_is_never_of_an_earlier_step():
    rules = checkpoints(CheckpointBook([FOUR], [], KEEP), start=FOUR)
    assert rules.take(4) == FOUR.after(b"new transcript", 4)
    eight = rules.take(8)
    for step in (3, 4, 7):
        with pytest.raises(SessionError, match="a snapshot from step 8 on"):
            rules.take(step)
    with pytest.raises(SessionError, match="no such snapshot"):
        rules.prepared(FOUR)
    rules.prepared(eight)


def test_a_session_starts_from_what_is_held_and_keeps_it():
    with pytest.raises(CheckpointError, match="no checkpoint of step 8"):
        checkpoints(CheckpointBook([FOUR], [FOUR], KEEP), start=EIGHT)
    book = CheckpointBook([FOUR, EIGHT], [FOUR], KEEP)
    rules = checkpoints(book, start=EIGHT)
    assert rules.commit(12, vouched(prepared(rules, 12))) == (FOUR,)
    assert book.holds(EIGHT)


def test_a_commit_after_going_back_keeps_the_point_that_was_gone_back_to():
    """Not the one of a later step that it was gone back from: a peer cannot read it, or nobody would have gone back."""
    book = CheckpointBook([FOUR, EIGHT], [FOUR, EIGHT], KEEP)
    rules = checkpoints(book, start=FOUR)
    mark = prepared(rules, 12)
    assert rules.commit(12, vouched(mark)) == (EIGHT,)
    assert book.committed == [FOUR, mark]


@pytest.mark.parametrize(("former", "start"), [(Mark(8, b"a"), Mark(8, b"b")), (Mark(8, b"b"), Mark(8, b"a"))])
def test_a_commit_keeps_the_start_also_beside_another_point_of_its_step(former, start):
    """A run that is stopped right after it went on has two points of one step; their lineages sort either way."""
    book = CheckpointBook([FOUR, former, start], [FOUR, former], KEEP)
    rules = checkpoints(book, start=start)
    rules.commit(12, vouched(prepared(rules, 12)))
    assert book.holds(start)


@pytest.mark.parametrize("stage", list(Stage))
def test_stages_follow_each_other_and_no_other_way(stage):
    stages = Stages("alice")
    for one in list(Stage):
        if one is stage:
            break
        stages.leave(one)
    for other in set(Stage) - {stage}:
        for refused in (stages.require, stages.leave):
            with pytest.raises(SessionError, match=f"expected stage {other.value}.*received {stage.value}"):
                refused(other)
    stages.require(stage)
    if stage is Stage.FINISHED:
        with pytest.raises(SessionError, match="the session has ended"):
            stages.leave(stage)
