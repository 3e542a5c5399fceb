"""HTML as a tree of elements: whatever comes from a file becomes text, never markup."""

from __future__ import annotations

import base64
import math
import re
from collections.abc import Sequence
from typing import TypeAlias
from xml.etree import ElementTree

from globalfit.show import number

Node: TypeAlias = ElementTree.Element
WRITTEN = re.compile(r"[+-]?\d+(\.\d+)?(e[+-]?\d+)?( %)?")  # a number as text, in a form of its own
LONG = 50  # characters of a cell that is wide rather than high
Content: TypeAlias = "Node | str | float | None"


def element(tag: str, /, *content: Content, **attributes: str) -> Node:
    """Return an element; ``class_`` stands for class, ``data_value`` for data-value. None is left out."""
    made = ElementTree.Element(tag)
    for key, value in attributes.items():
        made.set(key.rstrip("_").replace("_", "-"), printable(value))
    for each in content:
        add(made, each)
    return made


def add(node: Node, *content: Content) -> None:
    """Append elements, texts and numbers to an element."""
    for each in content:
        if each is None:
            continue
        if isinstance(each, ElementTree.Element):
            node.append(each)
            continue
        text = printable(each) if isinstance(each, str) else number(each)
        if len(node):
            node[-1].tail = (node[-1].tail or "") + text
        else:
            node.text = (node.text or "") + text


def printable(text: str) -> str:
    """Return a text without control characters or marks that reorder it; lines are kept."""
    return "".join(each if each.isprintable() or each in "\n\t" else ascii(each)[1:-1] for each in text)


def section(key: str, title: str, *content: Content) -> Node:
    """Return a section with a heading; `key` is its id."""
    heading = element("h2", title, id=f"{key}-title")
    return element("section", heading, *content, id=key, aria_labelledby=f"{key}-title")


def table(head: Sequence[str], rows: Sequence[Sequence[Content]], caption: str) -> Node:
    """Return a table that scrolls inside its box; the page's script makes its columns sortable.

    The first cell of a row is its heading; numbers are aligned and sorted as such.
    """
    body = element("tbody")
    for row in rows:
        first, *rest = row
        body.append(element("tr", element("th", first, scope="row"), *(_cell(each) for each in rest)))
    titles = element("tr")
    for i, each in enumerate(head):
        kinds = {row[i].get("class") for row in body if row[i].text not in ("", "-", None)}
        titles.append(
            element("th", each, scope="col", **({"class_": "number"} if kinds == {"number"} else {}))
        )
    made = element("table", element("caption", caption), element("thead", titles), body, class_="sortable")
    return element("div", made, class_="scroll", tabindex="0", role="region", aria_label=caption)


def _cell(content: Content) -> Node:
    if isinstance(content, int | float):
        text = number(content) if math.isfinite(content) else "-"
        return element("td", text, class_="number", data_value=repr(float(content)))
    if isinstance(content, str) and WRITTEN.fullmatch(content):
        return element("td", content, class_="number", data_value=content.removesuffix(" %"))
    if isinstance(content, str) and " .. " in content:
        return element("td", content, class_="range")
    if isinstance(content, str) and len(content) > LONG:
        return element("td", content, class_="prose")
    if content == "-":
        return element("td", content, class_="none")
    return element("td", content)


def listing(items: Sequence[Content], **attributes: str) -> Node:
    """Return an unordered list."""
    return element("ul", *(element("li", each) for each in items), **attributes)


def data_uri(content: bytes, kind: str) -> str:
    """Return bytes as an address that needs no network."""
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"


def render(root: Node) -> str:
    """Return the page of a root element."""
    return "<!DOCTYPE html>\n" + ElementTree.tostring(root, encoding="unicode", method="html") + "\n"
