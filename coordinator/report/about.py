"""What was trained, on what and by whom."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from coordinator.report.stored_run import StoredRun
from party.configuration.keras_objects import KerasObject
from party.configuration.run import CodecSection, TrainingSection
from party.output.quantities import count_text, counted, time_text
from party.page.document import Section
from party.page.markup import element
from party.page.tables import facts, table

NOT_STORED = "not stored: the parties never agreed to the run, or an earlier version made it"
SHOWN_RUN_CHARACTERS = 8


def about_section(stored: StoredRun) -> Section:
    """Parties, roles, rows and configuration.

    Args:
        stored: the run.
    """
    note = element(
        "p",
        "Which columns and which kind of model a party uses, only its owner knows. The coordinator sees the names and"
        " widths of the numbers that each party sends.",
        class_="muted",
    )
    return Section(
        "about",
        "What was trained on what",
        (_parties(stored), note, element("h3", "Configuration that all parties signed"), facts(_configuration(stored))),
    )


def _parties(stored: StoredRun) -> str:
    body = []
    for name in stored.run.parties:
        stated = stored.statements.get(name)
        role = "label party" if name == stored.run.label_party else "feature party"
        rows = hiddens = version = NOT_STORED
        if stated is not None:
            rows = ", ".join(f"{dataset} {count_text(count)}" for dataset, count in stated.rows.items()) or "none"
            hiddens = ", ".join(f"{hidden} ({units})" for hidden, units in stated.hiddens.items()) or "none"
            version = stated.version
        body.append((name, role, rows, hiddens, version))
    head = ("party", "role", "rows in common by dataset", "hiddens and their width", "version")
    return table("Parties of the run", head, body)


def _configuration(stored: StoredRun) -> Iterator[tuple[str, str]]:
    entry, training = stored.entry, stored.run.training
    yield "Run", entry.run_id
    yield "Started", time_text(entry.started)
    if entry.continues:
        yield "Continues", f"the weights of run {entry.continues[:SHOWN_RUN_CHARACTERS]}"
    yield "Coordinator", stored.coordinator
    yield "Datasets", f"trained on {training.dataset}; held out: {_held_out(training)}"
    yield "Extent", _extent(training, entry.steps)
    yield "Optimizer", f"{_optimizer(training)}, at each party whose own file names none"
    yield "Schedule", _schedule(training)
    yield "Codecs", f"hiddens {codec_text(training.codecs.hidden)}; gradients {codec_text(training.codecs.gradient)}"
    if training.early_stopping is not None:
        stopping = training.early_stopping
        yield "Early stopping", f"by {stopping.metric}, after {stopping.patience} epochs without an improvement"
    if training.party_dropout:
        shares = ", ".join(f"{name} {share:.0%}" for name, share in training.party_dropout.items())
        yield "Rows trained without a party", shares
    yield "SHA-256", hashlib.sha256(entry.configuration).hexdigest()


def _held_out(training: TrainingSection) -> str:
    if training.validation_dataset is not None:
        return f"dataset {training.validation_dataset}"
    return f"{training.validation_fraction:.0%} of its rows" if training.validation_fraction else "nothing"


def _extent(training: TrainingSection, steps: int) -> str:
    text = f"{counted(training.epochs, 'epoch')} at most, batches of {counted(training.batch_size, 'row')}"
    return f"{text}, {counted(steps, 'step')} in all" if steps else text


def _optimizer(training: TrainingSection) -> str:
    rate = training.optimizer.learning_rate
    shown = f"schedule {rate.name}" if isinstance(rate, KerasObject) else f"{rate:g}"
    return f"{training.optimizer.name}, learning rate {shown}"


def _schedule(training: TrainingSection) -> str:
    local = training.local_updates
    extra = "" if local is None else f"; {local.steps} local updates after each exchanged batch"
    if training.schedule.kind == "synchronous":
        same = "" if extra else ": the result equals training the joined model in one process"
        return f"synchronous{same}{extra}"
    return f"pipelined, {training.schedule.batches_under_way} batches under way{extra}"


def codec_text(codec: CodecSection) -> str:
    """A codec in words.

    Args:
        codec: of one direction.
    """
    share = "" if codec.fraction is None else f" of {codec.fraction:.0%} of the columns"
    feedback = " with error feedback" if codec.error_feedback else ""
    return f"{codec.kind}{share}{feedback}{', lossless' if codec.kind == 'float32' else ''}"
