"""The reference part of docs/primitives/*.md: signature, arguments, and the loop nest before and after.

    python ci/primitive_pages.py            write it into the pages, between their markers
    python ci/primitive_pages.py --check    exit with 1 when a page says something else than the docstring

A docstring and its example are the one source; what stands around the markers is written by hand.  The example becomes
a program that runs by itself: the tensors that it speaks of come first, and last the result is compared with numpy.
"""

from __future__ import annotations

import argparse
import doctest
import inspect
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final  # Any: primitives are callables of any signature

ROOT: Final = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from gpucomp import te  # noqa: E402  # the checkout's own package, also when another one is installed

FOLDER: Final = ROOT / "docs" / "primitives"
START: Final = "<!-- from the docstring: written by ci/primitive_pages.py -->\n\n"
END: Final = "\n\n<!-- end of the docstring -->"

# The table of contents: every page, by family.
FAMILIES: Final[dict[str, tuple[str, ...]]] = {
    "Loops": ("split", "tile", "fuse", "reorder", "align"),
    "How a loop runs": ("bind", "env_threads", "vectorize", "unroll", "parallel", "pragma", "prefetch", "tensorize"),
    "Where a stage is computed": ("compute_at", "compute_inline", "compute_root", "create_group", "AutoInline"),
    "Copies and partial results": ("cache_read", "reindex_cache_read", "cache_write", "rfactor"),
    "Memory": (
        "set_scope", "storage_align", "storage_swizzle", "double_buffer", "set_store_predicate", "rolling_buffer",
        "transform_layout",
    ),
    "The schedule itself": (
        "create_schedule", "show", "check", "copy", "normalize", "trace", "SpecializedCondition",
    ),
}  # fmt: skip
# What has no page of its own, and where it is told.
TOLD_ON: Final = {"to_text": "show", "to_svg": "show", "to_html": "show"}
# Public methods that are no part of the schedule language: primitives and the lowering call them.
PLUMBING: Final = frozenset(("current", "current_span", "record", "recording_as"))
# Pages without an example in a docstring: they are written by hand as a whole.
BY_HAND: Final = {"create_schedule", "trace", "SpecializedCondition", "AutoInline"}

_SHOW: Final = """

def show(s):  # the loops, without the head of the function
    text = te.lower_schedule(s, [{tensors}]).script()
    print("\\n".join(line[4:] for line in text.partition("T.func_attr")[2].splitlines()[1:]))
"""
_ADD_ONE: Final = """
x = te.placeholder((4,), name="x")
y = te.compute((4,), lambda i: x[i] + 1.0, name="y")
one = tir.const(1.0, "float32x4")


def add_four(ins, outs):
    return outs[0].vstore([0], ins[0].vload([0], "float32x4") + one)


add_one_4 = te.decl_tensor_intrin(y.op, add_four, "add_one_4")
"""


@dataclass(frozen=True, slots=True)
class Graph:
    """What an example is about: how to make it, its inputs and result, and the same in numpy."""

    text: str
    tensors: str
    reference: str


_PLANE: Final = Graph(
    'A = te.placeholder((6, 8), name="A")\n'
    'C = te.compute((6, 8), lambda i, j: A[i, j] + 1.0, name="C")\n'
    "i, j = C.op.axis\n"
    "s = te.create_schedule(C.op)\n",
    "A, C",
    "lambda a: a + 1",
)
_CHAIN_TEXT: Final = (
    'V = te.placeholder((8,), name="V")\n'
    'B = te.compute((8,), lambda i: V[i] * 2.0, name="B")\n'
    'D = te.compute((8,), lambda i: B[i] + 1.0, name="D")\n'
)
_CHAIN: Final = Graph(_CHAIN_TEXT, "V, D", "lambda v: v * 2 + 1")
_WINDOW: Final = Graph(_CHAIN_TEXT.rpartition("D = ")[0], "V, E", "lambda v: v[:6] * 2 + v[2:] * 2")
_ROWS: Final = Graph(
    'A = te.placeholder((6, 8), name="A")\n'
    'k = te.reduce_axis((0, 8), "k")\n'
    'R = te.compute((6,), lambda i: te.sum(A[i, k], axis=k), name="R")\n',
    "A, R",
    "lambda a: a.sum(1)",
)
# Elements that a store predicate leaves out have no value to compare; nothing is run for what only reads a schedule.
_NOT_COMPARED: Final = frozenset(("set_store_predicate", "check", "show", "copy", "normalize"))


class BadPage(Exception):
    """A page that cannot be written."""


def primitives() -> dict[str, Callable[..., Any]]:
    """Every public method of a schedule and of the families of a stage's primitives, by name."""
    found: dict[str, Callable[..., Any]] = {}
    for owner in (*te.Stage.__bases__, te.Schedule):
        for name, value in vars(owner).items():
            if inspect.isfunction(value) and not name.startswith("_") and name not in PLUMBING:
                found[name] = value
    return found


def pages() -> list[str]:
    """The names of all pages, in the order of the table of contents."""
    return [name for names in FAMILIES.values() for name in names]


def reference_part(name: str) -> str:
    """What stands between the markers of a page."""
    method = primitives()[name]
    doc = inspect.cleandoc(method.__doc__ or "")
    owner = "s" if hasattr(te.Schedule, name) and not hasattr(te.Stage, name) else "s[T]"
    if name == "copy":
        owner = "s"
    parts = [f"```text\n{owner}.{_signature(method)}\n```"]
    blocks = [block for block in re.split(r"\n\n+", doc) if block]
    prelude = _prelude(name, doc)
    for block in blocks:
        if block.startswith(">>>"):
            parts.append(_program(name, block, prelude))
            prelude = ""
        else:
            parts.append(_prose(block))
    return "\n\n".join(parts)


def _signature(method: Callable[..., Any]) -> str:
    signature = inspect.signature(method)
    kept = [p for n, p in signature.parameters.items() if n != "self"]
    return f"{method.__name__}{signature.replace(parameters=kept)}".replace("'", "")


def _graph(doc: str) -> Graph:
    for letter, graph in (("E", _WINDOW), ("D", _CHAIN), ("R", _ROWS)):
        if re.search(rf"^(>>> )?.*\b{letter}\b(\.op|\[| =)", doc, re.MULTILINE):
            return graph
    return _PLANE


def _prelude(name: str, doc: str) -> str:
    graph = _graph(doc)
    imports = ["from gpucomp import te, tir" if "add_one_4" in doc else "from gpucomp import te"]
    if name not in _NOT_COMPARED:
        imports.append("from gpucomp.testing import check")
    text = "\n".join(imports) + "\n\n" + graph.text
    if "add_one_4" in doc:
        text += _ADD_ONE
    if ">>> show(s)" in doc:
        text += _SHOW.format(tensors=graph.tensors)
    return text


def _program(name: str, block: str, prelude: str) -> str:
    """An example as Python blocks, each with what it prints after it; the last compares the result."""
    parts = [_fenced("python", prelude)] if prelude else []
    pending = ""
    for example in doctest.DocTestParser().get_examples(block):
        pending += example.source
        if example.want:
            parts += [_fenced("python", pending), _fenced("text", example.want)]
            pending = ""
    if name not in _NOT_COMPARED:
        graph = _graph(block)
        pending += f'check(s, [{graph.tensors}], {graph.reference}, device="cpu")  # runs it, and compares with numpy\n'
    if pending:
        parts.append(_fenced("python", pending))
    return "\n\n".join(parts)


def _fenced(language: str, text: str) -> str:
    return f"```{language}\n{text.strip()}\n```"


def _prose(block: str) -> str:
    head, _, rest = block.partition("\n")
    if head in ("Args:", "Attributes:"):
        return "\n".join([f"* `{n}`: {text}" for n, text in _items(rest)])
    if head == "Returns:":
        return f"Returns {_inline(_joined(rest))}"
    if head == "Raises:":
        return "\n".join([f"Raises `{n}`: {text}" for n, text in _items(rest)])
    return _inline(block)


def _items(text: str) -> list[tuple[str, str]]:
    """``name: text`` entries, whose text may go on in deeper lines."""
    found: list[tuple[str, str]] = []
    for line in inspect.cleandoc(text).splitlines():
        entry = re.match(r"(\w[\w, ]*): (.*)", line)
        if entry and not line.startswith(" "):
            found.append((entry[1], _inline(entry[2])))
        elif found:
            found[-1] = (found[-1][0], f"{found[-1][1]}\n  {_inline(line.strip())}")
    return found


def _joined(text: str) -> str:
    return inspect.cleandoc(text)


def _inline(text: str) -> str:
    """Docstring markup as Markdown: ``code`` and references to methods."""
    return re.sub(r":meth:`(\w+)`", r"[`\1`](\1.md)", text.replace("``", "`"))


def rendered(name: str, page: str) -> str:
    """A page with its reference part replaced.

    Raises:
        BadPage: the page has no markers.
    """
    before, start, rest = page.partition(START)
    _, end, after = rest.partition(END)
    if not (start and end):
        raise BadPage(f"{name}.md has no markers for the reference part")
    return before + START + reference_part(name) + END + after


def summary(name: str) -> str:
    """The first sentence of a page: what follows its title, or the docstring's first line."""
    if name not in BY_HAND:
        doc = inspect.cleandoc(primitives()[name].__doc__ or "")
        return _inline(re.split(r"\n\n", doc)[0].replace("\n", " "))
    text = (FOLDER / f"{name}.md").read_text(encoding="utf-8")
    return text.split("\n\n")[1].replace("\n", " ")


def contents(page: str) -> str:
    """The index page with its table replaced."""
    lines: list[str] = []
    for family, names in FAMILIES.items():
        lines += [f"## {family}", "", "| primitive | what it does |", "|---|---|"]
        lines += [f"| [`{name}`]({name}.md) | {summary(name)} |" for name in names]
        lines.append("")
    before, start, rest = page.partition(START)
    _, end, after = rest.partition(END)
    if not (start and end):
        raise BadPage("README.md has no markers for the table")
    return before + START + "\n".join(lines).strip() + END + after


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description="The reference part of the pages of primitives.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 when a page is old")
    chosen = parser.parse_args(arguments)
    old: list[str] = []
    for name in [*[n for n in pages() if n not in BY_HAND], "README"]:
        path = FOLDER / f"{name}.md"
        text = path.read_text(encoding="utf-8")
        try:
            wanted = contents(text) if name == "README" else rendered(name, text)
        except BadPage as error:
            print(f"primitive_pages: {error}", file=sys.stderr)
            return 1
        if wanted == text:
            continue
        old.append(path.name)
        if not chosen.check:
            path.write_text(wanted, encoding="utf-8")
    if chosen.check and old:
        print(f"primitive_pages: {', '.join(old)}: run python ci/primitive_pages.py", file=sys.stderr)
    return int(chosen.check and bool(old))


if __name__ == "__main__":
    raise SystemExit(main())
