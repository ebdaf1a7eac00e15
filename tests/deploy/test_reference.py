"""The reference of the Python interface, as `make reference` builds it: every public name with its arguments."""

import inspect
import re
import subprocess
import sys
from html import unescape

import pytest

import coordinator
from coordinator import (
    Contribution,
    Contributions,
    DatasetAlignment,
    Evaluation,
    Federation,
    History,
    JoinedTable,
    LocalFederation,
    Plan,
    Predictions,
)
from party.errors import ERRORS_BY_CODE, SplitError
from tests.support.documents import ROOT

ARGUMENT = re.compile(r"<li><strong>(\w+):</strong>")


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    folder = tmp_path_factory.mktemp("reference")
    command = [sys.executable, "-m", "deploy.reference", str(folder)]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    assert done.stdout == f"wrote {folder / 'coordinator.html'}\n"
    return (folder / "coordinator.html").read_text()


def parts(page):
    """HTML by the name that it is about: up to the next one that has an anchor of its own."""
    anchors = [*re.finditer(r'<div id="([\w.]+)"|<section id="([\w.]+)"', page)]
    ends = [*(one.start() for one in anchors[1:]), len(page)]
    return {one[1] or one[2]: page[one.end() : end] for one, end in zip(anchors, ends, strict=True)}


def arguments(function):
    return [name for name in inspect.signature(function).parameters if name != "self"]


def public_functions():
    """Functions, methods and constructors with arguments of their own, by their place on the page."""
    found = {}
    for name in coordinator.__all__:
        value = getattr(coordinator, name)
        if not inspect.isclass(value):
            found[name] = value
            continue
        own = vars(value)
        methods = {key: one for key, one in own.items() if inspect.isfunction(one) and not key.startswith("_")}
        found |= {f"{name}.{key}": one for key, one in methods.items()}
    return found


def undocumented(page):
    """Public names that the page lacks, and arguments that it does not describe."""
    found = parts(page)
    missing = [name for name in coordinator.__all__ if name not in found]
    for place, function in public_functions().items():
        described = ARGUMENT.findall(found.get(place, ""))
        missing += [f"{place}({name})" for name in arguments(function) if name not in described]
    return missing


def test_every_public_name_is_described_with_its_arguments(page):
    assert undocumented(page) == []


def test_the_constructors_that_a_person_reads_are_described_too(page):
    for kind in (
        Contribution,
        Contributions,
        DatasetAlignment,
        Evaluation,
        Federation,
        History,
        LocalFederation,
        Plan,
        Predictions,
        SplitError,
    ):
        described = ARGUMENT.findall(parts(page)[kind.__name__])
        assert set(arguments(kind.__init__)) <= set(described), kind


def test_signatures_and_errors_are_shown(page):
    text = unescape(re.sub(r"<[^>]+>", "", parts(page)["Federation.fit"]))
    assert re.search(
        r"def\s*fit\(.*resume: str \| None = None,\s*continue_from: str \| None = None\s*\)", text, re.DOTALL
    )
    assert "StoppedError: stop was called; the run can be resumed." in re.sub(r"\s+", " ", text)


def test_what_is_missing_is_noticed(page):
    assert undocumented(page.replace('id="Predictions"', 'id="Other"')) == ["Predictions"]
    assert undocumented(page.replace("<strong>resume:</strong>", "")) == ["Federation.fit(resume)"]


def test_the_interface_is_what_connect_gives_and_every_error():
    assert len(set(coordinator.__all__)) == len(coordinator.__all__)
    kinds = {SplitError, *ERRORS_BY_CODE.values()}
    results = {Contribution, Contributions, DatasetAlignment, Evaluation, History, JoinedTable, Plan, Predictions}
    started = {coordinator.connect, Federation, LocalFederation}
    assert {getattr(coordinator, name) for name in coordinator.__all__} == {*started, *kinds, *results}
    with pytest.raises(AttributeError, match="has no attribute 'disconnect'"):
        _ = coordinator.disconnect
