"""A state machine: a coordinator with a journal, a network that loses, repeats and reorders, and all other failures."""

import collections
import tempfile
from pathlib import Path

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from party.errors import CheckpointError, SessionError, SplitError
from party.protocol.calls import CACHED_REPLIES
from party.protocol.checkpoints import ORIGIN, Mark
from party.protocol.phases import SessionPhase
from tests.support.run_disks import Crash
from tests.support.run_parties import (
    BAG,
    CHECKPOINT_CALLS,
    CONTRADICTION,
    CRASH_POINTS,
    FEATURE_PARTIES,
    HANDSHAKE,
    KEEP,
    KEPT_COMMITS,
    LABEL_PARTY,
    PARTIES,
    REFERENCE,
    STEPS,
    Driven,
    Party,
    Round,
    contents,
)

MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None  # a disk that nothing waits for


Message = collections.namedtuple("Message", "number run track method name request reply", defaults=[None])
names, small, cadences = st.sampled_from(PARTIES), st.integers(0, 9), st.sampled_from([1, 2, 5, 7, 11])


class RunProtocol(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.folder = tempfile.TemporaryDirectory(dir=MEMORY)
        self.parties = {name: Party(name, Path(self.folder.name)) for name in PARTIES}
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
        """Processes a reply, unless it is late."""
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
        """Records a commit in the journal; if it is damaged, `fallback` must be usable from now on."""
        if mark == self.driven.latest:
            return
        self.parents[mark], self.driven.latest = self.driven.latest, mark
        self.commits = [*(one for one in self.commits if one.step < mark.step), mark][-KEPT_COMMITS:]
        disks = [party.disks[self.run] for party in self.parties.values()]
        self.fallback = self.parents[mark]
        while self.fallback != ORIGIN and (
            self.fallback.step == mark.step or any(disk.state(self.fallback) is None for disk in disks)
        ):
            self.fallback = self.parents.get(self.fallback, ORIGIN)

    def begin_next(self, due):
        """Does the coordinator's work between two batches."""
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
        """Makes one action of the coordinator without a failure."""
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

    # The parties, and the invariants of every call.

    def ask(self, name, run, method, request):
        """Returns the reply of a party as error, content and envelopes; None if it crashed."""
        party, place = self.parties[name], (method, *request[:1])
        session, before = party.session, party.picture()
        answers = session.answers[method in CHECKPOINT_CALLS] if session is not None and session.run == run else {}
        former, recent = answers.get(place), list(answers)[-CACHED_REPLIES:]
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
            assert start in (ORIGIN, *session.disk.marks), "started from a point that is not here"
            assert start == ORIGIN or self.prepared_by_all(start), "started from a point that not all prepared"
            assert start in (ORIGIN, *self.commits) or not self.driven.honest, "started from a point not in the journal"
        if method == "Commit":
            assert self.prepared_by_all(session.checkpoints.mark(request[0])), "committed what not all prepared"
            assert len(session.disk.marks) <= KEEP, "too many checkpoints"

    def prepared_by_all(self, mark):
        return all(any(mark in disk.ever for disk in party.disks.values()) for party in self.parties.values())

    # Actions.

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
        marks = [
            *sorted(self.parties["alice"].disks[self.run].marks),
            ORIGIN,
            *list(self.parents)[-2:],
            Mark(2, b"invented"),
        ]
        starts = {name: marks[choice % len(marks)] for name, choice in zip(PARTIES, choices, strict=True)}
        self.open(starts, self.began == bool(resume), honest=False)

    @rule()
    def the_coordinator_restarts(self):
        self.driven, self.unusable = None, set()

    @rule(name=names, damage=st.sampled_from(["nothing", "older", "latest", "deleted"]))
    def a_party_restarts(self, name, damage):
        party = self.parties[name]
        party.restart()
        disk = party.disks[self.run]
        marks = {"nothing": [], "older": self.commits[-2:-1]}.get(damage, self.commits[-1:])
        for mark in [one for one in marks if one in disk.marks]:
            party.damaged.add(mark)
            if damage == "deleted":
                disk.files.drop((mark,))
            else:
                disk.damage(mark)

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
        for mark in sorted(session.disk.marks)[-1:] if session and session.checkpoints else []:
            kept = session.peers[1 - missing]
            vouchers = [one for one in self.sealed if one[1:5] == (kept, name, "prepared", mark.step)][-1:]
            others = [one for one in self.sealed[-1 - pick :][:1] if one[1] != session.peers[missing]]
            reply = self.ask(name, session.run, "Commit", (mark.step, tuple(vouchers + others)))
            assert reply is not None and reply[0] is not None, "committed without a voucher"

    @rule(name=names, back=st.integers(1, CACHED_REPLIES), beside=st.booleans(), same=st.booleans())
    def the_coordinator_repeats_or_contradicts_itself(self, name, back, beside, same):
        session = self.parties[name].session
        answers = list(session.answers[beside].items()) if session else []
        for (method, *_), (request, _) in answers[-back:][:1]:
            self.ask(name, session.run, method, request if same or not request else (*request, CONTRADICTION))

    # Invariants.

    @invariant()
    def every_state_is_that_of_the_undisturbed_run(self):
        for name, party in self.parties.items():
            session = party.session
            if session is not None and session.stages.current in (SessionPhase.READY, SessionPhase.FINISHED):
                assert session.weights == REFERENCE[session.step][name], "other weights"
            disk = party.disks[self.run]
            for mark in disk.marks:
                state = disk.state(mark)
                assert state is None or contents(state) == (mark.step, REFERENCE[mark.step][name]), "another checkpoint"

    @invariant()
    def the_latest_commit_and_the_one_before_are_everywhere(self):
        for name, party in self.parties.items():
            for what, mark in [("latest", one) for one in self.commits[-1:]] + [("one before", self.fallback)]:
                held = mark == ORIGIN or mark in party.damaged or mark in party.disks[self.run].marks
                assert held, f"{name} dropped the {what}, of step {mark.step}"

    def teardown(self):
        try:
            self.nothing_fails_any_more()
        finally:
            for party in self.parties.values():
                party.restart()
            self.folder.cleanup()

    def nothing_fails_any_more(self):
        """Checks that the coordinator completes the run from any state if nothing fails any more."""
        for party in self.parties.values():
            party.crash_point = None
        target = self.finished + 1
        for _ in range(300):
            if self.finished < target:
                self.carry_on(cadence=2)
        assert self.finished == target, "no progress"
        self.every_state_is_that_of_the_undisturbed_run()
