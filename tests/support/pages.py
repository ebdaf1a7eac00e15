"""Laws that every page of the product holds."""

import re
from html.parser import HTMLParser

HOSTILE = "</title></style><script>alert(1)</script>\"'&<img src=x onerror=alert(2)>\u202e\x1b[2J"
EMPTY = {"meta", "rect", "line", "polyline", "circle"}
MOST_BYTES = 1_000_000
TAGS = {
    *("html", "head", "meta", "title", "style", "body", "main", "nav", "section", "h1", "h2", "h3", "p", "a", "code"),
    *("table", "caption", "thead", "tbody", "tr", "th", "td", "dl", "dt", "dd", "ul", "ol", "li", "div", "span"),
    *("b", "small", "sup", "i", "u", "figure", "figcaption"),
    *("svg", "desc", "text", "rect", "line", "polyline", "circle"),
}


class ReadPage(HTMLParser):
    """Reads a page as strictly as XML: every element is closed, in order."""

    def __init__(self, content):
        super().__init__()
        self.open, self.elements, self.text, self.problems = [], [], "", []
        self.feed(content)
        self.close()
        self.problems += [f"{tag} is not closed" for tag in self.open]

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes), tuple(self.open)))
        if len(dict(attributes)) < len(attributes):
            self.problems.append(f"{tag} has an attribute twice")
        if tag not in EMPTY:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.problems.append(f"{tag} is closed out of order")

    def handle_data(self, text):
        if "style" not in self.open:
            self.text += f"{text} "

    def attributes(self, tag):
        return [attributes for name, attributes, _ in self.elements if name == tag]

    def count(self, tag):
        return len(self.attributes(tag))


def broken_laws(content):
    """Says what a page lacks of being well-formed, accessible, self-contained and small."""
    page = ReadPage(content)
    tags = [tag for tag, _, _ in page.elements]
    every = [attributes for _, attributes, _ in page.elements]
    ids = [attributes["id"] for attributes in every if "id" in attributes]
    named = [one for attributes in every for one in attributes.get("aria-labelledby", "").split()]
    links = [attributes.get("href", "") for attributes in page.attributes("a")]
    tables = page.count("table")
    regions = [attributes["aria-label"] for attributes in every if attributes.get("role") == "region"]
    with_heads = {path for tag, _, path in page.elements if tag == "th"}
    laws = {
        "well-formed": not page.problems,
        "begins as HTML": content.startswith("<!DOCTYPE html>\n<html lang="),
        "one h1": tags.count("h1") == 1,
        "a title": tags.count("title") == 1 + sum(one.get("role") == "img" for one in page.attributes("svg")),
        "known elements alone": set(tags) <= TAGS,
        "ids once": len(ids) == len(set(ids)),
        "labels exist": set(named) <= set(ids),
        "regions told apart": len(regions) == len(set(regions)),
        "links inside": all(one.startswith("#") and one[1:] in ids for one in links),
        "heads of tables": all(attributes.get("scope") in ("col", "row") for attributes in page.attributes("th")),
        "a head in every table": not tables or bool(with_heads),
        "plots have a description": page.count("desc") == tags.count("title") - 1,
        "plots have a table": content.count("<figure") <= content.count("<caption>"),
        "a policy": "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
        in [attributes.get("content") for attributes in page.attributes("meta")],
        "no handlers": not [name for attributes in every for name in attributes if name.startswith("on")],
        "loads nothing": not re.search(r"https?:|//|@import|url\(|src=", content),
        "small": len(content.encode()) < MOST_BYTES,
        "no unknown numbers": not re.search(r'[= "](nan|inf|-inf)[ ",]', content),
    }
    return [f"{name}: {page.problems}" if name == "well-formed" else name for name, holds in laws.items() if not holds]
