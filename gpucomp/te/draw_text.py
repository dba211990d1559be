"""The loop tree of a schedule as text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from gpucomp.te.tree import Loop, ScheduleTree, StageTree

# What a line is made of: pieces of text, each with a rich style ("" for none).
Line = list[tuple[str, str]]

KIND_STYLE: Final = {
    "blockIdx": "bold blue",
    "clusterIdx": "bold cyan",
    "threadIdx": "bold green",
    "vthread": "bold cyan",
    "cthread": "bold cyan",
    "vectorize": "bold magenta",
    "unroll": "bold yellow",
    "parallel": "bold red",
}
SCOPE_STYLE: Final = {"global": "dim", "shared": "yellow", "shared.dyn": "yellow", "warp": "cyan", "local": "green"}


def kind_style(kind: str) -> str:
    """The style of a binding or annotation."""
    return KIND_STYLE.get(kind.split(".")[0], "bold")


def tree_text(tree: ScheduleTree) -> str:
    """The tree as plain text, one line for each stage and loop."""
    return "\n".join(["".join([piece for piece, _ in line]).rstrip() for line in lines(tree)])


def lines(tree: ScheduleTree) -> Iterator[Line]:
    """The lines of the tree."""
    for stage in tree.stages:
        yield from _stage(stage, "")
    if tree.inlined:
        yield [("inlined: " + ", ".join(tree.inlined), "dim")]
    if tree.error is not None:
        for number, text in enumerate(tree.error.render().split("\n")):
            yield [("! " if number == 0 else "  ", "bold red"), (text, "red")]


def _stage(stage: StageTree, prefix: str) -> Iterator[Line]:
    yield [*_lead(prefix), *_header(stage)]
    if stage.role == "input":
        return
    follow = prefix.replace("├─ ", "│  ").replace("└─ ", "   ")
    if stage.kernel:
        yield [(follow + "   ", "dim"), (f"kernel: {stage.kernel}", "italic")]
    yield from _loops(stage, follow)


def _loops(stage: StageTree, prefix: str) -> Iterator[Line]:
    """The loops, each one level deeper than the one before; what is computed inside of a loop stands first."""
    for position, loop in enumerate(stage.loops):
        yield [*_lead(prefix + "└─ "), *_loop(loop)]
        prefix += "   "
        innermost = position == len(stage.loops) - 1
        for number, child in enumerate(loop.children):
            ends = innermost and number == len(loop.children) - 1
            yield from _stage(child, prefix + ("└─ " if ends else "├─ "))


def _lead(prefix: str) -> Line:
    return [(prefix, "dim")] if prefix else []


def _header(stage: StageTree) -> Line:
    line: Line = [(stage.name, "bold"), (f"  {stage.tensor}", "")]
    if stage.role:
        line.append((f"  {stage.role}", "italic"))
    if stage.scope or stage.memory:
        words = " ".join([w for w in (stage.scope, stage.memory) if w])
        line.append((f"  {words}", SCOPE_STYLE.get(stage.scope, "dim")))
    line += [(f"  {mark}", "cyan") for mark in stage.marks]
    if stage.reads:
        line.append((f"  <- {', '.join(stage.reads)}", "dim"))
    return line


def _loop(loop: Loop) -> Line:
    line: Line = [(loop.name, ""), (f" {loop.extent}", "bold")]
    if loop.kind:
        line.append((f"  {loop.kind}", kind_style(loop.kind)))
    if loop.reduces:
        line.append(("  reduce", "italic"))
    return [*line, *[(f"  {pragma}", "cyan") for pragma in loop.pragmas]]
