"""What a project has and where it is: counted, and as a page in which no name means anything."""

from __future__ import annotations

import base64
import hashlib
import html
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pivot.errors import ExitCode
from pivot.inventory.charts import growth
from pivot.inventory.page import MOST_ROWS, render_page
from pivot.inventory.tally import find_duplicates, grow, list_items, sum_places
from pivot.inventory.told import report_text
from pivot.inventory.values import Amount, Answer, Inventory, Item, Place, Point
from pivot.objects import files_of
from pivot.report import printable
from pivot.results import Problem
from pivot.stage_states import State
from tests.unit.telling import HOSTILE, NAMES, stage
from tests.unit.values import digest, directory_of, file_of, stage_output, tracked_output

TREE = directory_of("tree", {"a": b"same", "b": b"other", "c": b""})
MODEL = file_of("model", b"same")
ENTRIES = (
    stage_output("make", TREE),
    stage_output("train", MODEL),
    tracked_output(file_of("raw", b"raw")),
)
FILES = [file for entry in ENTRIES for file in files_of(entry.output)]
SIZES = {file.digest: file.size or 0 for file in FILES}
WORKSPACE = dict.fromkeys((file.path for file in FILES), Answer.THERE) | {
    "tree/b": Answer.OTHER,
    "model": Answer.ABSENT,
}
ELEMENTS = {
    *("html", "head", "meta", "title", "style", "body", "main", "h1", "h2", "p", "dl", "div", "dt"),
    *("dd", "small", "ul", "li", "span", "code", "table", "thead", "tbody", "tr", "th", "td"),
    *("details", "summary", "footer", "svg", "rect", "line", "text", "polyline", "desc"),
}


class Reader(HTMLParser):
    """Reads a page as strictly as it is to be written."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.words: list[str] = []
        self.attributes: set[str] = set()
        self._open: list[str] = []
        self.feed(page)
        self.close()
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in ELEMENTS, tag
        self.attributes |= {name for name, _ in attrs}
        if tag != "meta":
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] != "style":
            self.words.append(data)

    def handle_comment(self, data: str) -> None:
        pytest.fail(f"a comment: {data}")


def inventory_of(name: str = "project", **changes: object) -> Inventory:
    """Make an inventory in which every text of a project is *name*."""
    point = Point(f"{1:040x}", "2026-01-02", name, Amount(2, 9), Amount(2, 9), Amount(2, 9))
    there = {Answer.THERE: 1}
    made = Inventory(
        name=name,
        commit=f"{1:040x}",
        taken="2026-01-02 03:04 UTC",
        remote=name,
        url=name,
        stages=(replace(stage(name, State.CHANGED), reason=name),),
        items=(Item(name, name, True, False, 1, 9, 0, dict.fromkeys(Place, there)),),
        objects=Amount(1, 9),
        places={place: {answer: Amount(1, 9) for answer in Answer} for place in Place},
        duplicates=find_duplicates([stage_output("a", file_of(name, b"x")), ENTRIES[0]], SIZES),
        growth=(point, replace(point, kept=Amount(3, 20))),
        problems=(Problem(ExitCode.MISSING, name),),
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def test_an_output_is_counted_by_what_each_place_says() -> None:
    cache = {file.digest: Answer.THERE for file in FILES} | {MODEL.digest: Answer.ABSENT}
    remote = dict.fromkeys(SIZES, Answer.UNKNOWN)

    items = list_items(ENTRIES, WORKSPACE, {Place.CACHE: cache, Place.REMOTE: remote}, SIZES)

    tree, model, raw = items
    assert (tree.path, tree.files, tree.bytes, tree.is_directory) == ("tree", 3, 9, True)
    assert tree.answers == {
        Place.WORKSPACE: {Answer.THERE: 2, Answer.OTHER: 1},
        Place.CACHE: {Answer.THERE: 2, Answer.ABSENT: 1},
        Place.REMOTE: {Answer.UNKNOWN: 3},
    }
    assert model.answers[Place.WORKSPACE] == {Answer.ABSENT: 1}
    assert (raw.path, raw.is_stage, model.is_stage) == ("raw", False, True)


def test_a_file_without_a_size_is_told_apart_from_an_empty_one() -> None:
    (tree, *_) = list_items(ENTRIES[:1], WORKSPACE, {}, {TREE.files[0].digest: 4})

    assert (tree.bytes, tree.unsized) == (4, 2)


def test_the_workspace_counts_files_and_other_places_objects() -> None:
    places = sum_places(
        ENTRIES, WORKSPACE, {Place.CACHE: dict.fromkeys(SIZES, Answer.THERE)}, SIZES
    )

    assert places == {
        Place.WORKSPACE: {
            Answer.THERE: Amount(3, 7),
            Answer.OTHER: Amount(1, 5),
            Answer.ABSENT: Amount(1, 4),
        },
        Place.CACHE: {Answer.THERE: Amount(4, 12)},
    }


def test_a_duplicate_is_one_object_at_several_paths() -> None:
    (one,) = find_duplicates(ENTRIES, SIZES)

    assert (one.paths, one.size, one.saved) == (("model", "tree/a"), 4, 4)


def test_empty_files_are_no_duplicates_worth_telling() -> None:
    empty = directory_of("d", {"a": b"", "b": b""})

    assert find_duplicates([stage_output("s", empty)], {empty.files[0].digest: 0}) == ()


def test_growth_counts_what_is_new_and_what_stays_behind() -> None:
    commits = [("1", "d1", "one"), ("2", "d2", "two"), ("3", "d3", "three")]
    a, b, c = map(digest, (1, 2, 3))

    points = grow(commits, [({a: 10}, 0), ({a: 10, b: 5}, 0), ({b: 5, c: None}, 2)])

    assert [(p.referred.bytes, p.added.bytes, p.kept.bytes) for p in points] == [
        (10, 10, 10),
        (15, 5, 15),
        (5, 0, 15),
    ]
    assert [(p.kept.count, p.unsized, p.unread) for p in points] == [
        (1, 0, 0),
        (2, 0, 0),
        (3, 1, 2),
    ]


def test_the_page_lets_a_browser_load_nothing_and_run_nothing() -> None:
    page = render_page(inventory_of())

    policy = html.unescape(re.search(r'Policy" content="([^"]+)"', page)[1])  # type: ignore[index]
    style = re.search(r"<style>(.*?)</style>", page, re.DOTALL)[1]  # type: ignore[index]
    known = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert policy == (
        f"default-src 'none'; style-src 'sha256-{known}'; base-uri 'none'; form-action 'none'"
    )
    assert not re.search(r"https?:|//[a-z]|url\(|@import|@font-face", page)


@pytest.mark.parametrize(
    "name",
    [
        *HOSTILE,
        "<script>alert(1)</script>",
        "</style><script>alert(1)</script>",
        "\"' onload=alert(1) x='",
        "a\u202egpj.exe",
        "\x1b]0;title\x07",
        "\0",
        "]]>",
        "<!--",
        "caf\u00e9 \u65e5\u672c",
    ],
)
def test_a_hostile_name_is_only_shown(name: str) -> None:
    page = render_page(inventory_of(name))

    reader = Reader(page)
    assert printable(name).strip() in "".join(reader.words)
    assert not {each for each in reader.attributes if each.startswith("on")}
    assert not reader.attributes & {"style", "href", "src", "srcdoc", "action"}
    assert all(
        char.isprintable() or char == "\n" for char in html.unescape(page).replace("\u202f", "")
    )


@given(NAMES, st.integers(0, 10**15))
def test_any_name_and_size_make_a_page(name: str, size: int) -> None:
    point = Point(f"{1:040x}", name, name, Amount(1, size), Amount(0, 0), Amount(2, size))

    Reader(render_page(inventory_of(name, growth=(point,))))


def test_a_page_of_nothing_says_so() -> None:
    nothing = inventory_of(stages=(), items=(), duplicates=(), growth=(), problems=(), remote="")

    words = " ".join(Reader(render_page(nothing)).words)

    assert "No stages and no tracked data." in words
    assert "No content is there twice." in words
    assert "No commit has lock files" in words
    assert "no remote was asked" in words


def test_a_page_stays_small_however_much_there_is() -> None:
    (item,) = inventory_of().items
    many = inventory_of(items=tuple(replace(item, path=f"out/{n}") for n in range(5 * MOST_ROWS)))

    page = render_page(many)

    assert page.count("out/") < MOST_ROWS + 20
    assert f"and {4 * MOST_ROWS} more" in page


def test_a_long_name_is_cut_in_the_middle() -> None:
    page = render_page(inventory_of("begin" + "x" * 100_000 + "end"))

    assert len(page) < 30_000
    assert "xx … xx" in page
    assert "end<" in page


def test_a_place_that_was_not_asked_is_not_a_place_that_has_nothing() -> None:
    places = {Place.WORKSPACE: {Answer.UNKNOWN: Amount(1, 9)}, Place.CACHE: {}}

    told = inventory_of(places=places, remote="", url="")
    words = "|".join(Reader(render_page(told)).words)
    lines = report_text(told, changes={}).out

    assert "Remote|not asked" in words
    assert "could not ask: 1 file" in words
    assert next(line for line in lines if line.startswith("Remote")) == "Remote     not asked"


@pytest.mark.parametrize("sizes", [(0,), (1,), (3, 7), (999,), (1000, 10**6), (10**15,)])
def test_a_plot_has_a_few_lines_at_round_sizes(sizes: tuple[int, ...]) -> None:
    points = [Point("c", "d", "s", Amount(1, n), Amount(), Amount(1, n)) for n in sizes]

    drawn = growth(points)

    assert 2 <= drawn.count("<line") <= 8
    assert drawn.count("<polyline") == (len(points) > 1)
    assert "<title>" in drawn
    assert "<desc>" in drawn


def test_text_says_what_takes_most_and_names_are_printable() -> None:
    report = report_text(inventory_of("\x1b]0;x\x07"), changes={})

    assert report.code == ExitCode.MISSING
    assert report.out[10].split() == [r"\x1b]0;x\x07", "1", "9", "B"]
    assert all(line.isprintable() for line in (*report.out, *report.err))
