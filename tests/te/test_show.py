"""Schedule.show: what it says about legal schedules, illegal ones, and names that are markup."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import pytest

import gpucomp
from gpucomp import te
from gpucomp.te import Schedule, Tensor

MATMUL = """\
A  float32[n, 64]  input  n * 256 B
B  float32[64, 64]  input  16.0 KiB
D  float32[n, 64]  output  global n * 256 B  <- C
   kernel: grid 4 x ((n + 15) // 16), block 8 x 8 = 64 threads, shared 1.1 KiB
└─ i.outer (n + 15) // 16  blockIdx.y
   └─ j.outer 4  blockIdx.x
      └─ i.inner.outer 8  threadIdx.y
         └─ j.inner.outer 8  threadIdx.x
            ├─ C  float32[2, 2]  local 16 B  <- A, B.shared
            │  └─ k.outer 8  reduce
            │     ├─ B.shared  float32[8, 16]  shared 1.1 KiB  double-buffered  stride 0 = 17 k + 0  <- B
            │     │  └─ ax0 8  threadIdx.y
            │     │     └─ ax1.outer 2
            │     │        └─ ax1.inner 8  threadIdx.x
            │     └─ k.inner 8  unroll  reduce
            │        └─ i 2
            │           └─ j 2
            └─ i.inner.inner 2  auto_unroll_max_step=16
               └─ j.inner.inner 2  vectorize
inlined: T"""


def matmul() -> tuple[Schedule, Tensor, Tensor]:
    """A tiled product with everything that can be shown; returns schedule, inlined input and output."""
    n = te.var("n")
    a, b = te.placeholder((n, 64), name="A"), te.placeholder((64, 64), name="B")
    t = te.compute((n, 64), lambda i, j: a[i, j] * 2.0, name="T")
    k = te.reduce_axis((0, 64), "k")
    c = te.compute((n, 64), lambda i, j: te.sum(t[i, k] * b[k, j], axis=k), name="C")
    d = te.compute((n, 64), lambda i, j: c[i, j] + 1.0, name="D")
    s = te.create_schedule(d.op)
    s[t].compute_inline()
    i, j = d.op.axis
    io, jo, ii, ji = s[d].tile(i, j, 16, 16)
    iio, iii = s[d].split(ii, factor=2)
    jio, jii = s[d].split(ji, factor=2)
    s[d].reorder(iio, jio, iii, jii)
    for axis, tag in ((io, "blockIdx.y"), (jo, "blockIdx.x"), (iio, "threadIdx.y"), (jio, "threadIdx.x")):
        s[d].bind(axis, te.thread_axis(tag))
    s[d].vectorize(jii)
    s[d].pragma(iii, "auto_unroll_max_step", 16)
    s[c].compute_at(s[d], jio)
    ko, ki = s[c].split(k, factor=8)
    s[c].reorder(ko, ki, *c.op.axis)
    s[c].unroll(ki)
    shared = s.cache_read(b, "shared", [c])
    s[shared].compute_at(s[c], ko)
    s[shared].double_buffer()
    s[shared].storage_align(shared.op.axis[0], 17, 0)
    _, tx = s[shared].split(shared.op.axis[1], factor=8)
    s[shared].bind(shared.op.axis[0], te.thread_axis("threadIdx.y"))
    s[shared].bind(tx, te.thread_axis("threadIdx.x"))
    return s, t, d


def test_the_tree_has_extents_bindings_places_scopes_and_bytes(capsys: pytest.CaptureFixture[str]) -> None:
    s, _, _ = matmul()
    s.show()
    assert capsys.readouterr().out == MATMUL + "\n"


def test_showing_changes_nothing() -> None:
    s, _, _ = matmul()
    before = str(s.trace)
    assert s.to_text() == s.to_text()
    assert str(s.trace) == before


def test_colours_are_for_terminals_only(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    s, _, _ = matmul()
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.delenv("NO_COLOR", raising=False)
    s.show()
    out = capsys.readouterr().out
    assert "\x1b[" in out
    assert re.sub(r"\x1b\[[0-9;]*m", "", out).rstrip() == s.to_text()
    monkeypatch.setenv("NO_COLOR", "1")
    s.show()
    assert "\x1b[" not in capsys.readouterr().out


def test_an_illegal_schedule_is_drawn_with_its_error() -> None:
    s, _, d = matmul()
    other = te.create_schedule(d.op)
    c = next(st for st in other.stages if st.name == "C")
    c.compute_inline()
    text = other.to_text()
    assert "D  float32[n, 64]  output" in text
    assert "GC124" in text
    assert "help:" in text
    s[d].bind(s[d].leaf_iter_vars[4], te.thread_axis("threadIdx.x"))  # a second axis of D
    text = s.to_text()
    assert "GC126" in text
    assert "i.inner.inner 2  threadIdx.x" in text
    assert "└─ k.outer 8" in text, "attachments are known all the same"


@pytest.mark.parametrize("depth", [1, 60])
def test_chains_of_stages_are_listed_once_each(depth: int) -> None:
    t = te.placeholder((8,), name="T0")
    for number in range(1, depth + 1):
        t = te.compute((8,), lambda i, t=t: t[i] + 1.0, name=f"T{number}")
    text = te.create_schedule(t.op).to_text()
    assert len(re.findall(r"^T\d+  float32", text, re.MULTILINE)) == depth + 1


def test_the_picture_is_whole_and_needs_nothing_else() -> None:
    s, _, _ = matmul()
    svg = s.to_svg()
    root = ET.fromstring(svg)
    texts = [node.text for node in root.iter("{http://www.w3.org/2000/svg}text")]
    for word in ("i.inner.outer", "threadIdx.y", "vectorize", "double-buffered", "shared 1.1 KiB", "(n + 15) // 16"):
        assert word in texts
    assert "http" not in svg.replace("http://www.w3.org/2000/svg", "")
    assert "<script" not in svg
    width, height = float(root.attrib["width"]), float(root.attrib["height"])
    for node in root.iter("{http://www.w3.org/2000/svg}rect"):
        x, y = float(node.get("x", "0")), float(node.get("y", "0"))
        assert 0 <= x <= x + float(node.attrib["width"]) <= width
        assert 0 <= y <= y + float(node.attrib["height"]) <= height
    arcs = [n for n in root.iter("{http://www.w3.org/2000/svg}path") if n.get("fill") == "none"]
    assert len(arcs) == 4, "A and B.shared to C, B to B.shared, C to D"
    assert s._repr_html_() == s.to_html()
    assert svg in s.to_html()


def test_names_that_are_markup_are_escaped() -> None:
    a = te.placeholder((8,), name="<script>alert(1)</script>")
    b = te.compute((8,), lambda i: a[i] + 1.0, name='B"&<')
    html = te.create_schedule(b.op).to_html()
    assert "<script" not in html
    ET.fromstring(html)


def test_a_software_pipeline_has_a_copy_of_shared_memory_for_each_stage() -> None:
    a = te.placeholder((64, 32), name="A")
    b = te.compute((64, 32), lambda i, j: a[i, j] * 2.0, name="B")
    s = te.create_schedule(b.op)
    tile = s.cache_read(a, "shared", [b])
    step, row = s[b].split(b.op.axis[0], factor=4)
    s[b].bind(b.op.axis[1], te.thread_axis("threadIdx.x"))
    s[b].reorder(step, b.op.axis[1], row)
    s[tile].compute_at(s[b], step)
    s[tile].bind(tile.op.axis[1], te.thread_axis("threadIdx.x"))
    s[b].pragma(step, "software_pipeline", 3)
    text = s.to_text()
    assert "kernel: grid 1, block 32, shared 1.5 KiB\n" in text
    assert "A.shared  float32[4, 32]  shared 1.5 KiB  3 copies  <- A\n" in text
    assert "__shared__ __align__(16) float A_shared[384];" in gpucomp.source(s, [a, b], "cuda")


def test_threads_around_a_stage_rings_and_prefetches_are_shown() -> None:
    a = te.placeholder((18,), name="A")
    b = te.compute((18,), lambda i: a[i] * 2.0, name="B")
    c = te.compute((16,), lambda i: b[i] + b[i + 2], name="C")
    s = te.create_schedule(c.op)
    s[b].compute_at(s[c], c.op.axis[0])
    s[b].rolling_buffer()
    s[c].prefetch(a, c.op.axis[0], 2)
    s[c].env_threads([te.thread_axis((0, 4), "threadIdx.x")])
    text = s.to_text()
    assert "threadIdx.x 4  threadIdx.x\n" in text
    assert "i 16  prefetch A +2\n" in text
    assert "local 12 B  rolling  <- A\n" in text
