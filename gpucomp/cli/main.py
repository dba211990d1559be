"""The command ``gpucomp`` and its verbs.

Only options are declared here; a verb imports what it needs when it runs, so that ``gpucomp --help`` is quick.
Exit status: 0 all is well, 1 something failed, 2 the command line makes no sense.
"""

from __future__ import annotations

import sys
from typing import Any, Final

import click

import gpucomp

# Errors in what was typed, as opposed to what happened: unknown operators, shapes, element types, files, settings.
_USAGE_CODES: Final = ("GC640", "GC641", "GC642", "GC644", "GC645", "GC690", "GC691", "GC701")

_as_json = click.option("--json", "as_json", is_flag=True, help="JSON on stdout, one record a line.")

_device = click.option(
    "--device", metavar="NAME", help="cpu, opencl:N or cuda:N [default: cuda, else an OpenCL GPU, else cpu]."
)


class _Group(click.Group):
    """Prints our errors as they are meant to be read, without a traceback."""

    def invoke(self, ctx: click.Context) -> Any:  # Any: click's own signature
        from gpucomp.cli.failures import without_library_lines
        from gpucomp.support.diagnostics import GpucompError

        try:
            return super().invoke(ctx)
        except GpucompError as error:
            click.echo(without_library_lines(error).render(), err=True, color=False)
            ctx.exit(2 if error.code in _USAGE_CODES else 1)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(gpucomp.__version__, "--version", prog_name="gpucomp")
def cli() -> None:
    """gpucomp compiles tensor expressions to CUDA, OpenCL and CPU kernels.

    Start with `gpucomp doctor`, then `gpucomp demo`.
    """


@cli.command()
@_as_json
def doctor(as_json: bool) -> None:
    """What works here: compiles and runs a kernel on each device; names the command that mends what does not.

    The exit status is 0 when any device works.
    """
    from gpucomp.cli import doctor as implementation

    sys.exit(implementation.run(as_json))


@cli.command()
@click.option("--out", metavar="DIR", help="Folder for the generated sources [default: in the cache folder].")
@click.option("--seed", type=int, default=0, show_default=True, help="Of the inputs.")
@_as_json
def demo(out: str | None, seed: int, as_json: bool) -> None:
    """Check and time every device that works against numpy, and keep the generated sources."""
    from gpucomp.cli import demo as implementation

    sys.exit(implementation.run(out, seed, as_json))


@cli.command("list")
@_as_json
def list_operators(as_json: bool) -> None:
    """The operators of the library."""
    from gpucomp.cli import listing

    listing.operators(as_json)


@cli.command()
@_as_json
def devices(as_json: bool) -> None:
    """One line for each device; the default one has a star."""
    from gpucomp.cli import listing

    sys.exit(listing.devices(as_json))


class _Bench(click.Group):
    """``bench OP`` is ``bench op OP``."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        return super().parse_args(ctx, args if args and args[0] in self.commands else ["op", *args])


@cli.group(cls=_Bench)
def bench() -> None:
    """Time operators: one against numpy, or a family of them beside other libraries."""


@bench.command("op")
@click.argument("op")
@click.option("--shape", metavar="N,M,...", help="Extents, as `gpucomp list` names them.")
@click.option("--dtype", metavar="NAME", help="Element type of the inputs, as numpy names it [default: float32].")
@_device
@click.option("--seed", type=int, default=0, show_default=True, help="Of the inputs.")
@click.option("--repeat", type=click.IntRange(1), help="Measurements [default: 25 on a GPU, 15 elsewhere].")
@_as_json
def bench_op(
    op: str, shape: str | None, dtype: str | None, device: str | None, seed: int, repeat: int | None, as_json: bool
) -> None:
    """Time OP against numpy, and check it against float64.

    OP is an operator of the library, or file.py:function; the function takes no arguments or the numbers of
    --shape, and returns (schedule, args) or (schedule, args, reference).

    `gpucomp bench suite` measures a family of operators beside other libraries, `gpucomp bench compare A B` two
    results of it.
    """
    from gpucomp.cli import bench as implementation

    sys.exit(implementation.run(op, shape, dtype, device, seed, repeat, as_json))


@bench.command("suite")
@click.option("--family", required=True, metavar="NAME", help="Which operators: rows, gemm, conv, ansor.")
@click.option(
    "--against",
    default="",
    metavar="A,B,...",
    help="torch, torch.compile, torch.compile.max, triton, cupy, numpy; opencl and opencl-plain: our own kernels.",
)
@_device
@click.option("--seed", type=int, default=0, show_default=True, help="Of the inputs and of the drawn shapes.")
@click.option("--only", metavar="OP,...", help="These operators of the family.")
@click.option("--dtype", metavar="NAME", help="Rows of this type.")
@click.option("--part", metavar="I/N", help="Every N-th row from the I-th on.")
@click.option("--out", metavar="FILE", help="Write the records as JSON Lines.")
@click.option("--plot", metavar="FILE", help="Draw the roofline as SVG (needs matplotlib).")
@click.option(
    "--jobs",
    type=click.IntRange(0),
    help="Processes that compile, make inputs and compare results [default: on CUDA all processors but two].",
)
@click.option("--limit", type=click.FloatRange(0), metavar="SECONDS", help="Begin no row after so many seconds.")
@_as_json
def bench_suite(
    family: str,
    against: str,
    device: str | None,
    seed: int,
    only: str | None,
    dtype: str | None,
    part: str | None,
    out: str | None,
    plot: str | None,
    jobs: int | None,
    limit: float | None,
    as_json: bool,
) -> None:
    """A family of operators beside other libraries, checked first, by one clock in one run."""
    from gpucomp.cli.suite import run as implementation

    peers = [name for name in against.split(",") if name]
    sys.exit(implementation.run(family, peers, device, seed, only, dtype, part, out, plot, as_json, jobs, limit))


@bench.command("compare")
@click.argument("before", type=click.Path(exists=True, dir_okay=False))
@click.argument("after", type=click.Path(exists=True, dir_okay=False))
@_as_json
def bench_compare(before: str, after: str, as_json: bool) -> None:
    """What got faster or slower from one result of `bench suite` to another."""
    from gpucomp.cli.suite import compare as implementation

    sys.exit(implementation.run(before, after, as_json))


@cli.command()
@click.argument("op")
@click.option("--target", default="cuda", show_default=True, metavar="NAME", help="cuda, opencl or llvm; cuda:sm_80.")
@click.option("--shape", metavar="N,M,...", help="Extents, as `gpucomp list` names them.")
@click.option("--dtype", metavar="NAME", help="Element type of the inputs, as numpy names it [default: float32].")
@click.option("--source", is_flag=True, help="The generated source (default).")
@click.option("--tir", is_flag=True, help="The intermediate form from which the source is made.")
@click.option("--schedule", is_flag=True, help="The loop tree of the schedule: extents, bindings, memory.")
@click.option(
    "--conflicts", is_flag=True, help="Accesses of shared memory, and the wavefronts that a warp needs for each."
)
@click.option("--why", is_flag=True, help="What led to the tiles of the library's schedule.")
@_as_json
def inspect(
    op: str,
    target: str,
    shape: str | None,
    dtype: str | None,
    source: bool,
    tir: bool,
    schedule: bool,
    conflicts: bool,
    why: bool,
    as_json: bool,
) -> None:
    """What is generated for OP; needs neither a device nor a compiler.

    OP is as for `bench`, and its function may have symbolic extents. The CUDA target is sm_90 unless it says
    otherwise. The default shape depends on the target, and is named on stderr.
    """
    from gpucomp.cli import inspecting

    wanted = {"source": source, "tir": tir, "schedule": schedule, "conflicts": conflicts, "why": why}
    forms = [name for name, chosen in wanted.items() if chosen]
    if len(forms) > 1:
        raise click.UsageError(f"--{forms[0]} and --{forms[1]} exclude each other: the output is one text")
    inspecting.run(op, target, shape, dtype, forms[0] if forms else "source", as_json)
