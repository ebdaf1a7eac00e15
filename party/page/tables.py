"""Tables and lists of a page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from party.page.markup import Markup, element


def facts(rows: Iterable[tuple[str, str]]) -> Markup:
    """A table of names and what is known about each.

    Args:
        rows: name and text or markup.
    """
    made = (element("tr", element("th", name, scope="row"), element("td", text)) for name, text in rows)
    return element("table", element("tbody", *made), class_="facts")


def table(caption: str, head: Sequence[str], body: Iterable[Sequence[str]], *, numbers: Sequence[int] = ()) -> Markup:
    """A table whose first cell names its row; it scrolls by itself where it is wider than the page.

    Args:
        caption: what the table shows.
        head: titles of the columns.
        body: texts and markup; a cell that is an element `td` stays as it is.
        numbers: places of the columns with numbers, from 0.
    """
    titles = (element("th", title, **_column(place, numbers, scope="col")) for place, title in enumerate(head))
    rows = (element("tr", *_cells(cells, numbers)) for cells in body)
    made = element(
        "table",
        element("caption", caption),
        element("thead", element("tr", *titles)),
        element("tbody", *rows),
        class_="figures",
    )
    return element("div", made, class_="scroll", tabindex="0", role="region", aria_label=caption)


def bullets(texts: Iterable[str]) -> Markup:
    """A list.

    Args:
        texts: texts and markup.
    """
    return element("ul", *(element("li", text) for text in texts))


def terms(pairs: Iterable[tuple[str, str]]) -> Markup:
    """A list of terms with what they mean.

    Args:
        pairs: term and meaning.
    """
    made = (one for term, meaning in pairs for one in (element("dt", term), element("dd", meaning)))
    return element("dl", *made, class_="terms")


def tiles(pairs: Iterable[tuple[str, str]]) -> Markup:
    """The few figures that everybody looks for first.

    Args:
        pairs: name and figure.
    """
    made = (element("div", element("dt", name), element("dd", figure)) for name, figure in pairs)
    return element("dl", *made, class_="tiles")


def chip(text: str, kind: str) -> Markup:
    """A word that stands out.

    Args:
        text: the word.
        kind: class of the style sheet, such as `on`, `off` or `unknown`.
    """
    return element("span", text, class_=f"chip {kind}")


def _cells(cells: Sequence[str], numbers: Sequence[int]) -> Iterable[Markup]:
    for place, cell in enumerate(cells):
        if isinstance(cell, Markup) and cell.startswith("<td"):
            yield cell
        elif place == 0:
            yield element("th", cell, **_column(place, numbers, scope="row"))
        else:
            yield element("td", cell, **_column(place, numbers))


def _column(place: int, numbers: Sequence[int], **attributes: str) -> dict[str, str]:
    return {**attributes, **({"class_": "number"} if place in numbers else {})}
