"""Every dialect says everything that the emitter may ask; nothing is rendered that a unit does not use."""

from __future__ import annotations

import inspect
import re

import pytest

from gpucomp.codegen import dialect as d
from gpucomp.codegen.names import Names, identifier, reserved_words
from tests.codegen.build import CUDA, OPENCL, elementwise, images
from tests.codegen.devices import compile_amd, compile_cuda

FOLDERS = tuple(d.FILES)
FEATURES = frozenset({"shuffle", "fp64"})


def methods(protocol: type) -> dict[str, list[str]]:
    """Names of the parameters of each method of a protocol."""
    found = {name: value for name, value in vars(protocol).items() if inspect.isfunction(value)}
    return {
        name: [p for p in inspect.signature(value).parameters if p != "self"]
        for name, value in found.items()
        if not name.startswith("_")
    }


@pytest.mark.parametrize("folder", FOLDERS)
def test_each_dialect_has_every_macro_of_the_protocol_with_its_parameters(folder: str) -> None:
    module = d.load(folder, FEATURES, "sm_90a")
    for name, parameters in methods(d.Dialect).items():
        assert list(getattr(module, name).arguments) == parameters, f"{folder}: {name}"
    assert set(module.facts) == set(d.Facts.__annotations__)
    assert module.facts["folder"] == folder


@pytest.mark.parametrize("name", d.EXTENSIONS)
def test_a_dialect_has_all_macros_of_an_extension_or_none(name: str) -> None:
    wanted = methods(d.EXTENSIONS[name])
    for folder in FOLDERS:
        module = d.load(folder, FEATURES, "sm_90a")
        present = {m for m in wanted if hasattr(module, m)}
        assert present in (set(), set(wanted)), folder
        if not present:
            with pytest.raises(d.Refusal):
                d.extension(module, name, FEATURES)
        else:
            with pytest.raises(d.Refusal):
                d.extension(module, name, frozenset())


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_helper_is_rendered_once_and_behind_those_that_it_uses(folder: str) -> None:
    module = d.load(folder, FEATURES, "sm_90a")
    with d.collect_helpers() as texts:
        for dtype in ("float16", "bfloat16"):
            for _ in range(2):
                module.round_to(dtype, "x", "float32")
                module.promote(dtype, "x")
                module.demote(dtype, "x")
    defined = [re.findall(r"\b(gc_\w+)\([\w ]+\) \{", text)[0] for text in texts]
    assert sorted(defined) == sorted(set(defined))
    assert len(defined) == 6
    for i, text in enumerate(texts):
        used = set(re.findall(r"\bgc_\w+", text)) - {defined[i]}
        assert used <= set(defined[:i])


def test_a_unit_holds_only_the_helpers_that_it_uses_and_no_includes() -> None:
    forms = images(elementwise(lambda x: x + x, ["float32"], "float32"))
    for image in forms.values():
        assert "gc_" not in image.source
        assert "#include" not in image.source


def test_a_helper_outside_of_a_unit_is_a_mistake() -> None:
    with pytest.raises(RuntimeError, match="outside of a unit"):
        d.load("cuda", FEATURES, "sm_90a").promote("float16", "x")


@pytest.mark.parametrize("arch", ["sm_70", "sm_80"])
def test_bfloat16_is_rounded_by_bits_where_there_is_no_instruction(arch: str) -> None:
    from gpucomp.codegen import emit_unit
    from gpucomp.target import Target

    image = emit_unit([elementwise(lambda x: x + x, ["bfloat16"], "bfloat16")], Target(f"cuda -arch={arch}"))
    assert ("cvt.rn.bf16.f32" in image.source) is (arch == "sm_80")
    compile_cuda(image, "sm_80")


# -- names ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("A", "A"),
        ("a_1", "a_1"),
        ("threadIdx.x", "threadIdx_x"),
        ("float", "float_"),
        ("kernel", "kernel_"),
        ("restrict", "restrict_"),
        ("float4", "float4_"),
        ("größe", "gr__e"),
        ("1st", "v1st"),
        ("_Bool", "v_Bool"),
        ("", "v"),
        ("gc_pack_2", "gc_pack_2_"),
        ("x y", "x_y"),
        ("};", "v__"),
    ],
)
def test_names_become_identifiers(name: str, text: str) -> None:
    assert identifier(name) == text


def test_names_that_become_equal_are_numbered() -> None:
    names = Names()
    assert [names.fresh(n) for n in ("a.b", "a_b", "a b", "a_b_1")] == ["a_b", "a_b_1", "a_b_2", "a_b_1_1"]


@pytest.mark.parametrize("word", ["float", "__global__", "half", "vload4", "threadIdx", "atomicAdd", "template"])
def test_words_of_both_languages_are_reserved_in_both(word: str) -> None:
    assert identifier(word) != word
    assert word in reserved_words() or word.startswith("_")


@pytest.mark.opencl
@pytest.mark.slow  # tests/errors/test_names.py keeps some of the words in the quick tier
def test_every_reserved_word_may_name_a_buffer() -> None:
    """Compiled in both languages, in groups; what a compiler predefines shows up here."""
    from gpucomp.codegen import emit_unit
    from gpucomp.tir import stmt as s
    from tests.codegen.build import axis, bind, device, flat

    words = sorted(reserved_words())
    tx = axis("threadIdx.x", 32)
    funcs = []
    for start in range(0, len(words), 60):
        buffers = [flat(word) for word in words[start : start + 60]]
        body = s.seq([s.BufferStore(b, 1.0, (tx.var,)) for b in buffers])
        funcs.append(device(buffers, bind(body, tx), {"threadIdx.x": 32}, buffers, f"f{start}"))
    compile_cuda(emit_unit(funcs, CUDA))
    compile_amd(emit_unit(funcs, OPENCL))
