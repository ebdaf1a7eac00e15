"""Parties and a coordinator as processes of the recorded code, driven by their commands and files alone."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import yaml

from tests.tools.recordings.cases import COORDINATOR, KILLED
from tests.tools.recordings.tables import ROWS, UNLABELLED, write_tables

LABEL_PARTY = "bob"
SECRETS = {name: f"{number:064x}" for number, name in enumerate(("alice", "bob", "charlie"), start=1)}
UNBOUNDED = 1_000_000
POLICY = {
    "minimum_metric_rows": 1,
    **{f"maximum_{name}": UNBOUNDED for name in ("runs", "evaluations", "predictions", "sessions_per_day")},
}
TRAINING = {"seed": 5, "epochs": 2, "batch_size": 32, "validation_fraction": 0.15, "optimizer": {"learning_rate": 0.01}}
OWN_MODELS = Path(__file__).with_name("own_models.py")
COMMAND_SECONDS = 300
POLL_SECONDS = 0.01
STEPS_BEFORE_INTERRUPTION = 11  # in the second epoch, with checkpoints after every step


class RecordingError(Exception):
    """A recording or comparison that failed; the text says why."""


class Commands:
    """The commands of one checkout.

    Args:
        code: path of the checkout.
        folder: working directory of the commands; nothing in it shadows a module.
    """

    def __init__(self, code, folder):
        self.folder = folder
        self._environment = {
            **os.environ,
            "PYTHONPATH": str(code),
            "PYTHONUNBUFFERED": "1",
            "TF_CPP_MIN_LOG_LEVEL": "3",
        }
        for module in ("party", COORDINATOR):
            found = self._run(["-c", f"import {module}; print({module}.__file__)"]).stdout.strip()
            if not Path(found).is_relative_to(code):
                raise RecordingError(f"{module} is not that of {code} but {found}")

    def run(self, *arguments):
        """Runs `python -m` to its end, and raises an error if it fails."""
        return self._run(["-m", *arguments])

    def start(self, *arguments, log):
        """Starts `python -m`; standard output is a pipe, standard error goes to the end of a file."""
        with log.open("ab") as file:
            return subprocess.Popen(
                [sys.executable, "-m", *arguments],
                stdout=subprocess.PIPE,
                stderr=file,
                text=True,
                cwd=self.folder,
                env=self._environment,
            )

    def _run(self, arguments):
        done = subprocess.run(
            [sys.executable, *arguments],
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
            check=False,
            cwd=self.folder,
            env=self._environment,
        )
        if done.returncode:
            raise RecordingError(f"{' '.join(arguments)} failed with {done.returncode}: {done.stderr.strip()}")
        return done


class RunningFederation:
    """The processes of one federation in an empty, private folder, as a context manager.

    Args:
        federation: a Federation.
        code: path of the checkout.
        folder: empty.
    """

    def __init__(self, federation, code, folder):
        self.federation, self.folder = federation, folder
        self.parties = tuple(federation.features)
        self.commands = Commands(code, folder)
        self._processes, self._ports = {}, {}

    def __enter__(self):
        own_models = self.folder / OWN_MODELS.name
        shutil.copyfile(OWN_MODELS, own_models)
        own_models.chmod(0o600)  # a party refuses model files that others may change
        (self.folder / "data").mkdir()
        write_tables(self.folder / "data")
        for name in (*self.parties, COORDINATOR):
            program = COORDINATOR if name == COORDINATOR else "party"
            self.commands.run(program, "certificate", name, "--folder", f"certificates/{name}")
        try:
            self.start(*self.parties)
            self.commands.run(COORDINATOR, "align", "--config", self._write_run("align", {}))
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *error):
        for process in self._processes.values():
            process.terminate()
        for process in self._processes.values():
            process.communicate(timeout=COMMAND_SECONDS)

    def start(self, *parties):
        """Starts parties, on their previous ports if they had any, and waits until they answer."""
        for name in parties:
            self._write_party(name)
            arguments = ("party", "serve", "--config", f"{name}.yaml")
            self._processes[name] = self.commands.start(*arguments, log=self.folder / f"{name}.log")
        for name in parties:
            line = self._processes[name].stdout.readline()
            port = line.strip().rpartition(":")[2]
            if not port.isdecimal():
                raise RecordingError(f"{name} did not come up: {(self.folder / f'{name}.log').read_text()}")
            self._ports[name] = int(port)

    def run(self, number, case):
        """Trains, evaluates and predicts.

        Args:
            number: of the case, used in file names.
            case: a Case.

        Returns:
            The coordinator's folder of the run, named by the run_id.
        """
        name = f"run{number}"
        path = self._write_run(name, case.training, every_step=case.interruption is not None)
        if case.interruption is None:
            self.commands.run(COORDINATOR, "train", "--config", path)
        else:
            self._train_with_interruption(path, name, KILLED[case.interruption])
        self.commands.run(COORDINATOR, "evaluate", "--config", path)
        for dataset in case.predicted:
            self.commands.run(COORDINATOR, "predict", "--config", path, "--dataset", dataset)
        (folder,) = [one.parent for one in (self.folder / "runs" / name).glob("*/history.json")]
        return folder

    def state(self, party, run_id):
        """Returns the folder of a run in a party's state."""
        return self.folder / "state" / party / "runs" / run_id

    def _train_with_interruption(self, path, name, killed):
        log = self.folder / f"{name}.log"
        coordinator = self.commands.start(COORDINATOR, "train", "--config", path, log=log)
        try:
            run_id = self._await_steps(coordinator, name, log)
            processes = {**self._processes, COORDINATOR: coordinator}
            for one in killed:
                processes[one].kill()
            if not killed:
                coordinator.send_signal(signal.SIGINT)
            for one in killed:
                processes[one].communicate(timeout=COMMAND_SECONDS)
            self.start(*(one for one in killed if one != COORDINATOR))
            coordinator.communicate(timeout=COMMAND_SECONDS)
        finally:
            coordinator.kill()
            coordinator.wait()
        if COORDINATOR in killed or not killed:
            if coordinator.returncode == 0:
                raise RecordingError(f"{name}: the run was over before it was interrupted")
            self.commands.run(COORDINATOR, "train", "--resume", run_id, "--config", path)
        elif coordinator.returncode:
            raise RecordingError(f"{name}: the run did not go on: {log.read_text()}")

    def _await_steps(self, coordinator, name, log):
        """Waits until the label party has recorded some steps of a run; returns the run_id."""
        while True:
            for folder in (self.folder / "runs" / name).glob("*/"):
                steps = self.state(LABEL_PARTY, folder.name) / "steps.csv"
                if steps.exists() and len(steps.read_text().splitlines()) > STEPS_BEFORE_INTERRUPTION:
                    return folder.name
            try:
                coordinator.wait(POLL_SECONDS)
            except subprocess.TimeoutExpired:
                continue
            raise RecordingError(f"{name}: the run was over before it was interrupted: {log.read_text()}")

    def _write_party(self, name):
        federation = self.federation
        data = {
            "id": "ID",
            "datasets": {dataset: f"data/{name}/{dataset}.csv" for dataset in ROWS},
            "features": federation.features[name],
        }
        if name == LABEL_PARTY:
            data |= {"labels": {"liked": {"rule": "rating > 3"}}, "unlabelled": [UNLABELLED], **federation.data}
        sections = {**federation.sections.get(name, {})}
        content = {
            "party": name,
            "listen": f"127.0.0.1:{self._ports.get(name, 0)}",
            "label_party": LABEL_PARTY,
            "peers": [{"name": one, "ca": _authority(one)} for one in self.parties if one != name],
            "coordinators": [{"name": COORDINATOR, "ca": _authority(COORDINATOR)}],
            "tls": _own_certificate(name),
            "state": f"state/{name}",
            "data": data,
            "policy": {**POLICY, **sections.pop("policy", {})},
            "threads": {"intra_operation": 1},
            "pinned_secret": SECRETS[name],
            **sections,
        }
        path = self.folder / f"{name}.yaml"
        path.write_text(yaml.safe_dump(content))
        path.chmod(0o600)

    def _write_run(self, name, training, every_step=False):
        content = {
            COORDINATOR: COORDINATOR,
            "tls": _own_certificate(COORDINATOR),
            "label_party": LABEL_PARTY,
            "parties": [
                {"name": one, "address": f"127.0.0.1:{self._ports[one]}", "ca": _authority(one)} for one in self.parties
            ],
            "output": f"runs/{name}",
            "alignment": {"datasets": list(ROWS), "chunk_rows": 128},
            "training": {**TRAINING, **training},
            "evaluate_dataset": "test",
            "checkpoints": {"every_steps": 1} if every_step else {},
        }
        path = self.folder / f"{name}.yaml"
        path.write_text(yaml.safe_dump(content))
        return path.name


def _authority(name):
    return f"certificates/{name}/{name}-ca.pem"


def _own_certificate(name):
    return {"certificate": f"certificates/{name}/{name}.pem", "key": f"certificates/{name}/{name}-key.pem"}
