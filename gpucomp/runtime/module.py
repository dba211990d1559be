"""Module: the result of a build.  A set of functions that can be called, timed, looked at and saved."""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final  # Any: variables are of a layer that this one does not know

from gpucomp.runtime.base import get_api
from gpucomp.runtime.cache import write_atomically
from gpucomp.runtime.device import Device, device
from gpucomp.runtime.function import Function
from gpucomp.runtime.stats import ModuleStats
from gpucomp.runtime.timing import BenchmarkResult, TimeSettings, measure
from gpucomp.support.diagnostics import ArgumentError, caller_span, did_you_mean
from gpucomp.support.expect import expect, expect_each
from gpucomp.support.launch import FunctionData, KernelImage, Variant
from gpucomp.support.launcher import render_program

_SOURCE_FORMATS: Final[Mapping[str, tuple[str, ...]]] = {
    "cuda": ("", "cuda", "cu"),
    "opencl": ("", "opencl", "cl"),
    "llvm": ("", "llvm", "ll"),
    "null": ("", "null"),
}
_HOST_FORMATS: Final = ("host", "python", "py")
_FILE_VERSION: Final = 1


class Module:
    """Compiled functions.

    Args:
        functions: by name; the first one (or "main") is the entry.
        device: where they run; None: where the arrays of a call are.
        type_key: "cuda", "opencl", "llvm"; None: the kind of the first function's code.
        specializer: compiles a function (by name) for given values of its variables.
    """

    def __init__(
        self,
        functions: Mapping[str, FunctionData],
        device: Device | None = None,
        type_key: str | None = None,
        specializer: Callable[[str, Mapping[Any, int]], Variant] | None = None,
    ) -> None:
        expect(functions, Mapping, "Module", "gpucomp.build(schedule, args) makes a module")
        self._data = dict(functions)
        expect_each(list(self._data.values()), FunctionData, "Module", "gpucomp.build(schedule, args) makes a module")
        self._specializer = specializer
        self._functions = {name: Function(data, device) for name, data in self._data.items()}
        self._device = device
        kinds = [variant.kind for data in self._data.values() for variant in data.variants]
        self._type_key = type_key or (kinds[0] if kinds else "")
        self._imported: list[Module | SourceModule] = []
        for kind in dict.fromkeys(kinds):
            if kind != "llvm":
                self._imported.append(SourceModule(kind, functools.partial(self._images, kind)))

    # -- functions

    @property
    def entry_func(self) -> Function:
        """The function that a call of the module runs.

        Raises:
            ArgumentError: the module has no function.
        """
        if not self._functions:
            raise ArgumentError("this module has no function", code="GC630", where=caller_span())
        return self._functions.get("main") or next(iter(self._functions.values()))

    @property
    def entry_name(self) -> str:
        """The name of :attr:`entry_func`.

        Raises:
            ArgumentError: the module has no function.
        """
        return self.entry_func.name

    def get_function(self, name: str, query_imports: bool = False) -> Function:
        """The function called ``name``.

        Args:
            name: its name.
            query_imports: also look into imported modules.

        Raises:
            ArgumentError: there is none.
        """
        expect(name, str, "get_function", "a function is found by its name, such as module.entry_name")
        found = self._functions.get(name)
        if found is not None:
            return found
        if query_imports:
            for module in self._imported:
                if isinstance(module, Module) and name in module.function_names(True):
                    return module.get_function(name, True)
        names = self.function_names(query_imports)
        hint = did_you_mean(name, names) or f"it has {', '.join(names) or 'no functions'}"
        raise ArgumentError(f"this module has no function {name!r}", code="GC630", where=caller_span(), hint=hint)

    def function_names(self, query_imports: bool = False) -> list[str]:
        """Names in the order of definition."""
        names = list(self._functions)
        for module in self._imported if query_imports else ():
            if isinstance(module, Module):
                names += module.function_names(True)
        return names

    def __getitem__(self, name: str) -> Function:
        return self.get_function(name)

    def __contains__(self, name: str) -> bool:
        return name in self._functions

    def __iter__(self) -> Iterator[str]:
        return iter(self._functions)

    def __call__(self, *args: object, stream: object | None = None) -> object:
        """Run the entry function; see :class:`gpucomp.runtime.function.Function`."""
        return self.entry_func(*args, stream=stream)

    # -- variants

    def specialize(self, values: Mapping[Any, int] | None = None, **sizes: int) -> Module:
        """Compile the entry function for given sizes as well; calls with them take that code from now on.

        Args:
            values: from variables, or their names, to numbers.
            sizes: likewise, by name: ``module.specialize(n=1024)``.

        Returns:
            This module, which still takes arrays of any size.

        Raises:
            LowerError: GC303 no such variable, or no size; a limit that the sizes exceed.
            ArgumentError: GC633 the module was read from a file, where its source is not.
        """
        if self._specializer is None:
            raise ArgumentError(
                "this module cannot be specialised: it was not built in this process",
                code="GC633",
                where=caller_span(),
                hint="build it from its schedule",
            )
        if values is not None:
            expect(values, Mapping, "specialize", "module.specialize(n=1024), or module.specialize({n: 1024})")
        function = self.entry_func
        function.add_variant(self._specializer(function.name, {**(values or {}), **sizes}))
        self._data[function.name] = function.data
        return self

    @property
    def stats(self) -> ModuleStats:
        """Which variants there are, which of them were compiled, and how many since the build."""
        functions = self._functions.values()
        variants = tuple([v for f in functions for v in f.stats()])
        return ModuleStats(variants, sum([f.recompiles for f in functions]))

    # -- modules

    @property
    def imported_modules(self) -> list[Module | SourceModule]:
        """The device code of this module, and what was imported."""
        return list(self._imported)

    def import_module(self, module: Module) -> None:
        """Add another module's functions to what ``get_function(name, query_imports=True)`` finds.

        Raises:
            ArgumentError: GC636 the other module is this one, or imports it.
            TypeMismatchError: GC252 it is no module.
        """
        expect(module, Module, "import_module", "gpucomp.build(schedule, args) makes a module")
        if module._reaches(self):
            raise ArgumentError(
                f"{module!r} imports this module already, or is this module",
                code="GC636",
                where=caller_span(),
                hint="a module looks for functions in those it imports, one after another: they form no circle",
            )
        self._imported.append(module)

    def _reaches(self, other: Module) -> bool:
        return self is other or any([m._reaches(other) for m in self._imported if isinstance(m, Module)])

    @property
    def type_key(self) -> str:
        return self._type_key

    @property
    def device(self) -> Device | None:
        """Where the functions run; None: where the arrays of a call are."""
        return self._device

    # -- text

    def _images(self, kind: str | None = None) -> list[KernelImage]:
        images = [variant.image for data in self._data.values() for variant in data.variants]
        return list(dict.fromkeys(image for image in images if kind is None or image.kind == kind))

    @property
    def source(self) -> str:
        """The device code, or the LLVM IR on the CPU."""
        return self.get_source()

    def get_source(self, fmt: str = "") -> str:
        """The code of this module as text.

        Args:
            fmt: "" the generated source; "host" the generated Python launchers; or a form that the device kind
                offers: "ptx" and "sass" for CUDA, "asm" for the CPU.

        Raises:
            ArgumentError: no such form.
            BuildError: the form needs a compiler, and that refused the code.
        """
        if fmt in _HOST_FORMATS:
            programs = [variant.program for data in self._data.values() for variant in data.variants]
            return "\n\n".join(render_program(program) for program in programs)
        return "\n".join(image_text(image, fmt) for image in self._images())

    def show(self) -> None:
        """Print the generated source."""
        print(self.get_source())  # noqa: T201  # what it is for

    def __repr__(self) -> str:
        place = f" on {self._device}" if self._device is not None else ""
        return f"<gpucomp.Module {self._type_key}{place}: {', '.join(self._functions)}>"

    # -- files

    def save(self, file_name: str | Path, fmt: str = "") -> None:
        """Write the module to a file.

        Args:
            file_name: the file; its suffix decides when ``fmt`` is empty.
            fmt: "json" the whole module, which :func:`load_module` reads; else a form of :meth:`get_source`.

        Raises:
            ArgumentError: no such form; GC634 the file cannot be written.
            TypeMismatchError: GC252 the name of the file is no text and no path.
        """
        expect(file_name, (str, os.PathLike), "save", "the file's name: module.save('add.json')")
        path = Path(file_name)
        form = fmt or path.suffix.lstrip(".")
        text = self._dumps() if form == "json" else self.get_source(form)
        try:
            write_atomically(path, text.encode("utf-8"))
        except OSError as error:
            raise ArgumentError(
                f"{path} cannot be written: {error.strerror}",
                code="GC634",
                where=caller_span(),
                hint="name a file in a folder that you may write to",
            ) from error

    def export_library(
        self,
        file_name: str | Path,
        *,
        fcompile: object = None,
        fpack_imports: object = None,
        addons: object = None,
        workspace_dir: object = None,
        **kwargs: object,
    ) -> None:
        """Write the whole module to a file, for :func:`load_module`.

        Args:
            file_name: the file, with any suffix: it is JSON, not a library of the system, which other programs than
                gpucomp cannot load.
            fcompile, fpack_imports, addons, workspace_dir, kwargs: accepted for compatibility; nothing is compiled.

        Raises:
            ArgumentError: GC634 the file cannot be written.
        """
        self.save(file_name, "json")

    def _dumps(self) -> str:
        functions = {name: data.to_json() for name, data in self._data.items()}
        document = {"gpucomp": _FILE_VERSION, "type_key": self._type_key, "functions": functions}
        return json.dumps(document, sort_keys=False, indent=1)

    # -- time

    def time_evaluator(
        self,
        func_name: str,
        dev: Device | str,
        number: int = 10,
        repeat: int = 1,
        min_repeat_ms: float = 0,
        limit_zero_time_iterations: int = 100,
        cooldown_interval_ms: float = 0,
        repeats_to_cooldown: int = 1,
        cache_flush_bytes: int = 0,
        f_preproc: str = "",
    ) -> Callable[..., BenchmarkResult]:
        """A callable that times one function: ``evaluator(*args) -> BenchmarkResult`` in seconds per call.

        Arrays that are not on ``dev`` are copied there before the clock starts; outputs may be left out.  See
        :class:`gpucomp.runtime.timing.TimeSettings` for the settings.

        Raises:
            ArgumentError: GC630 no such function; GC635 a number of calls or repeats that is no whole number >= 1.
            DeviceError: GC701 ``dev`` is no device and no device's name.
        """
        place = device(dev)
        settings = TimeSettings(
            number,
            repeat,
            min_repeat_ms,
            limit_zero_time_iterations,
            cooldown_interval_ms,
            repeats_to_cooldown,
            cache_flush_bytes,
            f_preproc,
        )
        settings.check()
        function = self.get_function(func_name, query_imports=True)

        def evaluate(*args: object, stream: object | None = None) -> BenchmarkResult:
            arrays = function.resident(args, place)
            return measure(lambda: function(*arrays, stream=stream), place, settings, arrays, stream)

        return evaluate


class SourceModule:
    """The device code inside a module: what ``module.imported_modules[0]`` is."""

    def __init__(self, type_key: str, images: Callable[[], list[KernelImage]]) -> None:
        self.type_key = type_key
        self._images = images

    @property
    def images(self) -> list[KernelImage]:
        """The code of all variants; those that no call needed yet are made for it."""
        return self._images()

    @property
    def imported_modules(self) -> list[Module | SourceModule]:
        return []

    def get_source(self, fmt: str = "") -> str:
        """The device code as text; see :meth:`Module.get_source`."""
        return "\n".join(image_text(image, fmt) for image in self.images)

    def __repr__(self) -> str:
        kernels = [kernel.name for image in self.images for kernel in image.kernels]
        return f"<gpucomp device code {self.type_key}: {', '.join(kernels)}>"


def image_text(image: KernelImage, fmt: str = "") -> str:
    """One form of an image's code.

    Raises:
        ArgumentError: no such form for this kind of device.
        BuildError: the form needs a compiler, and that refused the code.
    """
    own = _SOURCE_FORMATS.get(image.kind, ("",))
    if fmt in own:
        return image.source
    text = get_api(image.kind).inspect(image, fmt)
    if text is None:
        known = ", ".join((*own[1:], *get_api(image.kind).inspect_formats, "host"))
        hint = f"known: {known}"
        raise ArgumentError(f"{image.kind} code has no form {fmt!r}", code="GC631", where=caller_span(), hint=hint)
    return text


def load_module(path: str | Path, fmt: str = "") -> Module:
    """Read a module that :meth:`Module.save` wrote as JSON.

    Raises:
        ArgumentError: the file is no such module.
    """
    if fmt not in ("", "json"):
        raise ArgumentError(
            f"modules cannot be loaded from format {fmt!r}", code="GC631", where=caller_span(), hint="save as json"
        )
    try:
        document = json.loads(Path(path).read_text(encoding="utf-8"))
        version = document["gpucomp"]
        if version != _FILE_VERSION:  # whose functions may be written in another way
            raise _unreadable(f"{path} has format version {version}, this is {_FILE_VERSION}")
        functions = {name: FunctionData.from_json(data) for name, data in document["functions"].items()}
        return Module(functions, None, str(document["type_key"]))
    except OSError as error:
        raise _unreadable(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _unreadable(f"{path} is no saved module: {error}") from error


def _unreadable(message: str) -> ArgumentError:
    hint = "write it with Module.save('name.json') of this version"
    return ArgumentError(message, code="GC632", where=caller_span(), hint=hint)
