"""Python holds no word of a target language: templates own every word in which CUDA and OpenCL differ."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.meta.source import ROOT, place, python_files, string_constants

# Words that no part of the package needs to say.
ANYWHERE = re.compile(
    r"__(?:global__|device__|shared__|constant__|launch_bounds__|syncthreads|syncwarp|shfl|ldg|restrict__)"
    r"|\b__(?:kernel|global|local|private|constant)\b"
    r"|\bget_(?:local|global|group)_(?:id|size)\b|\bCLK_(?:LOCAL|GLOBAL)_MEM_FENCE\b"
    r"|\b(?:vload|vstore)(?:_half)?\d*\b|\bas_(?:u?int|float|half|long)\d*\b|\bconvert_(?:u?int|float|half)\d*\b"
    r"|\batomicAdd\b|\batom_add\b|\basm\s+volatile\b|\bsub_group_\w+|\bwork_group_barrier\b"
    r"|#(?:include|define|pragma|ifdef|endif)\b|\bextern \"C\""
)
# Words with an honest use elsewhere (thread axes are called threadIdx.x), but none in what writes C text.
IN_AN_EMITTER = re.compile(r"\b(?:thread|block)(?:Idx|Dim)\b|\bgridDim\b|\b__half2?\b|\bfloat4\b|\bbarrier\(")
INLINE_TEMPLATE = re.compile(r"\{%|\{\{\s*\w|\{#")


def findings(path: Path, words: re.Pattern[str]) -> Iterator[str]:
    for line, text in string_constants(path):
        if (hit := words.search(text)) is not None:
            yield f"{place(path, line)}: {hit.group()!r}"


def emitter_files() -> tuple[Path, ...]:
    return tuple(path for path in python_files("gpucomp/codegen") if not path.name.startswith("llvm"))


def test_no_python_file_says_a_word_of_cuda_or_opencl() -> None:
    found = [hit for path in python_files("gpucomp", "kernels") for hit in findings(path, ANYWHERE)]
    assert not found, "\n".join(found)


def test_the_emitter_says_no_thread_index_type_or_barrier_of_a_target() -> None:
    found = [hit for path in emitter_files() for hit in findings(path, IN_AN_EMITTER)]
    assert not found, "\n".join(found)


def test_templates_are_files_and_not_strings_in_python() -> None:
    found = [hit for path in python_files("gpucomp", "kernels") for hit in findings(path, INLINE_TEMPLATE)]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    "text",
    [
        'x = "__syncthreads();"',
        'x = f"{n} = get_local_id(0)"',
        'x = "  __local float t[4];"',
        'x = "vload4(0, p)"',
    ],
)
def test_a_planted_target_word_is_found(tmp_path: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    planted = tmp_path / "emitter.py"
    planted.write_text(f'"""__syncthreads in a docstring is fine."""\n{text}\n', encoding="utf-8")
    monkeypatch.setattr("tests.meta.source.ROOT", tmp_path)
    assert list(findings(planted, ANYWHERE)) != []
    assert [hit.split(":")[1] for hit in findings(planted, ANYWHERE)] == ["2"]


def test_the_templates_are_where_the_words_are() -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "templates").rglob("*.j2"))
    assert "__syncthreads" in text
    assert "get_local_id" in text
