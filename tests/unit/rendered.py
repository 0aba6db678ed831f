"""Markdown, as a page shows it: what is a cell, what is text, and what would be alive."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from markdown_it import MarkdownIt

if TYPE_CHECKING:
    from collections.abc import Iterator

    from markdown_it.token import Token

_OWN_HTML = re.compile(
    r"<details>\n<summary>[A-Za-z]+( \(\d+\))?</summary>\n|</details>\n?|<!-- [a-z0-9: -]+ -->\n?"
)
_OWN_MARKUP = {"text", "strong_open", "strong_close"}
_ALIVE = re.compile(
    r"(?<![A-Za-z0-9])@[\w.-]|@[\w-]*\.\w|@[0-9a-f]{7}|#[^\W_]|gh-\d|www\.|(https?|ftp)://"
    r"|:[\w+-]+:",
    re.IGNORECASE,
)
"""What GitHub makes a mention, an address, a commit, an issue, a link or an emoji of."""

_APART = "\u200b"


class Page:
    """A page that is read as GitHub reads it. Only what we write ourselves is markup.

    Texts are kept without the spaces of no width that hold words apart.
    """

    def __init__(self, markdown: str) -> None:
        tokens = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
        self.tokens = tokens.parse(markdown)
        self.texts: list[str] = []
        self.tables: list[list[list[str]]] = []
        self.items: list[str] = []
        self.fences: list[tuple[str, str]] = []
        around: list[str] = []
        for token in self.tokens:
            if token.type == "inline":
                self._text(_shown(token), around)
            elif token.type == "fence":
                self.fences.append((token.info, token.content))
            elif token.type == "html_block":
                assert _OWN_HTML.fullmatch(token.content), token.content
            elif token.nesting == 1:
                self._open(token, around)
            elif token.nesting == -1:
                around.pop()
            else:
                raise AssertionError(token)

    def _open(self, token: Token, around: list[str]) -> None:
        around.append(token.tag)
        assert token.tag in {"h3", "p", "table", "thead", "tbody", "tr", "th", "td", "ul", "li"}
        if token.tag == "table":
            self.tables.append([])
        elif token.tag == "tr":
            self.tables[-1].append([])

    def _text(self, text: str, around: list[str]) -> None:
        if around[-1] in {"td", "th"}:
            self.tables[-1][-1].append(text)
        elif "li" in around:
            self.items.append(text)
        else:
            self.texts.append(text)


def _shown(token: Token) -> str:
    children = token.children or []
    assert {child.type for child in children} <= _OWN_MARKUP, children
    text = "".join(_texts(children))
    assert not _ALIVE.search(text), text
    return text.replace(_APART, "")


def _texts(children: list[Token]) -> Iterator[str]:
    for child in children:
        assert child.type != "text" or "\n" not in child.content
        yield child.content
