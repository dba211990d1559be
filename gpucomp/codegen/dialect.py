"""The typed face of a folder of templates: one C dialect, called as functions.

``templates/<folder>/dialect.*.j2`` defines one macro for each method of :class:`Dialect` (every dialect has these)
and, where the target has the feature, those of the extension protocols.  Macros get names, numbers and text and
return text; they walk no IR.  A macro that needs a helper function says ``use(topic, name)``, which renders
``templates/<folder>/helpers/<topic>.*.j2`` into the unit, once, after the helpers that it needs itself.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, NoReturn, Protocol, TypedDict, cast

from gpucomp.support.resources import template_text

if TYPE_CHECKING:
    from jinja2 import Environment, Template


class Facts(TypedDict):
    """What a dialect says about itself.

    Attributes:
        folder: its folder below ``templates/``.
        unaligned_vectors: a vector may be loaded from an address that is only aligned to its element.
        vector_arithmetic: operators and functions work on whole vectors.
        options: of the compiler.
    """

    folder: str
    unaligned_vectors: bool
    vector_arithmetic: bool
    options: list[str]


class Dialect(Protocol):
    """What every dialect can say.  ``element`` is the name of a scalar type, ``space`` a storage scope."""

    facts: Facts

    def storage_type(self, element: str, /) -> str:
        """The type of an element in memory."""
        ...

    def value_type(self, element: str, /) -> str:
        """The type in which values of an element type are computed."""
        ...

    def vector_type(self, element: str, lanes: int, /) -> str:
        """The type of a vector in memory; empty where there is none of this width."""
        ...

    def pointer_type(self, space: str, element: str, constant: bool, /) -> str:
        """The type of a pointer."""
        ...

    def pointer_parameter(self, element: str, name: str, constant: bool, restrict: bool, /) -> str:
        """A parameter of a kernel: an address in global memory."""
        ...

    def scalar_parameter(self, element: str, name: str, /) -> str:
        """A parameter of a kernel: a number."""
        ...

    def array(self, space: str, element: str, name: str, size: int, alignment: int, /) -> str:
        """The declaration of an array of ``size`` elements; alignment in bytes, 0 for that of the element."""
        ...

    def dynamic_shared(self, name: str, /) -> str:
        """The declaration of the bytes of shared memory whose number is said at launch."""
        ...

    def kernel_head(self, name: str, threads: tuple[int, int, int] | None, min_blocks: int, /) -> str:
        """A kernel's declaration up to the opening parenthesis; ``threads`` is the block where it is constant."""
        ...

    def thread_index(self, tag: str, /) -> str:
        """The index that a thread tag stands for."""
        ...

    def assume(self, condition: str, /) -> str:
        """What tells the compiler that a condition holds; empty where there is no such thing."""
        ...

    def unroll(self, factor: int, /) -> str:
        """The line that asks for unrolling of the loop that follows; 0 leaves the factor to the compiler."""
        ...

    def int_literal(self, element: str, value: str, /) -> str:
        """A literal of a type other than int32; ``value`` is its decimal text."""
        ...

    def infinity(self, element: str, /) -> str:
        """Positive infinity."""
        ...

    def nan(self, element: str, /) -> str:
        """A quiet NaN."""
        ...

    def promote(self, element: str, x: str, /) -> str:
        """float of the 16 bits of a narrow float."""
        ...

    def demote(self, element: str, x: str, /) -> str:
        """The 16 bits of the narrow float nearest to a float."""
        ...

    def round_to(self, element: str, x: str, source: str, /) -> str:
        """A value of type ``source`` rounded to a narrow float, as a float."""
        ...

    def load_vector(self, space: str, element: str, lanes: int, pointer: str, aligned: bool, /) -> str:
        """Load a vector from consecutive elements; ``aligned`` to its own width."""
        ...

    def store_vector(self, space: str, element: str, lanes: int, pointer: str, value: str, aligned: bool, /) -> str:
        """Store a vector, without the semicolon."""
        ...

    def lane(self, element: str, lanes: int, vector: str, i: int, /) -> str:
        """One lane of a vector variable, as it is stored."""
        ...

    def make_vector(self, element: str, lanes: int, items: Sequence[str], /) -> str:
        """A vector of lanes in storage form."""
        ...

    def convert_vector(self, element: str, source: str, lanes: int, x: str, /) -> str:
        """A vector converted lane by lane, both in storage form; only where there is vector arithmetic."""
        ...

    def splat(self, element: str, lanes: int, item: str, /) -> str:
        """A vector with the same value, in storage form, in each lane."""
        ...

    def math(self, name: str, element: str, args: Sequence[str], /) -> str:
        """A mathematical function of operands of one type, ``min`` and ``max`` included."""
        ...

    def math_once(self, name: str, element: str, args: list[str], /) -> str:
        """As ``math``, of a function that many places call: its code may stand once, instead of at each of them."""
        ...

    def division(self, name: str, element: str, a: str, b: str, /) -> str:
        """``floordiv``, ``floormod``, ``truncdiv`` or ``truncmod`` of operands of any sign."""
        ...

    def reinterpret(self, element: str, source: str, x: str, /) -> str:
        """The bits of ``x`` (of type ``source``) as ``element``, of the same width."""
        ...

    def barrier(self, scope: str, /) -> str:
        """All threads that share ``scope`` meet."""
        ...

    def atomic_add(self, space: str, element: str, pointer: str, value: str, /) -> str:
        """Add to memory; the value is the old one."""
        ...

    def prefetch(self, space: str, pointer: str, /) -> str:
        """A hint that memory will be read; may be empty."""
        ...

    def load_hinted(self, hint: str, element: str, lanes: int, pointer: str, constant: bool, /) -> str:
        """Load an element or an aligned vector from global memory, in storage form, with a hint to the caches.

        ``constant`` memory is not written by this kernel.  Empty where the hint or the type has no instruction.
        """
        ...

    def store_hinted(self, hint: str, element: str, lanes: int, pointer: str, value: str, /) -> str:
        """Store, without the semicolon; else as ``load_hinted``."""
        ...


class WarpExchange(Protocol):
    """Extension, feature ``shuffle``: values go between the threads of a warp without memory."""

    def shuffle(self, element: str, mode: str, mask: str, value: str, lane: str, width: str, /) -> str:
        """``mode`` is idx, up, down or xor; ``element`` the type of the value in registers, 32 or 64 bits wide."""
        ...

    def activemask(self) -> str:
        """The lanes that are active."""
        ...


class DotProduct(Protocol):
    """Extension, feature ``dp4a``: products of four bytes each, summed in 32 bits."""

    def dp4a(self, a: str, b: str, c: str, /) -> str:
        """``c`` plus the dot product of the four int8, or four uint8, of two words."""
        ...

    def word(self, element: str, vector: str, /) -> str:
        """The bytes of a vector as one word, int32 or uint32."""
        ...

    def load_word(self, space: str, element: str, pointer: str, /) -> str:
        """Four bytes of memory, aligned, as one word."""
        ...


class Granules(Protocol):
    """Extension, feature ``readable_granules``: aligned vectors may be read for the sake of one element."""

    def load_askew(self, element: str, lanes: int, pointer: str, rest: str, /) -> str:
        """A vector of global memory that starts ``rest`` elements, of either sign, behind an aligned pointer."""
        ...


class Cluster(Protocol):
    """Extension, feature ``cluster``: blocks that run together and read each other's shared memory."""

    def cluster_head(self, name: str, threads: tuple[int, int, int] | None, min_blocks: int, size: int, /) -> str:
        """As ``kernel_head``, of a kernel whose clusters are ``size`` neighbouring blocks along x."""
        ...

    def cluster_index(self, tag: str, size: int, /) -> str:
        """The rank of the block in its cluster (``clusterIdx.x``), or the number of the cluster (``blockIdx.x``)."""
        ...

    def cluster_barrier(self) -> str:
        """All threads of the cluster meet."""
        ...

    def cluster_arrive(self) -> str:
        """This thread has started; it does not wait."""
        ...

    def cluster_wait(self) -> str:
        """All threads of the cluster have arrived, since they last met."""
        ...

    def cluster_store(self, element: str, pointer: str, rank: str, value: str, /) -> str:
        """Put an element, as it is stored, into another block's shared memory."""
        ...

    def cluster_load(self, element: str, pointer: str, rank: str, /) -> str:
        """An element of another block's shared memory, as it is stored."""
        ...


class Matrices(Protocol):
    """Extension, feature ``mma``: the threads of a warp multiply tiles of 16x16 that they hold together.

    Pointers are to the eight elements of a tile that a thread has, in registers.
    """

    def ldmatrix(self, element: str, trans: bool, to: str, row: str, /) -> str:
        """Four matrices of 8x8 elements of 16 bits, of which each thread points to a row in shared memory."""
        ...

    def mma(self, element: str, total: str, columns: int, to: str, a: str, b: str, c: str, /) -> str:
        """``c + a @ b`` of 16 columns, or of 8: then a thread has half as many elements of ``b`` and ``c``."""
        ...


class BulkCopy(Protocol):
    """Extension, feature ``tma``: copies of many neighbouring bytes by an engine, one a kernel."""

    def bulk_begin(self, nbytes: str, /) -> str:
        """One thread of the block says how many bytes are to come."""
        ...

    def bulk_copy(self, shared: str, source: str, nbytes: str, /) -> str:
        """One thread starts a copy; addresses and size are multiples of 16 bytes."""
        ...

    def bulk_wait(self) -> str:
        """All threads of the block wait for what is to come, after a barrier."""
        ...

    def bulk_prefetch(self, source: str, nbytes: str, /) -> str:
        """Ask the second-level cache for bytes, as aligned as those of a copy."""
        ...


class AsyncCopy(Protocol):
    """Extension, feature ``cp_async``: copies from global to shared memory that threads do not wait for."""

    def cp_async(self, nbytes: int, shared: str, source: str, condition: str, wanted: str, /) -> str:
        """Start a copy of 4, 8 or 16 bytes, all aligned; zeros where there is a condition that does not hold.

        Nothing is copied, and no address is followed, where something is to be ``wanted`` and is not.
        """
        ...

    def commit_group(self) -> str:
        """The copies started since the last call are a group."""
        ...

    def wait_group(self, count: int, /) -> str:
        """Wait until at most ``count`` groups are on their way."""
        ...


EXTENSIONS: Final[Mapping[str, type]] = {
    "shuffle": WarpExchange,
    "dp4a": DotProduct,
    "cluster": Cluster,
    "cp_async": AsyncCopy,
    "mma": Matrices,
    "tma": BulkCopy,
    "readable_granules": Granules,
}
FILES: Final = {"cuda": "cuh", "opencl": "cl"}
UNITS: Final = {"cuda": "unit.cu.j2", "opencl": "unit.cl.j2"}


class Refusal(Exception):
    """A template cannot say what is asked.

    Attributes:
        operation: what was asked.
        missing: what the target lacks.
    """

    def __init__(self, operation: str, missing: str) -> None:
        super().__init__(operation, missing)
        self.operation = operation
        self.missing = missing


def refuse(operation: str, missing: str) -> NoReturn:
    """Called by templates: the target has no form for ``operation``."""
    raise Refusal(str(operation), str(missing))


class _Collector(threading.local):
    """Texts of the helper functions of the unit that this thread is writing, in order of definition."""

    helpers: dict[tuple[str, ...], str] | None = None


_collector = _Collector()


def add_helper(key: str, text: str) -> None:
    """Put a definition before the kernels of the unit that is being written, once for each key."""
    if _collector.helpers is not None:
        _collector.helpers.setdefault((key,), text)


@contextmanager
def collect_helpers() -> Generator[list[str]]:
    """While it lasts, helpers that templates use are collected; the list is filled at the end."""
    saved, _collector.helpers = _collector.helpers, {}
    texts: list[str] = []
    try:
        yield texts
        texts += [text for text in _collector.helpers.values() if text]
    finally:
        _collector.helpers = saved


@functools.cache
def environment() -> Environment:
    """The one environment; templates are compiled at most once per process."""
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    return Environment(
        loader=FunctionLoader(template_text),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,
        keep_trailing_newline=True,
        auto_reload=False,
        cache_size=-1,
    )


@functools.cache
def load(folder: str, features: frozenset[str], arch: str) -> Dialect:
    """The dialect of a folder for a target.

    Args:
        folder: below ``templates/``.
        features: what the target has.
        arch: of the target, such as ``"sm_90a"``.
    """
    helpers = _Helpers(folder, features, arch)
    module = _module(f"{folder}/dialect.{FILES[folder]}.j2", helpers.context)
    helpers.context |= {
        name: getattr(module, name) for name in ("storage_type", "value_type", "vector_type", "infinity")
    }
    return cast("Dialect", module)  # a contract test compares the macros with the protocol


def extension(dialect: Dialect, name: str, features: frozenset[str]) -> Any:  # Any: the protocol goes by the name
    """The macros of an extension protocol.

    Raises:
        Refusal: the target lacks the feature.
    """
    if name not in features or not hasattr(dialect, next(iter(_macros(EXTENSIONS[name])))):
        raise Refusal(f"an operation of the extension {name!r}", f"feature {name}")
    return dialect


def _macros(protocol: type) -> list[str]:
    return [name for name in vars(protocol) if not name.startswith("_") and callable(vars(protocol)[name])]


def unit_template(folder: str) -> Template:
    """The skeleton of a translation unit."""
    return environment().get_template(f"{folder}/{UNITS[folder]}")


def _module(path: str, context: Mapping[str, object]) -> Any:  # Any: macros are attributes
    return environment().get_template(path).make_module(dict(context))


class _Helpers:
    """Renders helper functions on first use in a unit."""

    def __init__(self, folder: str, features: frozenset[str], arch: str) -> None:
        self.folder = folder
        number = int("".join([c for c in arch if c.isdigit()]) or 0)
        self.context: dict[str, object] = {
            "features": features,
            "arch": arch,
            "arch_number": number,
            "refuse": refuse,
            "use": self.use,
        }
        self._modules: dict[str, Any] = {}  # Any: macros are attributes

    def use(self, topic: str, name: str, *args: str) -> str:
        """The name of a helper function, which is rendered into the unit."""
        symbol = "_".join(("gc", name, *args))
        done = _collector.helpers
        if done is None:
            raise RuntimeError("a helper is used outside of a unit")
        key = (topic, name, *args)
        if key not in done:
            done[key] = ""
            text = str(getattr(self._topic(topic), name)(*args))
            del done[key]  # put it behind the helpers that it uses
            done[key] = text
        return symbol

    def _topic(self, topic: str) -> Any:  # Any: macros are attributes
        module = self._modules.get(topic)
        if module is None:
            path = f"{self.folder}/helpers/{topic}.{FILES[self.folder]}.j2"
            module = self._modules[topic] = _module(path, self.context)
        return module
