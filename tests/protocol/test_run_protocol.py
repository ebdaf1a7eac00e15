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
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from party.errors import CheckpointError, HandshakeError, SealError, SessionError, SessionLostError, SplitError
from party.protocol.calls import KEPT_REPLIES, RepeatableCalls
from party.protocol.checkpoints import ORIGIN, CheckpointBook, Checkpoints, Mark
from party.protocol.stages import Stage, Stages

PARTIES = ("alice", "bob", "charlie")
LABEL_PARTY, FEATURE_PARTIES = "bob", ("alice", "charlie")
STEPS, KEEP, KEPT_COMMITS, BAG = 6, 2, 8, 24
HANDSHAKE = ("Open", "Agree", "Authenticate", "Confirm")
CRASH_POINTS = ("record", "file", "rules", "note")  # each just before, or just after, something becomes durable


def digest(*content):
    return hashlib.sha256(repr(content).encode()).digest()[:8]


def undisturbed_run():
    """Weights of every party after every step of a run in which nothing fails."""
    weights = {name: digest(name) for name in PARTIES}
    chain = [dict(weights)]
    for step in range(STEPS):
        weights[LABEL_PARTY] = digest(weights[LABEL_PARTY], step, tuple(weights[name] for name in FEATURE_PARTIES))
        for name in FEATURE_PARTIES:
            weights[name] = digest(weights[name], step, digest(name, weights[LABEL_PARTY]))
        chain.append(dict(weights))
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
        self.name, self.sessions_opened = name, 0
        self.disks = collections.defaultdict(Disk)
        self.restart()

    def restart(self):
        self.session, self.crash_point = None, None

    def pass_point(self, point):
        if self.crash_point == point:
            raise Crash

    def handle(self, run, method, request):
        if method == "Open":
            self.session, self.sessions_opened = None, self.sessions_opened + 1
            self.session = PartySession(self, run, *request)
            return self.session.hello, ()
        if self.session is None or self.session.run != run:
            raise SessionLostError("no such session is open here", where=self.name)
        return self.session.handle(method, request)

    def picture(self):
        disks = [(run, sorted(disk.files.items()), disk.committed, disk.record) for run, disk in self.disks.items()]
        return repr((disks, self.session and self.session.picture()))


class PartySession:
    """As the party's session, plan and checkpoints use the pure modules; each method returns content and envelopes."""

    def __init__(self, party, run, step, lineage, resume):
        self.party, self.name, self.run, self.start = party, party.name, run, Mark(step, lineage)
        self.disk = party.disks[run]
        self.peers = [name for name in PARTIES if name != self.name]
        if (self.start != ORIGIN or self.disk.record) and not resume:
            raise SessionError("run_id was used before", where=self.name)
        if resume and not self.disk.record:
            raise CheckpointError("nothing is known here of this run", where=self.name)
        self.restored = (0, digest(self.name)) if self.start == ORIGIN else self.disk.read(self.start)
        self.hello = (self.name, step, lineage, party.sessions_opened)
        self.stages, self.calls, self.checkpoint_calls = (
            Stages(self.name),
            RepeatableCalls(self.name),
            RepeatableCalls(self.name),
        )
        self.answers = {id(self.calls): [], id(self.checkpoint_calls): []}
        self.transcript = self.checkpoints = self.book = self.copy = None
        self.step, self.weights, self.awaits_gradient = 0, b"", False

    def cache(self, method):
        return self.checkpoint_calls if method in ("Prepare", "Commit") else self.calls

    def handle(self, method, request):
        compute = getattr(self, method.lower())
        if method in HANDSHAKE:
            return compute(*request)
        cache, place = self.cache(method), (method, *request[:1])
        reply = pickle.loads(cache.answer(place, repr(request).encode(), lambda: pickle.dumps(compute(*request))))
        earlier = [one for one in self.answers[id(cache)] if one[0] != place]
        if len(earlier) == len(self.answers[id(cache)]):
            self.answers[id(cache)] = [*earlier, (place, request, reply)]
        return reply

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
        if tuple(hello[0] for hello in ordered) != PARTIES or self.hello not in ordered:
            raise HandshakeError("not the statements of this session", where=self.name)
        if not self.alike(ordered):
            raise HandshakeError("start_step or lineage differs", where=self.name)
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
        self.book = book
        self.disk.record = True
        self.party.pass_point("record")
        self.step, self.weights = self.restored
        self.stages.leave(Stage.AUTHENTICATED)
        return None, ()

    def require(self, step, due):
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
        self.party.pass_point("file")
        self.checkpoints.prepared(mark)
        self.copy = None
        return mark.lineage, tuple(self.seal(peer, "prepared", step, mark.lineage) for peer in self.peers)

    def commit(self, step, vouchers):
        self.stages.require(Stage.READY)
        senders = {voucher[1] for voucher in vouchers}.intersection(self.peers)
        lineages = {peer: self.open(vouchers, peer, "prepared", step) for peer in senders}
        dropped = self.checkpoints.commit(step, lineages)
        self.party.pass_point("rules")
        self.disk.committed = list(self.book.committed)
        self.party.pass_point("note")
        for mark in dropped:
            self.disk.files.pop(mark, None)
        return None, ()

    def finish(self):
        self.require(STEPS, True)
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


Message = collections.namedtuple("Message", "number run track method name request reply")
names, small = st.sampled_from(PARTIES), st.integers(0, 9)


class RunProtocol(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.parties = {name: Party(name) for name in PARTIES}
        self.bag, self.sealed, self.handed = [], [], []
        self.damaged, self.prepared_at = set(), collections.defaultdict(set)
        self.starts, self.parents = {}, {}
        self.run = self.number = self.finished = 0
        self.driven, self.unusable = None, set()
        self.begin_run()

    def begin_run(self):
        self.run, self.began, self.commits, self.fallback = self.run + 1, False, [], ORIGIN
        self.unusable, self.attempted = set(), False

    # The coordinator.

    def open(self, starts, resume, honest):
        self.number, self.attempted = self.number + 1, True
        self.driven = Driven(self.number, starts, honest)
        self.begin("batches", "Open", {name: (mark.step, mark.lineage, resume) for name, mark in starts.items()})

    def begin(self, track, method, requests):
        self.driven.rounds[track] = Round(method, requests)
        for name, request in requests.items():
            self.bag.append(Message(self.number, self.run, track, method, name, request, None))
        del self.bag[:-BAG]

    def receive(self, message):
        """Takes an answer, unless it is late."""
        driven, name, (error, content, envelopes) = self.driven, message.name, message.reply
        if driven is None or driven.number != message.number:
            return
        current = driven.rounds[message.track]
        expected = current and current.method == message.method and current.requests.get(name) == message.request
        if not expected or name in current.replies:
            return
        if error is not None:
            if driven.honest and isinstance(error, CheckpointError):
                assert driven.starts[name] != ORIGIN, "a run that began is not known"
                self.unusable.add(driven.starts[name])
            self.driven = None
            return
        current.replies[name] = content, envelopes
        if len(current.replies) == len(current.requests):
            driven.rounds[message.track] = None
            answers = [current.replies[name] for name in PARTIES if name in current.replies]
            self.proceed(current, [one[0] for one in answers], tuple(one for answer in answers for one in answer[1]))

    def proceed(self, current, contents, envelopes):
        driven, method = self.driven, current.method
        step = next(iter(current.requests.values()))[:1]
        if method in ("Open", "Agree"):
            following = HANDSHAKE[HANDSHAKE.index(method) + 1]
            self.begin("batches", following, dict.fromkeys(PARTIES, (tuple(contents),)))
        elif method == "Authenticate":
            self.begin("batches", "Confirm", {name: (addressed(envelopes, name),) for name in PARTIES})
        elif method == "Confirm":
            assert len(set(driven.starts.values())) == 1, "parties started from different points"
            self.began, driven.latest = True, driven.starts[LABEL_PARTY]
            driven.step = driven.latest.step
        elif method in ("Forward", "Fuse"):
            driven.envelopes = envelopes
            if method == "Fuse":
                requests = {name: (*step, addressed(envelopes, name)) for name in FEATURE_PARTIES}
                self.begin("batches", "Backward", requests)
        elif method == "Backward":
            driven.step, driven.envelopes = driven.step + 1, ()
        elif method == "Snapshot":
            self.begin("checkpoint", "Prepare", dict.fromkeys(PARTIES, step))
        elif method == "Prepare":
            assert len(set(contents)) == 1, "checkpoints of different histories"
            self.note(Mark(*step, contents[0]))
            requests = {name: (*step, addressed(envelopes, name)) for name in PARTIES}
            self.begin("checkpoint", "Commit", requests)
        elif method == "Finish":
            weights = {name: party.session.weights for name, party in self.parties.items()}
            assert weights == REFERENCE[STEPS], "another result"
            self.driven, self.finished = None, self.finished + 1
            self.begin_run()

    def note(self, mark):
        """The journal's commit; from now on `fallback` is what has to serve where this one is damaged."""
        if mark == self.driven.latest:
            return
        self.parents[mark], self.driven.latest = self.driven.latest, mark
        self.commits = [*(one for one in self.commits if one.step < mark.step), mark][-KEPT_COMMITS:]
        disks = [party.disks[self.run] for party in self.parties.values()]
        older = self.driven.latest
        while older != ORIGIN and (older.step == mark.step or any(disk.files.get(older) is None for disk in disks)):
            older = self.parents.get(older, ORIGIN)
        self.fallback = older

    def begin_next(self, checkpoint):
        """What the coordinator does between two batches."""
        driven = self.driven
        between, ends = bool(driven.envelopes), driven.step == STEPS
        safe = driven.latest.step == STEPS and driven.latest != driven.starts[LABEL_PARTY]
        if driven.rounds["checkpoint"] is None and ((checkpoint and between) or (ends and not safe)):
            self.begin("batches", "Snapshot", dict.fromkeys(PARTIES, (driven.step,)))
        elif between:
            self.begin("batches", "Fuse", {LABEL_PARTY: (driven.step, driven.envelopes)})
        elif not ends:
            self.begin("batches", "Forward", dict.fromkeys(FEATURE_PARTIES, (driven.step,)))
        elif driven.rounds["checkpoint"] is None:
            self.begin("batches", "Finish", dict.fromkeys(PARTIES, ()))

    def carry_on(self, cadence):
        """One move of the coordinator while nothing fails."""
        if self.driven is None:
            self.open_as_the_journal_says()
            return
        for track in ("checkpoint", "batches"):
            current = self.driven and self.driven.rounds[track]
            for name, request in current.requests.items() if current else ():
                if self.driven is not None and name not in current.replies:
                    self.deliver_now(Message(self.number, self.run, track, current.method, name, request, None))
        driven = self.driven
        if driven is not None and driven.rounds["batches"] is None:
            self.begin_next(bool(cadence) and driven.step > driven.latest.step and driven.step % cadence == 0)

    def deliver_now(self, message):
        reply = self.ask(message.name, message.run, message.method, message.request)
        if reply is not None:
            self.receive(message._replace(reply=reply))

    # The parties, and what holds for every call.

    def ask(self, name, run, method, request):
        """What a party answers, as error, content and envelopes; None where it crashed."""
        party = self.parties[name]
        session, before = party.session, party.picture()
        answers = session.answers[id(session.cache(method))] if session is not None and session.run == run else []
        former = {place: (known, reply) for place, known, reply in answers}.get((method, *request[:1]))
        recent = [place for place, _, _ in answers[-KEPT_REPLIES:]]
        error, reply = None, (None, ())
        try:
            reply = party.handle(run, method, request)
        except Crash:
            party.restart()
        except SplitError as refusal:
            error = refusal
        crashed = session is not None and party.session is None and error is None
        if method == "Prepare":
            for mark in party.disks[run].files.keys() - {mark for mark, at in self.prepared_at.items() if name in at}:
                self.prepared_at[mark].add(name)
        if crashed:
            return None
        if error is not None and method != "Open":
            assert party.picture() == before, "a refused call changed something"
        if former is not None and method not in HANDSHAKE:
            assert party.picture() == before, "a call in the place of an answered one changed something"
            if (method, *request[:1]) in recent:
                same = error is None and reply == former[1]
                assert same if request == former[0] else isinstance(error, SessionError), "not the first answer"
        if error is None:
            self.check_answered(party, method, request)
            self.sealed.extend(reply[1])
            self.handed.extend([(method, reply[0])] if method in ("Open", "Agree") else [])
        return error, *reply

    def check_answered(self, party, method, request):
        session, disk = party.session, party.session.disk
        if method == "Confirm" and session.start != ORIGIN:
            assert session.start in disk.files, "started from a point that is not here"
            assert self.prepared_at[session.start] == set(PARTIES), "started from a point that not all prepared"
        if method == "Confirm":
            assert self.starts.setdefault(session.transcript, session.start) == session.start, "different starts"
        if method == "Commit":
            mark = session.checkpoints.mark(*request[:1])
            assert self.prepared_at[mark] == set(PARTIES), "committed what not all prepared"
            assert len(disk.files) <= KEEP, "too many checkpoints"

    # What happens.

    @rule(moves=st.integers(1, 24), cadence=st.integers(0, 3))
    def nothing_fails_for_a_while(self, moves, cadence):
        for _ in range(moves):
            self.carry_on(cadence)

    @precondition(lambda self: self.bag)
    @rule(index=small, stays=st.booleans(), fate=st.sampled_from(["at once", "late", "lost"]))
    def a_message_arrives(self, index, stays, fate):
        index = -1 - index % len(self.bag)
        message = self.bag[index] if stays else self.bag.pop(index)
        if message.reply is not None:
            self.receive(message)
        elif fate == "at once":
            self.deliver_now(message)
        else:
            reply = self.ask(message.name, message.run, message.method, message.request)
            self.bag.extend([message._replace(reply=reply)] if fate == "late" and reply is not None else [])

    @precondition(lambda self: self.bag)
    @rule(index=small)
    def a_message_is_lost(self, index):
        self.bag.pop(-1 - index % len(self.bag))

    @precondition(lambda self: self.driven is not None and self.driven.rounds["batches"] is None)
    @rule(checkpoint=st.booleans())
    def the_coordinator_goes_on(self, checkpoint):
        self.begin_next(checkpoint)

    @rule()
    def open_as_the_journal_says(self):
        if self.attempted and not self.began:
            self.begin_run()
        usable = [mark for mark in self.commits if mark not in self.unusable]
        self.open(dict.fromkeys(PARTIES, usable[-1] if usable else ORIGIN), self.began, honest=True)

    @rule(choices=st.tuples(small, small, small) | small.map(lambda one: (one,) * 3), resume=st.integers(0, 5))
    def the_coordinator_lies_about_the_start(self, choices, resume):
        held = [mark for mark in self.parties["alice"].disks[self.run].files]
        marks = [*held, *list(self.prepared_at)[-3:], ORIGIN, Mark(2, b"invented"), Mark(0, b"invented")]
        starts = {name: marks[choice % len(marks)] for name, choice in zip(PARTIES, choices, strict=True)}
        self.open(starts, self.began if resume else not self.began, honest=False)

    @rule()
    def the_coordinator_restarts(self):
        self.driven, self.unusable = None, set()

    @rule(name=names)
    def a_party_restarts(self, name):
        self.parties[name].restart()

    @rule(name=names, point=st.sampled_from(CRASH_POINTS))
    def a_party_will_crash(self, name, point):
        self.parties[name].crash_point = point

    @rule(name=names, index=small, deleted=st.booleans())
    def a_file_is_damaged(self, name, index, deleted):
        files = self.parties[name].disks[self.run].files
        for mark in sorted(files)[-1 - index % 2 :][:1]:
            self.damaged.add((name, mark))
            files[mark] = None
            if deleted:
                del files[mark]

    @rule(name=names, method=st.sampled_from(HANDSHAKE[1:] + ("Fuse", "Backward")), picks=st.lists(small, max_size=4))
    def the_coordinator_hands_out_other_messages(self, name, method, picks):
        kind = {"Agree": "Open", "Authenticate": "Agree"}.get(method)
        pool = [one for given, one in self.handed if given == kind] if kind else self.sealed
        chosen = tuple(pool[-1 - pick % len(pool)] for pick in picks if pool)
        session = self.parties[name].session
        position = () if method in HANDSHAKE else (session.step if session is not None else 0,)
        self.ask(name, self.run, method, (*position, chosen))

    @rule(name=names, method=st.sampled_from(["Forward", "Snapshot", "Prepare", "Finish"]), back=st.integers(-1, 2))
    def the_coordinator_calls_out_of_turn(self, name, method, back):
        session = self.parties[name].session
        step = session.step - back if session is not None else 0
        self.ask(name, self.run, method, () if method == "Finish" else (step,))

    @rule(name=names, missing=st.integers(0, 1), pick=small)
    def the_coordinator_commits_without_a_voucher(self, name, missing, pick):
        session = self.parties[name].session
        if session is not None and session.checkpoints is not None:
            for mark in sorted(session.book.prepared)[-1:]:
                kept = session.peers[missing]
                vouchers = [one for one in self.sealed if one[1:5] == (kept, name, "prepared", mark.step)][-1:]
                others = [one for one in self.sealed[-1 - pick :][:1] if one[1] == kept]
                reply = self.ask(name, session.run, "Commit", (mark.step, tuple(vouchers + others)))
                assert reply is not None and reply[0] is not None, "committed without a voucher"

    @rule(name=names, index=small, cache=st.sampled_from(["calls", "checkpoint_calls"]), same=st.booleans())
    def the_coordinator_repeats_or_contradicts_itself(self, name, index, cache, same):
        session = self.parties[name].session
        for place, request, _ in (session.answers[id(getattr(session, cache))] if session else [])[-1 - index :][:1]:
            self.ask(name, session.run, place[0], request if same else (*request, b"other"))

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
                held = mark == ORIGIN or party.disks[self.run].files.get(mark) is not None
                assert held or (name, mark) in self.damaged, f"{name} dropped the {what} of step {mark.step}"

    def teardown(self):
        """Once nothing fails any more, the coordinator gets to the end, from whatever is left."""
        for party in self.parties.values():
            party.crash_point = None
        target = self.finished + 1
        for _ in range(300):
            if self.finished < target:
                self.carry_on(cadence=2)
        assert self.finished == target, "no progress"


def addressed(envelopes, name):
    return tuple(envelope for envelope in envelopes if envelope[2] == name)


SETTINGS = settings(
    max_examples=60,
    stateful_step_count=50,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)


def test_whatever_fails_the_run_goes_on_from_what_all_parties_have():
    run_state_machine_as_test(RunProtocol, settings=SETTINGS)
