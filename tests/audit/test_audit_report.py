"""Parts are put together by run and never mixed; pages escape what parts hold and load nothing."""

import re
from html.parser import HTMLParser

import pytest

from party.audit.report.audit_part import OwnEvaluation
from party.audit.report.audit_report import UNPROTECTED, ReportedPart, SignedBy, report_of
from party.audit.report.html_page import html_page
from party.audit.report.text_page import report_lines
from party.errors import DataError
from tests.support.audit_parts import PRIVATE_LABELS, make_part, make_row

HOSTILE = "<script>alert(1)</script>\"'&<img src=x onerror=alert(2)>"
ESCAPE = "\x1b]0;owned\x07\x1b[2J\r\n"
EVALUATION = OwnEvaluation(dataset="test", at="2026-01-01", rows=100, metrics={"auc": 0.7654, "loss": 0.5, "n": None})


def report(*parts):
    return report_of(ReportedPart(part) for part in parts)


def text_of(made):
    return "\n".join(report_lines(made, None))


class Page(HTMLParser):
    """The tags, attributes and texts that a browser finds in a page."""

    def __init__(self, content):
        super().__init__()
        self.tags, self.attributes, self.text = [], [], ""
        self.feed(content)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes += attributes

    def handle_data(self, text):
        self.text += text


def private_row(**changes):
    return make_row(all_epochs=0.72, one_step=0.7, ceiling=0.731, verdict="within", **changes)


def test_parts_of_a_run_make_one_block():
    made = report(make_part("bob", evaluation=EVALUATION), make_part("alice", table=[make_row(secret="gender")]))
    (run,) = made.runs
    assert [(one.owner, one.row.secret) for one in run.rows] == [("alice", "gender"), ("bob", "liked")]
    assert (run.title, run.missing, run.test_metrics) == (UNPROTECTED, (), {"auc": 0.7654})
    assert made.comparison == ()


def test_runs_stand_side_by_side_and_are_not_mixed():
    plain = make_part("bob", evaluation=EVALUATION)
    private = make_part(
        "bob", "private", table=[private_row(), private_row(attack="norm")], protections=[PRIVATE_LABELS]
    )
    made = report(private, plain)
    first, second = made.runs
    assert [first.title, second.title] == [UNPROTECTED, "private labels, epsilon 1"]
    assert [one.row for one in first.rows] == list(plain.rows)
    assert [one.row for one in second.rows] == list(private.rows)
    assert second.ceilings == (("private labels", 1.0, pytest.approx(0.7311, abs=1e-4)),)
    assert second.missing == ("alice",)
    by_attack = {one.attack: one.rows for one in made.comparison}
    assert by_attack == {"direction": (plain.rows[0], private.rows[0]), "norm": (None, private.rows[1])}


def three_parties(run, alice, carol, protections=()):
    """Parts of two feature parties whose secrets have one name, with a row of each; alice has the protections."""
    parties = {"parties": ("alice", "bob", "carol")}
    fields = {"secret": "gender", "attack": "probe", "attacker": "bob"}
    return [
        make_part("alice", run, table=[make_row(**fields, **alice)], protections=protections, **parties),
        make_part("carol", run, table=[make_row(**fields, **carol)], **parties),
    ]


def test_secrets_of_one_name_stay_apart_by_their_owners():
    """One owner's private column does not hide that the other one's column of the same name is open."""
    opened, within = {"verdict": "open"}, {"all_epochs": 0.7, "ceiling": 0.731, "verdict": "within"}
    made = report(*three_parties("plain", opened, opened), *three_parties("private", opened, within))
    compared = {one.owner: [row.verdict for row in one.rows] for one in made.comparison}
    assert compared == {"alice": ["open", "open"], "carol": ["open", "within"]}
    assert [(one.owner, one.row.verdict) for one in made.runs[0].rows] == [("alice", "open"), ("carol", "open")]
    for content in (text_of(made), Page(html_page(made)).text):
        assert "alice" in content
        assert "carol" in content


def test_a_protection_of_two_parties_is_none_of_the_third():
    private = PRIVATE_LABELS.model_copy(update={"name": "private columns"})
    masked = PRIVATE_LABELS.model_copy(update={"name": "masked sums", "epsilon": None})
    names = ("alice", "bob", "carol", "dave")
    parts = [make_part(name, protections=[private, masked], parties=names) for name in ("alice", "carol")]
    (run,) = report(*parts, make_part("dave", protections=[masked], parties=names)).runs
    assert run.protections == (("alice, carol", private), ("all", masked))
    assert run.title == "private columns, epsilon 1 at alice, carol + masked sums"


@pytest.mark.parametrize("field", ["configuration_sha256", "dataset", "rows", "label_party", "epochs", "coordinator"])
def test_parts_that_contradict_each_other_about_a_run_are_refused(field):
    other = {"configuration_sha256": "ee" * 32, "rows": 7, "epochs": 7, "label_party": "alice"}.get(field, "other")
    with pytest.raises(DataError, match=f"not of the same run: {field} differs"):
        report(make_part("bob"), make_part("alice", **{field: other}))


def test_two_parts_of_one_party_and_run_are_refused():
    with pytest.raises(DataError, match="two parts are of party bob"):
        report(make_part("bob"), make_part("bob", table=[make_row(verdict="within")]))


def test_a_page_escapes_every_text_of_a_part():
    row = make_row(
        secret=HOSTILE, attack=HOSTILE, attacker_has=HOSTILE, attacker=HOSTILE, note=HOSTILE, reference=HOSTILE
    )
    evaluation = OwnEvaluation(dataset=HOSTILE, at=HOSTILE, rows=1, metrics={HOSTILE: 0.5, HOSTILE + "auc": 0.5})
    part = make_part("bob", table=[row], evaluation=evaluation, dataset=HOSTILE, coordinator=HOSTILE)
    protection = PRIVATE_LABELS.model_copy(update={"detail": HOSTILE})
    other = make_part(
        "bob", "private", table=[row], protections=[protection], dataset=HOSTILE, parties=("bob", HOSTILE)
    )
    made = report_of([ReportedPart(part, SignedBy(key_sha256=HOSTILE)), ReportedPart(other)])
    page = Page(html_page(made))
    assert not {"script", "img", "link", "iframe", "object", "form"} & set(page.tags)
    assert not [name for name, _ in page.attributes if name.startswith("on") or name == "src"]
    assert all(re.fullmatch(r"#[a-z0-9-]+", value) for name, value in page.attributes if name == "href")
    assert page.text.count(HOSTILE) > 15


def test_a_page_loads_nothing_and_stands_alone():
    content = html_page(report(make_part("bob"), make_part("alice")))
    page = Page(content)
    assert set(page.tags) <= {
        *("html", "head", "meta", "title", "style", "body", "h1", "h2", "p", "section", "table", "thead", "tbody"),
        *(
            "main",
            "nav",
            "a",
            "caption",
            "tr",
            "th",
            "td",
            "b",
            "small",
            "span",
            "i",
            "u",
            "dl",
            "dt",
            "dd",
            "ul",
            "ol",
            "li",
            "div",
            "sup",
        ),
    }
    assert (
        "content",
        "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'",
    ) in page.attributes
    assert not re.search(r"https?:|//|@import|url\(", content.replace("<!DOCTYPE html>", ""))


def test_pages_say_figures_verdicts_and_what_is_never_promised():
    rows = [make_row(), make_row(attack="posterior", all_epochs="?", standard_error=None, verdict="not measured")]
    made = report(make_part("bob", table=rows, evaluation=EVALUATION))
    for content in (text_of(made), Page(html_page(made)).text):
        for expected in (
            "0.990 ± 0.010",
            "not measured",
            "0.7654",
            "Never promised",
            "exact releases",
            "aa" * 16,
            "cc" * 32,
        ):
            assert expected in content


@pytest.mark.parametrize(("is_vouched", "words"), [(True, "authority vouches"), (False, "no authority was asked")])
def test_both_pages_say_whether_an_authority_vouches_for_the_signer(is_vouched, words):
    made = report_of([ReportedPart(make_part("bob"), SignedBy(key_sha256="ab" * 32, is_vouched=is_vouched))])
    for content in (text_of(made), Page(html_page(made)).text):
        assert "ab" * 32 in content
        assert words in content


def test_no_text_of_a_part_steers_a_terminal():
    row = make_row(secret=ESCAPE, attack=ESCAPE, attacker_has=ESCAPE, attacker=ESCAPE, note=ESCAPE)
    private = PRIVATE_LABELS.model_copy(update={"detail": ESCAPE})
    fields = {"coordinator": ESCAPE, "dataset": ESCAPE, "parties": ("bob", ESCAPE)}
    shown = text_of(report(make_part(table=[row], protections=[private], **fields), make_part("bob", "private")))
    assert not [letter for letter in shown if not letter.isprintable() and letter != "\n"]
