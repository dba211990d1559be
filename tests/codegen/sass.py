"""The innermost loops of compiled CUDA kernels, by disassembly: no GPU is needed."""

from __future__ import annotations

import re
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

from gpucomp.runtime.cuda_compile import compile_cuda
from tests.requirements import missing

_LABEL = re.compile(r"\s*(\.L_\w+):")
_INSTRUCTION = re.compile(r"\s*/\*[0-9a-f]+\*/\s+(?:@!?U?P\w+\s+)?([A-Z][\w.]*)\s*(.*?);")
# Address arithmetic, comparisons, moves, predicates, special registers: all that is neither floating point, nor memory,
# nor control.  HFMA2 with two zeros is how the compiler loads a constant where the integer unit is busy.
_INTEGER = re.compile(
    r"U?(IADD3?|IMAD|LEA|LOP3|SHF|ISETP|SEL|IMNMX|VIADD|VIMNMX|IABS|PRMT|MOV|PLOP3|BFE|SHL|SHR|SGXT|POPC|FLO)\b"
    r"|S2U?R\b|CS2R\b|R2UR\b|HFMA2\b"
)
# The narrower list: what computes, without moves, constants, predicate logic and special registers.
_ARITHMETIC = re.compile(r"U?(IADD3?|IMAD(?!\.MOV)|LEA|LOP3|SHF|ISETP|SEL|IMNMX|VIADD|VIMNMX|IABS|PRMT|BFE|SHL|SHR)\b")


@dataclass(frozen=True)
class Loop:
    """Instructions between a label and the branch back to it, with no such loop inside."""

    names: tuple[str, ...]

    def count(self, *prefixes: str) -> int:
        """Instructions whose names begin so."""
        return sum([n.startswith(prefixes) for n in self.names])

    @property
    def integer(self) -> int:
        """Integer instructions, moves and predicates."""
        return sum([_INTEGER.match(n) is not None for n in self.names])

    @property
    def arithmetic(self) -> int:
        """Integer instructions that compute something."""
        return sum([_ARITHMETIC.match(n) is not None for n in self.names])

    @property
    def work(self) -> int:
        """Multiply-adds; where there are none, elements stored to global memory."""
        return self.count("FFMA") or self.count("STG")


def require_nvdisasm() -> str:
    """The disassembler of the package nvidia-cuda-nvdisasm."""
    folders = [Path(x) / "nvidia" / "cu13" / "bin" for x in (sysconfig.get_path("purelib"), *sys.path)]
    found = [x / "nvdisasm" for x in folders if (x / "nvdisasm").is_file()]
    if not found:
        missing("nvdisasm", "pip install nvidia-cuda-nvdisasm")
    return str(found[0])


def innermost_loops(source: str, folder: Path, arch: str = "sm_90") -> list[Loop]:
    """Compile and disassemble."""
    cubin, _ = compile_cuda(source, arch)
    path = folder / "kernel.cubin"
    path.write_bytes(cubin)
    command = [require_nvdisasm(), "-c", str(path)]
    return loops_of(subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout)


def loops_of(text: str) -> list[Loop]:
    """The loops of a disassembly that contain no other loop."""
    labels: dict[str, int] = {}
    code: list[tuple[str, str]] = []
    for line in text.splitlines():
        label = _LABEL.match(line)
        if label:
            labels[label[1]] = len(code)
        instruction = _INSTRUCTION.match(line)
        if instruction:
            code.append((instruction[1], instruction[2]))
    spans: list[tuple[int, int]] = []
    for end, (name, operands) in enumerate(code):
        target = re.search(r"`\((\.L_\w+)\)", operands)
        if name.startswith("BRA") and target and labels.get(target[1], end) < end:
            spans.append((labels[target[1]], end))
    inner = [x for x in spans if not any([y != x and x[0] <= y[0] and y[1] <= x[1] for y in spans])]
    return [Loop(tuple([name for name, _ in code[a : b + 1]])) for a, b in inner]
