"""Which generated CUDA sources a GPU has verified.

``manifest.json`` maps each golden case to the hash of its CUDA source, of all variants, and to the GPU run that
computed the right results with exactly that source (null: none yet).  The sources are made for one fixed target, so
that they are the same on every machine.

    python -m tests.golden.manifest --check              which sources changed, which are unverified
    python -m tests.golden.manifest --update             write the hashes; a changed source is unverified again
    python -m tests.golden.manifest --verify --out FILE  on a machine with a GPU: run every case, write what was right
    python -m tests.golden.manifest --merge FILE         take over the results of such a run
"""

from __future__ import annotations

import argparse
import datetime
import hashlib
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from gpucomp.support.launch import FunctionData, Variant

MANIFEST: Final = Path(__file__).parent / "manifest.json"
TARGET: Final = "cuda -arch=sm_90"


@dataclass(frozen=True)
class Run:
    """A run on a GPU.

    Attributes:
        device: name of the GPU.
        driver: version of its driver.
        date: day of the run, as in 2026-01-31.
        nvrtc: version of the compiler.
    """

    device: str
    driver: str
    date: str
    nvrtc: str


@dataclass(frozen=True)
class Entry:
    """The source of one case: its hash, and the run that verified it."""

    sha256: str
    verified: Run | None = None


Manifest = dict[str, Entry]


def read(path: Path = MANIFEST) -> Manifest:
    """The manifest of a file; of a file that is not there, an empty one."""
    if not path.exists():
        return {}
    document = json.loads(path.read_text(encoding="utf-8"))
    return {
        name: Entry(item["sha256"], None if item["verified"] is None else Run(**item["verified"]))
        for name, item in document["cases"].items()
    }


def write(manifest: Manifest, path: Path = MANIFEST) -> None:
    """Write a manifest, in the order of names."""
    cases = {name: asdict(manifest[name]) for name in sorted(manifest)}
    path.write_text(json.dumps({"target": TARGET, "cases": cases}, indent=1) + "\n", encoding="utf-8")


def compiled(name: str) -> FunctionData:
    """A golden case, compiled for the fixed target."""
    from gpucomp.driver.build import compile_function
    from gpucomp.target import Target
    from tests.golden.cases import CASES

    target = Target(TARGET)
    schedule, args = CASES[name].make(target)
    return compile_function(schedule, args, target, name)


def by_width(data: FunctionData) -> list[Variant]:
    """The general variants, for 32- and 64-bit indices; those for (un)aligned arrays: tests/driver/test_variants.py."""
    return [variant.get() for variant in data.variants if "aligned" not in variant.note]


def digest(data: FunctionData) -> str:
    """The hash of the CUDA source of the variants of a function that any array may be passed to."""
    texts = [variant.image.source for variant in by_width(data)]
    return hashlib.sha256("\0".join(texts).encode("utf-8")).hexdigest()


def present_hashes() -> dict[str, str]:
    """The hash of each case, as the compiler is now."""
    from tests.golden.cases import CASES

    return {name: digest(compiled(name)) for name in CASES}


def changed(manifest: Manifest, hashes: Mapping[str, str]) -> list[str]:
    """Cases that are new, gone or generated differently."""
    known = {name: entry.sha256 for name, entry in manifest.items()}
    return sorted(name for name in {*known, *hashes} if known.get(name) != hashes.get(name))


def unverified(manifest: Manifest) -> list[str]:
    """Cases whose present source no GPU has verified."""
    return sorted(name for name, entry in manifest.items() if entry.verified is None)


def updated(manifest: Manifest, hashes: Mapping[str, str]) -> Manifest:
    """The manifest for the present sources; a verification stays where the source did."""
    keep = {name: entry for name, entry in manifest.items() if hashes.get(name) == entry.sha256}
    return {name: keep.get(name, Entry(sha256)) for name, sha256 in hashes.items()}


def merged(manifest: Manifest, run: Manifest) -> Manifest:
    """The manifest with the verifications of a run, where it ran the same source."""
    out = dict(manifest)
    for name, entry in run.items():
        known = out.get(name)
        if known is not None and known.sha256 == entry.sha256 and entry.verified is not None:
            out[name] = entry
    return out


def verify(names: Sequence[str]) -> tuple[Manifest, dict[str, str]]:
    """Run cases on the first NVIDIA GPU: entries of those that are right, and what is wrong with the others."""
    import gpucomp
    from tests.requirements import nvrtc_version

    device = gpucomp.cuda(0)
    version = nvrtc_version()
    run = Run(
        device.attributes.name,
        device.attributes.version,
        datetime.datetime.now(datetime.UTC).date().isoformat(),
        "nvcc" if version is None else ".".join(map(str, version)),
    )
    right: Manifest = {}
    wrong: dict[str, str] = {}
    for name in names:
        problem = _problem(name, device)
        if problem:
            wrong[name] = problem
        else:
            right[name] = Entry(digest(compiled(name)), run)
    return right, wrong


def _problem(name: str, device: object) -> str:
    """Run every variant of a case by itself; "" when each gives the results of the operators."""
    import gpucomp
    from gpucomp.runtime.module import Module
    from gpucomp.support.diagnostics import GpucompError
    from gpucomp.support.launch import FunctionData
    from gpucomp.target import Target
    from tests.golden.cases import CASES
    from tests.golden.support import assert_same, make_arrays, reference
    from tests.golden.test_sources import INEXACT

    assert isinstance(device, gpucomp.Device)
    case = CASES[name]
    schedule, args = case.make(Target(TARGET))
    arrays = make_arrays(schedule, args, case.shapes, seed=4)
    want = reference(schedule, args, arrays)
    for variant in by_width(compiled(name)):
        try:
            there = [gpucomp.nd.array(a, device) for a in arrays]
            Module({name: FunctionData(name, (replace(variant, guard=True),))}, device)(*there)
            assert_same([a.numpy() for a in there], want, args, INEXACT.get(name, 0.0))
        except (GpucompError, AssertionError) as error:
            return f"{variant.note}: {error}"
    return ""


def report(manifest: Manifest) -> list[str]:
    """Lines for the summary of a test run."""
    missing = unverified(manifest)
    lines = [f"{len(manifest) - len(missing)} of {len(manifest)} golden CUDA sources are verified on a GPU"]
    return lines + [f"unverified: {', '.join(missing)}"] * bool(missing)


def _say(*lines: str) -> None:
    print(*lines, sep="\n", flush=True)


def _check() -> int:
    manifest = read()
    different = changed(manifest, present_hashes())
    _say(*report(manifest))
    _say(*[f"changed: {name}" for name in different])
    return 1 if different else 0


def _update() -> int:
    manifest, hashes = read(), present_hashes()
    different = changed(manifest, hashes)
    write(updated(manifest, hashes))
    _say(f"{len(different)} kernels changed", *[f"  {name}" for name in different])
    return 0


def _verify(out: Path, names: Sequence[str]) -> int:
    from tests.golden.cases import CASES

    right, wrong = verify(names or list(CASES))
    write(right, out)
    _say(
        f"{len(right)} of {len(right) + len(wrong)} golden kernels are right", *[f"{k}: {v}" for k, v in wrong.items()]
    )
    return 1 if wrong else 0


def _merge(path: Path) -> int:
    run, manifest = read(path), read()
    result = merged(manifest, run)
    write(result)
    stale = [name for name in run if name not in result or result[name].sha256 != run[name].sha256]
    _say(*report(result), *[f"of another source, left out: {name}" for name in sorted(stale)])
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.golden.manifest", description="Which generated CUDA sources a GPU has verified."
    )
    action = parser.add_mutually_exclusive_group(required=True)
    action.add_argument("--check", action="store_true", help="list changed and unverified sources")
    action.add_argument("--update", action="store_true", help="write the present hashes")
    action.add_argument("--verify", action="store_true", help="run on the GPU of this machine")
    action.add_argument("--merge", type=Path, metavar="FILE", help="take over the results of --verify")
    parser.add_argument("--out", type=Path, metavar="FILE", help="where --verify writes")
    parser.add_argument("names", nargs="*", help="cases for --verify; all when none is named")
    chosen = parser.parse_args(arguments)
    if chosen.verify and chosen.out is None:
        parser.error("--verify needs --out FILE")
    if chosen.verify:
        return _verify(chosen.out, chosen.names)
    if chosen.merge is not None:
        return _merge(chosen.merge)
    return _check() if chosen.check else _update()


if __name__ == "__main__":
    sys.exit(main())
