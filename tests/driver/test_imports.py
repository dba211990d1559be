"""Source text that comes with a schedule: import_c on GPUs, import_llvm on processors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import gpucomp
from gpucomp import te, tir
from gpucomp.runtime import cpu_jit
from gpucomp.support.diagnostics import BuildError, LowerError
from gpucomp.support.launch import KernelImage
from gpucomp.te.trace import replay
from tests.codegen.devices import compile_cuda
from tests.requirements import require_pocl
from tests.te.helpers import poisoned, small_ints

BENT_LLVM = """
; a module as clang writes it: with a triple, attributes, a table and a function of its own
target triple = "nvptx64-nvidia-cuda"
@bends = internal constant [2 x float] [float 3.0, float 5.0]

define internal float @part(float %x, i32 %k) #0 {
  %at = getelementptr [2 x float], ptr @bends, i32 0, i32 %k
  %slope = load float, ptr %at
  %r = fmul float %x, %slope
  ret float %r
}

define float @bent(float %x) #0 {
  %up = fcmp ogt float %x, 0.0
  %k = zext i1 %up to i32
  %r = call float @part(float %x, i32 %k)
  ret float %r
}

attributes #0 = { nounwind "target-cpu"="x86-64" }
"""
BENT_C = """
#ifdef __CUDACC__
__device__
#endif
float bent(float x) {
  return x > 0.0f ? x * 5.0f : x * 3.0f;
}
"""
X = small_ints((6, 11))
WANT = np.where(X > 0, X * 5, X * 3) + 1


def program() -> tuple[te.Schedule, te.Tensor, te.Tensor]:
    a = te.placeholder((6, 11), name="A")
    b = te.compute((6, 11), lambda i, j: tir.call_extern("float32", "bent", a[i, j]) + 1.0, name="B")
    return te.create_schedule(b.op), a, b


def bound(s: te.Schedule, b: te.Tensor) -> None:
    s[b].bind(b.op.axis[0], te.thread_axis("blockIdx.x"))
    s[b].bind(b.op.axis[1], te.thread_axis("threadIdx.x"))


@pytest.mark.parametrize("as_file", [False, True])
def test_llvm_text_is_linked_with_the_code_of_a_processor_and_inlined(as_file: bool, tmp_path: Path) -> None:
    s, a, b = program()
    (tmp_path / "bent.ll").write_text(BENT_LLVM)
    s[b].pragma(b.op.axis[0], "import_llvm", str(tmp_path / "bent.ll") if as_file else BENT_LLVM)
    s[b].pragma(b.op.axis[1], "import_llvm", BENT_LLVM)  # the same text counts once
    (tmp_path / "bent.ll").unlink()  # a file is read when it is named
    func = gpucomp.build(s, [a, b], "llvm")
    out = poisoned(X.shape)
    func(X, out)
    np.testing.assert_array_equal(out, WANT)
    text = cpu_jit.optimised_text(func.get_source("llvm"), [BENT_LLVM])
    assert "@bent" not in text
    assert "nvptx" not in text


def test_several_modules_and_changed_ones(tmp_path: Path) -> None:
    a = te.placeholder((7,), "int32", name="A")
    b = te.compute(
        (7,), lambda i: tir.call_extern("int32", "one", a[i]) * 100 + tir.call_extern("int32", "two", a[i]), name="B"
    )
    x = small_ints((7,), "int32")
    for add in (1, 2):
        s = te.create_schedule(b.op)
        for k, name in enumerate(("one", "two")):
            body = f"define i32 @{name}(i32 %x) {{\n  %r = add i32 %x, {add + k}\n  ret i32 %r\n}}\n"
            s[b].pragma(b.op.axis[0], "import_llvm", body)
        out = np.zeros(7, np.int32)
        gpucomp.build(s, [a, b], "llvm")(x, out)
        np.testing.assert_array_equal(out, (x + add) * 100 + x + add + 1)


def test_c_text_stands_before_the_kernels_once() -> None:
    s, a, b = program()
    bound(s, b)
    s[b].pragma(b.op.axis[0], "import_c", BENT_C)
    s[b].pragma(b.op.axis[1], "import_c", BENT_C)
    for target in ("cuda", "opencl"):
        text = gpucomp.source(s, [a, b], target)
        assert text.count("float bent(float x)") == 1
        assert text.index("float bent(float x)") < text.index("main_kernel(")
    require_pocl()
    out = poisoned(X.shape)
    gpucomp.build(s, [a, b], "opencl")(X, out)
    np.testing.assert_array_equal(out, WANT)


def test_nvrtc_compiles_c_text() -> None:
    s, a, b = program()
    bound(s, b)
    s[b].pragma(b.op.axis[0], "import_c", BENT_C)
    text = gpucomp.source(s, [a, b], "cuda")
    assert compile_cuda(KernelImage("cuda", text, ()))["main_kernel"].spill_bytes == 0


def test_a_schedule_with_both_is_built_for_both() -> None:
    for target, threads in (("llvm", False), ("llvm", True), ("opencl", True)):
        s, a, b = program()
        if threads:
            bound(s, b)
        s[b].pragma(b.op.axis[0], "import_c", BENT_C)
        s[b].pragma(b.op.axis[0], "import_llvm", BENT_LLVM)
        if target == "opencl":
            require_pocl()
        out = poisoned(X.shape)
        gpucomp.build(s, [a, b], target)(X, out)
        np.testing.assert_array_equal(out, WANT)


@pytest.mark.parametrize(("kind", "text", "target"), [("import_c", BENT_C, "llvm"), ("import_llvm", BENT_LLVM, "cuda")])
def test_text_in_the_language_of_other_targets_only_is_refused(kind: str, text: str, target: str) -> None:
    s, a, b = program()
    bound(s, b)
    s[b].pragma(b.op.axis[0], kind, text)  # here
    with pytest.raises(LowerError, match=rf"brings its functions by {kind}, which {target} does not take") as info:
        gpucomp.source(s, [a, b], target)
    assert info.value.code == "GC347"
    assert info.value.where is not None
    assert info.value.where.text.endswith("# here")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("define float @bent(float %x) {\n  ret float %y\n}\n", "use of undefined value '%y'"),
        ("define double @bent(double %x) {\n  ret double %x\n}\n", r"defines 'bent' as double \(double\)"),
        ("define void @other() {\n  ret void\n}\n", "calls 'bent', which nothing"),
        (BENT_LLVM + "\ndefine i32 @default_function() {\n  ret i32 0\n}\n", "cannot be linked with the kernel"),
    ],
)
def test_modules_that_do_not_fit_are_refused(text: str, message: str) -> None:
    s, a, b = program()
    s[b].pragma(b.op.axis[0], "import_llvm", text)
    with pytest.raises(BuildError, match=message):
        gpucomp.build(s, [a, b], "llvm")(X, poisoned(X.shape))


def test_the_trace_holds_the_text() -> None:
    s, a, b = program()
    s[b].pragma(b.op.axis[0], "import_llvm", BENT_LLVM)
    again = program()
    other = replay(s.trace, [again[2].op])
    out = poisoned(X.shape)
    gpucomp.build(other, list(again[1:]), "llvm")(X, out)
    np.testing.assert_array_equal(out, WANT)
    names: dict[str, object] = {"te": te, "B": b}
    exec(str(s.trace), names)  # noqa: S102  # the property under test
    made = names["s"]
    assert isinstance(made, te.Schedule)
    assert te.lower_schedule(made, [a, b]).script() == te.lower_schedule(s, [a, b]).script()
