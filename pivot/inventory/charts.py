"""Bars and plots as SVG that scales in width alone, so that its text stays readable; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pivot.inventory.markup import EMPTY, Html, join, size, tag, text
from pivot.report import human_size

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pivot.inventory.values import Point

_HEIGHT = 200
_TOP, _FLOOR = 12, 190  # of the plot, in its height
_STEPS = (1, 2, 5)  # times a power of ten: the distance of lines
_MOST_LINES = 6


def stacked(label: str, parts: Sequence[tuple[str, str, float]]) -> Html:
    """Draw one bar of parts, each with a word, a class and a share of the whole from 0 to 1."""
    rects: list[Html] = []
    start = 0.0
    for word, kind, share in parts:
        shape = {"x": _percent(start), "width": _percent(share), "height": "16"}
        rects.append(tag("rect", tag("title", text(word)), class_=f"f-{kind}", **shape))
        start += share
    told = "; ".join(word for word, _, _ in parts)
    return _picture(label, told, join(rects), height=16, class_="bar")


def single(share: float) -> Html:
    """Draw a thin bar beside a number that says the same."""
    bar = tag("rect", width=_percent(share), height="8", class_="f-data")
    return tag("svg", bar, class_="thin", width="100%", height="8", aria_hidden="true")


def growth(points: Sequence[Point]) -> Html:
    """Plot what each commit refers to as bars, and all that any refers to up to it as a line."""
    top = max((point.kept.bytes for point in points), default=0) or 1
    levels = range(0, top + 1, _step(top))
    lines = join(_line(level / top) for level in levels)
    width = 100 / max(len(points), 1)
    bars: list[Html] = []
    for place, point in enumerate(points):
        share = point.referred.bytes / top
        hint = f"{point.date} {point.commit[:7]}: {human_size(point.referred.bytes)} referred to"
        hint += f", {human_size(point.kept.bytes)} kept"
        shape = {
            "x": f"{place * width + width * 0.15:.3f}%",
            "width": f"{width * 0.7:.3f}%",
            "y": f"{_y(share):.1f}",
            "height": f"{_FLOOR - _y(share):.1f}",
        }
        bars.append(tag("rect", tag("title", text(hint)), class_="f-data", **shape))
    line = " ".join(
        f"{place * width + width / 2:.3f},{_y(point.kept.bytes / top):.1f}"
        for place, point in enumerate(points)
    )
    over = tag(
        "svg",
        tag("polyline", points=line, vector_effect="non-scaling-stroke"),
        viewBox=f"0 0 100 {_HEIGHT}",
        preserveAspectRatio="none",
        width="100%",
        height=_HEIGHT,
    )
    last = points[-1] if points else None
    told = (
        f"{len(points)} commits from {points[0].date} to {last.date}; the last refers to "
        f"{human_size(last.referred.bytes)}, and all together to {human_size(last.kept.bytes)}."
        if last is not None
        else ""
    )
    drawn = join((lines, *bars, over if len(points) > 1 else EMPTY))
    plot = _picture("Growth over the last commits", told, drawn, height=_HEIGHT, class_="plot")
    return tag("div", _scale(levels, top), plot, class_="graph")


def _picture(title: str, told: str, drawn: Html, *, height: int, class_: str) -> Html:
    """Make a picture with a name and a description for those who do not see it."""
    about = tag("title", text(title)), tag("desc", text(told))
    label = f"{title}: {told}"
    return tag(
        "svg",
        *about,
        drawn,
        class_=class_,
        role="img",
        width="100%",
        height=height,
        aria_label=label,
    )


def _line(share: float) -> Html:
    return tag("line", x1="0", x2="100%", y1=f"{_y(share):.1f}", y2=f"{_y(share):.1f}")


def _scale(levels: Iterable[int], top: int) -> Html:
    """Write sizes beside the lines of a plot."""
    words = join(
        tag("text", size(level), x="100%", y=f"{_y(level / top) + 4:.1f}") for level in levels
    )
    return tag("svg", words, class_="scale", width="64", height=_HEIGHT, aria_hidden="true")


def _y(share: float) -> float:
    return _FLOOR - share * (_FLOOR - _TOP)


def _step(top: int) -> int:
    """Choose a round distance of lines, so that there are a few of them."""
    least = top / _MOST_LINES
    scale = 1
    while scale * _STEPS[-1] < least:
        scale *= 10
    return next(factor * scale for factor in _STEPS if factor * scale >= least)


def _percent(share: float) -> str:
    return f"{share * 100:.3f}%"
