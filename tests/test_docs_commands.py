"""Every command, option and make target that README.md and docs/ name exists."""

import re

import click
import pytest

from coordinator.cli import main as coordinator_command
from deploy.demo.demonstration import main as demonstration_command
from party.cli import main as party_command
from tests.support.documents import DOCUMENTS, NAMES, ROOT, code_lines, words_of

COMMANDS = {
    ("party",): party_command,
    ("coordinator",): coordinator_command,
    ("python", "-m", "party"): party_command,
    ("python", "-m", "coordinator"): coordinator_command,
    ("python", "-m", "deploy.demo.demonstration"): demonstration_command,
}
OPERATORS = {"&&", "||", "|", ";", "&"}


def unknown_targets(text, makefile):
    rules = re.findall(r"^([a-z][\w -]*):", makefile, re.MULTILINE)
    targets = {target for rule in rules for target in rule.split()}
    commands = [command for line in code_lines(text) for command in commands_of(words_of(line))]
    named = {word for command in commands if command[0] == "make" for word in command[1:]}
    return sorted({word for word in named if re.fullmatch(r"[a-z][\w-]*", word)} - targets)


def commands_of(words):
    """The single commands of a command line."""
    commands = [[]]
    for word in words:
        if word in OPERATORS:
            commands.append([])
        else:
            commands[-1].append(word.removeprefix("ExecStart="))
    return [command for command in commands if command]


def options_of(command):
    return {"--help"} | {name for one in command.params for name in (*one.opts, *one.secondary_opts)}


def all_options():
    commands = [*COMMANDS.values(), *party_command.commands.values(), *coordinator_command.commands.values()]
    return set().union(*(options_of(command) for command in commands))


def unknown_parts(words):
    """Subcommands and options of one command that it does not have; none for the commands of others."""
    if words[0].startswith("--"):
        return [words[0]] if words[0].partition("=")[0] not in all_options() else []
    program = [words[0].rsplit("/", 1)[-1], *words[1:]]
    for prefix, known in COMMANDS.items():
        if tuple(program[: len(prefix)]) == prefix:
            return _unknown_arguments(known, words[len(prefix) :])
    return []


def _unknown_arguments(command, words):
    unknown = []
    for word in words:
        if word.startswith("-"):
            unknown += [word] if word.partition("=")[0] not in options_of(command) else []
        elif isinstance(command, click.Group):
            if word not in command.commands:
                return [*unknown, word]
            command = command.commands[word]
    return unknown


def unknown_options(text):
    commands = [command for line in code_lines(text) for command in commands_of(words_of(line))]
    return [part for command in commands for part in unknown_parts(command)]


@pytest.mark.parametrize("path", DOCUMENTS, ids=NAMES)
def test_make_targets_exist(path):
    assert unknown_targets(path.read_text(), (ROOT / "Makefile").read_text()) == []


def test_unknown_targets_are_noticed():
    text = "make sure of `make demo` and `make none`\n```sh\n$ make lint other # make more\n```\n"
    assert unknown_targets(text, "demo all: x\n\ttouch\nlint:\n") == ["none", "other"]


@pytest.mark.parametrize("path", DOCUMENTS, ids=NAMES)
def test_commands_and_their_options_exist(path):
    assert unknown_options(path.read_text()) == []


@pytest.mark.parametrize(
    ("line", "unknown"),
    [
        ("party serve --config a.yaml", []),
        (".venv/bin/party export --run 1 --output x --config a.yaml --debug", []),
        ("party serve --run 1", ["--run"]),
        ("party start --config a.yaml", ["start"]),
        ("coordinator train --config=a --epochs=3", ["--epochs=3"]),
        ("coordinator align --config a && coordinator train --force", ["--force"]),
        ("party certificate alice --renew --month 1", ["--month"]),
        ("python -m party check --bad", ["--bad"]),
        ("ExecStart=/opt/bin/party serve --config x --fast", ["--fast"]),
        ("docker build --pull", []),
        ("party", []),
        ("--force", []),
        ("--forced", ["--forced"]),
    ],
)
def test_unknown_options_are_noticed(line, unknown):
    assert unknown_options(f"Text `{line}` text") == unknown_options(f"```sh\n{line}\n```\n") == unknown


def test_documents_show_the_commands():
    words = [words_of(line) for path in DOCUMENTS for line in code_lines(path.read_text())]
    shown = {(*one[:1], *one[1:2]) for one in words}
    groups = {"party": party_command, "coordinator": coordinator_command}
    assert {(name, subcommand) for name, group in groups.items() for subcommand in group.commands} <= shown
