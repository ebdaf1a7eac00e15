"""The real files of a run's checkpoints, in a folder in memory, with crashes right before and after each write."""

from party.errors import CheckpointError
from party.protocol.checkpoints import Mark
from party.runtime.checkpoint_files import FILE_PATTERN, CheckpointFiles, pack_state


class Crash(Exception):
    """The simulated end of a party's process."""


class CrashingFiles(CheckpointFiles):
    """Checkpoint files of a process that may crash around every write.

    Args:
        disk: notified of every change.
        party: name of the party.
        pass_point: raises Crash where the process is to end.
    """

    def __init__(self, disk, party, pass_point):
        super().__init__(disk.folder, party)
        self._disk, self._pass_point = disk, pass_point

    def write(self, mark, state):
        self._disk.change(mark)
        try:
            self._pass_point("torn file")
        except Crash:
            self._disk.write_half(mark, pack_state(state))
            raise
        size_bytes = super().write(mark, state)
        self._disk.ever.add(mark)
        self._pass_point("file")
        return size_bytes

    def note_committed(self, marks):
        self._pass_point("rules")
        self._disk.change()
        super().note_committed(marks)
        self._pass_point("note")

    def drop(self, marks):
        self._disk.change(*marks)
        super().drop(marks)


class Disk:
    """The files of one run that a party has after a restart.

    Args:
        folder: of the run at this party.
        party: name of the party.
        pass_point: raises Crash where the process is to end.
    """

    def __init__(self, folder, party, pass_point):
        folder.mkdir(mode=0o700, parents=True)
        self.folder, self.record, self.changes = folder, False, 0
        self.files = CrashingFiles(self, party, pass_point)
        self.ever = set()  # marks that ever had a file
        self._marks, self._states = None, {}

    def change(self, *marks):
        """Records that the disk is about to change, and these checkpoints with it."""
        self.changes += 1
        self._marks = None
        for mark in marks:
            self._states.pop(mark, None)

    @property
    def marks(self):
        """Returns the marks that have a file."""
        if self._marks is None:
            self._marks = set(self.files.prepared())
        return self._marks

    def state(self, mark):
        """Returns the state in the file of a mark; None if the file is missing or unreadable."""
        if mark not in self._states:
            try:
                self._states[mark] = self.files.read(mark)
            except CheckpointError:
                self._states[mark] = None
        return self._states[mark]

    def damage(self, mark):
        self.change(mark)
        path = self._path(mark)
        path.write_bytes(path.read_bytes()[:-1])

    def write_half(self, mark, content):
        """Leaves the files of a process that was killed during a write."""
        checkpoints = self.folder / "checkpoints"
        checkpoints.mkdir(mode=0o700, exist_ok=True)
        name = f".{mark.step:012d}-{mark.lineage.hex()}.checkpoint.partial"
        (checkpoints / name).write_bytes(content[: len(content) // 2])

    def _path(self, mark):
        for path in self.folder.glob("checkpoints/*.checkpoint"):
            found = FILE_PATTERN.fullmatch(path.name)
            if Mark(int(found["step"]), bytes.fromhex(found["lineage"])) == mark:
                return path
        raise AssertionError(f"no checkpoint of {mark}")


class Disks(dict):
    """Disks by run, each created on first use."""

    def __init__(self, make):
        super().__init__()
        self._make = make

    def __missing__(self, run):
        self[run] = self._make(run)
        return self[run]
