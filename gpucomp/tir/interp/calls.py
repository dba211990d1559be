"""Calls of intrinsics in generated code."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from gpucomp.support.dtype import DType
from gpucomp.tir import expr as e
from gpucomp.tir import operators
from gpucomp.tir.expr import Expr
from gpucomp.tir.interp.access import AccessCompiler, Spot
from gpucomp.tir.interp.broadcast import broadcast
from gpucomp.tir.interp.faults import ASSERTION
from gpucomp.tir.interp.meaning import MATH
from gpucomp.tir.interp.values import Val
from gpucomp.tir.intrin import dp4a_meaning
from gpucomp.tir.packed import ARRAY, array_parts

_SMALL_FLOATS: Final = frozenset({16, 8})
_BITWISE: Final = {"bitwise_and": "&", "bitwise_or": "|", "bitwise_xor": "^"}
_SHUFFLES: Final = frozenset({"shuffle", "shuffle_up", "shuffle_down", "shuffle_xor"})


class CallCompiler(AccessCompiler):
    """Adds intrinsics to expressions."""

    def call(self, node: e.Call) -> Val:
        """Compile a call."""
        full = getattr(node.op, "name", None)
        if full is None:
            raise self.unsupported(f"{node} calls another function", hint="interpret after inlining it")
        name = str(full).removeprefix("tir.")
        if name in MATH:
            return self._math(name, node)
        if name in _BITWISE or name in ("shift_left", "shift_right"):
            return self._bits(name, node)
        if name in _SHUFFLES:
            return self._shuffle(name, node)
        method = getattr(self, f"call_{name}", None)
        if method is None:
            raise self.unsupported(f"the interpreter does not know what {full} does")
        return method(node)

    def nothing(self) -> Val:
        """The value of a call that has none; volatile, so that the next statement calls again."""
        return Val("0", 0, DType("int32"), known=0, volatile=True)

    # -- pure -------------------------------------------------------------------------------------------------

    def _math(self, name: str, node: e.Call) -> Val:
        args = tuple([self.expr(a) for a in node.args])
        kind = args[0].dtype
        fn = self.constant("F", name, MATH[name])
        texts = [self.typed(a) for a in args]
        if kind.is_float and kind.bits in _SMALL_FLOATS and node.dtype.is_float:
            texts = [f"np.asarray({t}, np.float32)" for t in texts]
            done = f"np.asarray({fn}({', '.join(texts)}), np.float32).astype({self.np_dtype(node.dtype)})"
            return self.pure(done if any([a.arr for a in args]) else f"{done}[()]", args, node.dtype)
        return self.pure(f"{fn}({', '.join(texts)})", args, node.dtype)

    def _bits(self, name: str, node: e.Call) -> Val:
        a, b = self.expr(node.args[0]), self.expr(node.args[1])
        if name in _BITWISE:
            low, high = (0, max(a.hi, b.hi)) if name == "bitwise_and" and min(a.lo, b.lo) >= 0 else (None, None)
            wide = (a.arr or b.arr) and (a.wide or b.wide)
            return self.pure(f"{a.text} {_BITWISE[name]} {b.text}", (a, b), node.dtype, lo=low, hi=high, wide=wide)
        if not a.arr and not b.arr:
            if name == "shift_right":
                return self.pure(f"{a.text} >> {b.text}", (a, b), node.dtype)
            low, high = -(1 << 200), 1 << 200  # any: wraps
            return self.integer(f"{a.text} << {b.text}", (a, b), node.dtype, low, high)
        fn = self.constant("F", name, np.left_shift if name == "shift_left" else np.right_shift)
        val = self.pure(f"{fn}({self.typed(a)}, {self.typed(b)})", (a, b), node.dtype, arr=True)
        return self._own(val)

    def _own(self, val: Val) -> Val:
        """int64 arrays are wide by nature."""
        wide = val.arr and val.dtype.bits == 64 and val.dtype.is_signed
        return Val(val.text, val.depth, val.dtype, val.arr, val.varying, val.lo, val.hi, wide, val.volatile)

    def call_bitwise_not(self, node: e.Call) -> Val:
        a = self.expr(node.args[0])
        if node.dtype.code == "uint":
            return self.pure(f"{a.text} ^ {(1 << node.dtype.bits) - 1}", (a,), node.dtype, wide=a.wide and a.arr)
        return self.pure(f"~{a.text}", (a,), node.dtype, lo=-1 - a.hi, hi=-1 - a.lo, wide=a.wide and a.arr)

    def call_popcount(self, node: e.Call) -> Val:
        a = self.expr(node.args[0])
        text = f"popcount({self.native(a).text}, {a.dtype.bits})"
        return self._own(self.pure(text, (a,), node.dtype, lo=0, hi=a.dtype.bits))

    def call_clz(self, node: e.Call) -> Val:
        a = self.expr(node.args[0])
        text = f"clz({self.native(a).text}, {a.dtype.bits})"
        return self.pure(text, (a,), node.dtype, lo=0, hi=a.dtype.bits, wide=a.arr)

    def call_undef(self, node: e.Call) -> Val:
        """What shows in results, should anything depend on it."""
        kind = node.dtype
        return self.expr(operators.const(float("nan") if kind.is_float else kind.is_bool or 85, kind))

    def call_likely(self, node: e.Call) -> Val:
        return self.expr(node.args[0])

    def call_fma(self, node: e.Call) -> Val:
        args = tuple([self.expr(a) for a in node.args])
        if node.dtype.is_int:
            return self.expr(e.Add(e.Mul(node.args[0], node.args[1]), node.args[2]))
        return self.pure(f"fma({', '.join([a.text for a in args])})", args, node.dtype)

    def call_reinterpret(self, node: e.Call) -> Val:
        a = self.expr(node.args[0])
        lanes = (a.dtype.lanes, node.dtype.lanes)
        text = f"reinterpret({self.typed(a)}, {self.np_dtype(a.dtype)}, {self.np_dtype(node.dtype)}, {lanes})"
        arr = a.arr or node.dtype.lanes > 1
        if node.dtype.is_integral and not arr:
            text = f"{'bool' if node.dtype.is_bool else 'int'}({text})"
        return self._own(self.pure(text, (a,), node.dtype, arr=arr))

    def call_if_then_else(self, node: e.Call) -> Val:
        condition, then, other = node.args
        c = self.expr(condition)
        if not self.danger(then) and not self.danger(other):
            return self.choose(c, self.expr(then), self.expr(other), node.dtype)
        return self.guarded(c, lambda: self.expr(then), lambda: self.expr(other), node.dtype)

    # -- with effects -----------------------------------------------------------------------------------------

    def call_assume(self, node: e.Call) -> Val:
        c = self.expr(node.args[0])
        if c.known:
            return self.nothing()
        args = f"{c.text}, {self.mask_text()}, {self.site}, {ASSERTION!r}, 'the assumption does not hold'"
        self.w.line(f"K.check_true({args})" if self.in_lanes else f"host_true({c.text}, {self.site}, 'the assumption')")
        return self.nothing()

    def call_dp4a(self, node: e.Call) -> Val:
        return self.expr(dp4a_meaning(node))

    def call_provides(self, node: e.Call) -> Val:
        """No target's functions are here: what they mean runs instead."""
        return self.literal(0, node.dtype)

    def call_prefetch(self, node: e.Call) -> Val:
        return self.nothing()

    def call_barrier(self, node: e.Call) -> Val:
        scope = node.args[0].value if node.args and isinstance(node.args[0], e.StringImm) else "shared"
        if not self.in_lanes:
            raise self.unsupported("a barrier outside of any kernel")
        self.w.line(f"K.barrier({scope!r}, {self.mask_text()}, {self.site})")
        return self.nothing()

    def _others(self, node: e.Call, does: str, what: str) -> tuple[e.BufferLoad, Spot]:
        """The element of shared memory that a call names in another block, and where it is."""
        target = _loaded(node.args[0])
        if target is None or not self.in_lanes:
            raise self.unsupported(f"{node} {does} no element of a kernel's memory")
        spot = self.spot(target.buffer, target.indices)
        if spot.place.kind != "block" or target.buffer.scope() not in ("shared", "shared.dyn"):
            raise self.unsupported(f"{target.buffer.name} is no shared memory, {what}")
        return target, spot

    def call_cluster_load(self, node: e.Call) -> Val:
        target, spot = self._others(node, "reads", "of which other blocks could read")
        rank = self.expr(node.args[1])
        site = self.faults.site(self.stmt, target.buffer)
        kind = self.np_dtype(node.dtype)
        args = f"{spot.flat.text}, {rank.text}, {self.mask_text()}, {kind}, {site}"
        return self._own(self.here(f"{spot.place.name}.peer_load(K, {args})", node.dtype, arr=True, varying=True))

    def call_cluster_store(self, node: e.Call) -> Val:
        target, spot = self._others(node, "writes", "to which other blocks could write")
        rank, value = self.expr(node.args[1]), self.expr(node.args[2])
        site = self.faults.site(self.stmt, target.buffer)
        kind = self.np_dtype(target.dtype)
        args = f"{spot.flat.text}, {rank.text}, {value.text}, {self.mask_text()}, {kind}, {site}"
        self.w.line(f"{spot.place.name}.peer_store(K, {args})")
        return self.nothing()

    def call_bulk_begin(self, node: e.Call) -> Val:
        return self.nothing()

    def call_bulk_prefetch(self, node: e.Call) -> Val:
        return self.nothing()

    def call_bulk_wait(self, node: e.Call) -> Val:
        """What was copied is there at once; the barrier before it makes the block see that."""
        return self.nothing()

    def call_bulk_copy(self, node: e.Call) -> Val:
        to, source = _loaded(node.args[0]), _loaded(node.args[1])
        if to is None or source is None or not self.in_lanes:
            raise self.unsupported(f"{node} copies no elements of a kernel's memory")
        spots = [self.spot(x.buffer, tuple([_begin(i) for i in x.indices])) for x in (to, source)]
        count, kind = self.expr(node.args[2]), self.np_dtype(to.buffer.dtype)
        pieces = ", ".join([f"{x.place.name}, {x.flat.text}" for x in spots])
        site = self.faults.site(self.stmt, to.buffer)
        self.w.line(f"K.bulk_copy({pieces}, {count.text}, {self.mask_text()}, {kind}, {site})")
        return self.nothing()

    def call_ptx_commit_group(self, node: e.Call) -> Val:
        self.w.line("K.commit_group()" if self.in_lanes else "pass")
        return self.nothing()

    def call_ptx_wait_group(self, node: e.Call) -> Val:
        self.w.line(f"K.wait_group({self.expr(node.args[0]).text})" if self.in_lanes else "pass")
        return self.nothing()

    def _shuffle(self, name: str, node: e.Call) -> Val:
        if not self.in_lanes:
            raise self.unsupported(f"{name} outside of any kernel")
        active, value, operand, width = [self.expr(a) for a in node.args]
        args = f"{active.text}, {self.typed(value)}, {operand.text}, {width.text}, {self.mask_text()}, {self.site}"
        return self._own(self.here(f"K.shuffle({name!r}, {args})", node.dtype, arr=True, varying=True))

    def call_warp_ldmatrix(self, node: e.Call) -> Val:
        if not self.in_lanes:
            raise self.unsupported("ldmatrix outside of any kernel")
        rows, trans = self.expr(node.args[0]), isinstance(node.args[1], e.IntImm) and bool(node.args[1].value)
        text = f"K.ldmatrix({rows.text}, {trans}, {self.mask_text()}, {self.site})"
        return self.here(text, node.dtype, arr=True, varying=True)

    def call_warp_mma(self, node: e.Call) -> Val:
        if not self.in_lanes:
            raise self.unsupported("mma outside of any kernel")
        texts = ", ".join([f"broadcast({self.expr(a).text}, (K.L, {a.dtype.lanes}))" for a in node.args])
        return self.here(f"K.mma({texts}, {self.mask_text()}, {self.site})", node.dtype, arr=True, varying=True)

    def call_activemask(self, node: e.Call) -> Val:
        if not self.in_lanes:
            raise self.unsupported("activemask outside of any kernel")
        text = f"K.activemask({self.mask_text()}).astype({self.np_dtype(node.dtype)})"
        return self._own(self.here(text, node.dtype, arr=True, varying=True))

    def call_call_packed(self, node: e.Call) -> Val:
        name, *given = node.args
        if self.in_lanes or not isinstance(name, e.StringImm):
            raise self.unsupported(f"the call of {name} inside of a kernel or a parallel loop")
        args: list[str] = []
        for arg in given:
            if isinstance(arg, e.StringImm):
                args.append(repr(arg.value))
            elif isinstance(arg, e.Call) and getattr(arg.op, "name", "") == ARRAY:
                args.append(self._packed_array(arg))
            else:
                args.append(self.expr(arg).text)
        self.w.line(f"packed_call({name.value!r}, [{', '.join(args)}])")
        return self.nothing()

    def _packed_array(self, node: e.Call) -> str:
        load, shape, strides = array_parts(node)
        spot = self.spot(load.buffer, load.indices)
        sizes, steps = [[self.expr(x).text for x in xs] for xs in (shape, strides)]
        if len(load.indices) == len(shape) > 1:  # not flat yet: memory is as the interpreter lays it out
            place = spot.place
            steps = [x.text for x in place.strides or ()]
            if not steps:
                extents = [x.text for x in place.extents]
                steps = [" * ".join([*extents[k + 1 :], "1"]) for k in range(len(extents))]
        kind, first = self.np_dtype(spot.dtype), spot.flat.text
        return f"packed_array({spot.place.name}, {kind}, {first}, [{', '.join(sizes)}], [{', '.join(steps)}])"

    def call_atomic_add(self, node: e.Call) -> Val:
        target = _loaded(node.args[0])
        if target is None:
            raise self.unsupported(f"{node} does not name an element: atomic_add(address_of(load), value)")
        value = self.expr(node.args[1])
        spot = self.spot(target.buffer, target.indices)
        site = self.faults.site(self.stmt, target.buffer)
        kind, place = self.np_dtype(spot.dtype), spot.place
        if not self.in_lanes:
            old = self._load(spot, node.dtype, "None", site)
            total = self.pure(f"{kind}.type({self.typed(old)} + {self.typed(value)})", (old, value), node.dtype)
            self.w.line(f"{place.name}.host_write({spot.flat.text}, {total.text}, {kind})")
            return old
        if place.kind == "row":
            raise self.unsupported(f"an atomic update of {target.buffer.name}, which no other thread sees")
        offset = self._copy_offset(spot) if place.kind == "block" else spot.flat.text
        text = f"{place.name}.atomic_add(K, {offset}, {value.text}, {self.mask_text()}, {kind}, {site})"
        return self._own(self.here(text, node.dtype, arr=True, varying=True))


def _loaded(node: Expr) -> e.BufferLoad | None:
    """The load inside ``address_of(load)``."""
    if isinstance(node, e.Call) and getattr(node.op, "name", "") == "tir.address_of":
        inner = node.args[0]
        return inner if isinstance(inner, e.BufferLoad) else None
    return None


def _begin(index: Expr) -> Expr:
    """The first index of a vector's."""
    return index.base if isinstance(index, e.Ramp) else index


def as_rows(value: object, lanes: int) -> Any:  # Any: arrays and scalars of any element type
    """A vector value as an array (lanes of the machine or 1, vector lanes)."""
    data = np.asarray(value)
    if data.ndim == 1:
        data = data[:, None]
    elif data.ndim == 0:
        data = data.reshape(1, 1)
    return broadcast(data, (data.shape[0], lanes))


def shuffle_rows(rows: tuple[Any, ...], indices: tuple[int, ...]) -> Any:  # Any: as above
    """Columns picked out of the concatenation of vectors."""
    height = max([r.shape[0] for r in rows])
    full = rows[0] if len(rows) == 1 else np.concatenate([broadcast(r, (height, r.shape[1])) for r in rows], axis=1)
    return full if indices == tuple(range(full.shape[1])) else full.take(indices, axis=1)


CallCompiler.table[e.Call] = CallCompiler.call
CallCompiler.table[e.BufferLoad] = AccessCompiler.load
