"""The loop tree of a schedule as a picture: nested boxes with badges, and arcs from producers to their readers.

One self-contained SVG element: no script, no style sheet, nothing from the network; names are escaped.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Final

from gpucomp.te.tree import Loop, ScheduleTree, StageTree

_ROW: Final = 22
_INDENT: Final = 14
_CHAR: Final = 7.3  # width of a character of 12 px monospace, with a margin
_SMALL: Final = 6.2  # of 10 px
_GAP: Final = 6
_ARC: Final = 9  # between neighbouring arcs

_KIND: Final = {
    "blockIdx": "#1d4ed8",
    "clusterIdx": "#4338ca",
    "threadIdx": "#15803d",
    "vthread": "#0e7490",
    "cthread": "#0e7490",
    "vectorize": "#a21caf",
    "unroll": "#b45309",
    "parallel": "#b91c1c",
    "reduce": "#57534e",
}
_SCOPE: Final = {
    "": ("#f5f5f4", "#a8a29e"),
    "global": ("#eff6ff", "#60a5fa"),
    "shared": ("#fefce8", "#ca8a04"),
    "shared.dyn": ("#fefce8", "#ca8a04"),
    "warp": ("#ecfeff", "#0891b2"),
    "local": ("#f0fdf4", "#16a34a"),
}
_FONT: Final = "ui-monospace,SFMono-Regular,Menlo,Consolas,monospace"


def tree_svg(tree: ScheduleTree) -> str:
    """The picture as an ``<svg>`` element."""
    return _Picture(tree).svg()


def tree_html(tree: ScheduleTree) -> str:
    """The picture as a block of HTML that scrolls sideways where it is too wide."""
    return f'<div style="overflow-x:auto;background:#fff;padding:4px">{tree_svg(tree)}</div>'


class _Picture:
    def __init__(self, tree: ScheduleTree) -> None:
        self.tree = tree
        self.boxes: list[tuple[int, int, int, int, str, str]] = []  # depth, x, y, bottom, fill, line
        self.words: list[str] = []
        self.heads: dict[str, list[int]] = {}  # stage -> where its name stands
        self.readers: list[tuple[str, int]] = []
        self.widest = 0.0
        self.y = _GAP

    def svg(self) -> str:
        for stage in self.tree.stages:
            self._stage(stage, _GAP, 0)
        if self.tree.inlined:
            self._text(_GAP, "inlined: " + ", ".join(self.tree.inlined), fill="#57534e", style="italic")
            self.y += _ROW
        if self.tree.error is not None:
            for line in self.tree.error.render().split("\n"):
                self._text(_GAP, line, fill="#b91c1c")
                self.y += _ROW
        deepest = max([depth for depth, *_ in self.boxes], default=0)
        right = int(self.widest) + 2 * _GAP + 2 * min(deepest, 20)
        arcs, reach = self._arcs(right)
        width, height = right + reach + _GAP, self.y + _GAP
        parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
            f'viewBox="0 0 {width} {height}" font-family="{_FONT}" font-size="12" role="img">',
            f"<title>{escape('schedule of ' + ', '.join([s.name for s in self.tree.stages if s.role == 'output']))}"
            "</title>",
            f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        ]
        for depth, x, y, bottom, fill, line in self.boxes:
            wide = right - x - min(depth, 20) * 2
            parts.append(
                f'<rect x="{x}" y="{y}" width="{wide}" height="{bottom - y}" rx="4" fill="{fill}" stroke="{line}"/>'
            )
        return "\n".join([*parts, *self.words, *arcs, "</svg>"])

    # -- boxes ----------------------------------------------------------------------------------------------------

    def _stage(self, stage: StageTree, x: int, depth: int) -> None:
        fill, line = _SCOPE.get("" if stage.role == "input" else stage.scope, _SCOPE[""])
        box = len(self.boxes)
        self.boxes.append((depth, x, self.y, 0, fill, line))
        top = self.y
        self.heads.setdefault(stage.name, []).append(top + _ROW // 2)
        self.readers += [(name, top + _ROW // 2) for name in stage.reads]
        at = self._text(x + _GAP, stage.name, weight="bold")
        at = self._text(at + _GAP, stage.tensor, fill="#44403c")
        if stage.role:
            at = self._badge(at + _GAP, stage.role, "#334155")
        label = " ".join([w for w in (stage.scope, stage.memory) if w])
        if label:
            at = self._badge(at + _GAP, label, line)
        for mark in stage.marks:
            at = self._badge(at + _GAP, mark, "#0f766e")
        self.y += _ROW
        if stage.kernel:
            self._text(x + _GAP, stage.kernel, fill="#57534e", size=10)
            self.y += _ROW - 4
        self._loops(stage.loops, x + _INDENT, depth + 1)
        self.boxes[box] = (depth, x, top, self.y, fill, line)
        self.y += _GAP

    def _loops(self, loops: Sequence[Loop], x: int, depth: int) -> None:
        opened: list[tuple[int, int, int, int]] = []
        for loop in loops:
            opened.append((len(self.boxes), depth, x, self.y))
            self.boxes.append((depth, x, self.y, 0, "#ffffff", "#d6d3d1"))
            at = self._text(x + _GAP, loop.name)
            at = self._text(at + _GAP, loop.extent, weight="bold")
            for kind in [k for k in (loop.kind, "reduce" if loop.reduces else "") if k]:
                at = self._badge(at + _GAP, kind, _KIND.get(kind.split(".")[0], "#334155"))
            for pragma in loop.pragmas:
                at = self._badge(at + _GAP, pragma, "#0f766e")
            self.y += _ROW
            x, depth = x + _INDENT, depth + 1
            for child in loop.children:
                self._stage(child, x, depth)
        for index, level, left, top in reversed(opened):
            self.boxes[index] = (level, left, top, self.y, "#ffffff", "#d6d3d1")
            self.y += 3

    # -- words ----------------------------------------------------------------------------------------------------

    def _text(
        self, x: float, text: str, *, fill: str = "#1c1917", weight: str = "", style: str = "", size: int = 12
    ) -> float:
        more = f' font-weight="{weight}"' if weight else ""
        more += f' font-style="{style}"' if style else ""
        more += f' font-size="{size}"' if size != 12 else ""
        where = f'x="{x:g}" y="{self.y + 15}"'
        self.words.append(f'<text {where} fill="{fill}"{more} xml:space="preserve">{escape(text)}</text>')
        end = x + len(text) * (_CHAR if size == 12 else _SMALL)
        self.widest = max(self.widest, end)
        return end

    def _badge(self, x: float, text: str, colour: str) -> float:
        width = len(text) * _SMALL + 8
        self.words.append(
            f'<rect x="{x:g}" y="{self.y + 4}" width="{width:g}" height="15" rx="7" fill="{colour}"/>'
            f'<text x="{x + 4:g}" y="{self.y + 15}" fill="#ffffff" font-size="10">{escape(text)}</text>'
        )
        self.widest = max(self.widest, x + width)
        return x + width

    # -- data flow ------------------------------------------------------------------------------------------------

    def _arcs(self, right: int) -> tuple[list[str], int]:
        """Curves in the right margin from each stage to those that read it; short ones stay close to the boxes."""
        ends = [(self.heads[name][0], y, name) for name, y in self.readers if name in self.heads]
        ends.sort(key=lambda item: (abs(item[0] - item[1]), item[0], item[1]))
        out: list[str] = []
        for level, (start, stop, name) in enumerate(ends, 1):
            far = right + 14 + level * _ARC
            out.append(
                f'<path d="M{right} {start} C{far} {start} {far} {stop} {right + 5} {stop}" fill="none" '
                f'stroke="#78716c"><title>{escape(name)}</title></path>'
                f'<path d="M{right} {stop} l6 -3 l0 6 z" fill="#78716c"/>'
            )
        return out, (24 + len(ends) * _ARC) if ends else 0
