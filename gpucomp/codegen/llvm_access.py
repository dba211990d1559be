"""Loads and stores of flat buffers: scalars, contiguous vectors, gathers and scatters, with or without masks."""

from __future__ import annotations

from gpucomp.codegen.llvm_text import MEMORY, REGISTER, FunctionText, ModuleText, memory_bytes, vector
from gpucomp.codegen.llvm_values import ValueWriter, is_number
from gpucomp.support.diagnostics import LowerError
from gpucomp.support.dtype import INT64, DType
from gpucomp.tir import expr as e
from gpucomp.tir import operators
from gpucomp.tir.buffer import Buffer
from gpucomp.tir.expr import Expr, Var


class AccessWriter(ValueWriter):
    """Adds memory.

    Attributes:
        env: value of each variable in scope: a register, a literal, or a pointer.
        mask: lanes that may be touched, inside the guarded side of a vector condition; "" outside.
        mask_lanes: how many lanes ``mask`` has.
        small: bytes of each buffer on the stack that may leave memory for registers.
        own: buffers that this function allocates.
        streaming: contiguous vectors that are stored outside of own buffers go past the caches.
        streamed: some store did.
    """

    def __init__(self, module: ModuleText, text: FunctionText) -> None:
        super().__init__(module, text)
        self.env: dict[Var, str] = {}
        self.mask = ""
        self.mask_lanes = 0
        self.small: dict[Var, int] = {}
        self.own: dict[Var, None] = {}
        self.streaming = False
        self.streamed = False
        self._slots: dict[str, str] = {}

    def value(self, node: Expr) -> str:
        """Write a node's computation."""
        raise NotImplementedError

    def index(self, node: Expr) -> str:
        """Write index arithmetic, which does not overflow."""
        raise NotImplementedError

    def test(self, node: Expr) -> str:
        """Write a condition: index arithmetic unless it depends on memory."""
        raise NotImplementedError

    def lookup(self, var: Var) -> str:
        """The value of a variable."""
        found = self.env.get(var)
        if found is None:
            raise LowerError(
                f"variable {var.name!r} is used but never defined",
                code="GC341",
                hint="every variable must be a parameter, a shape variable of a parameter, or bound by a loop or let",
            )
        return found

    # -- memory form of values --------------------------------------------------------------------------------

    def widen(self, dtype: DType, raw: str) -> str:
        """A value as it was loaded, in register form."""
        if dtype.is_bool:
            return self.text.op(
                f"icmp ne {MEMORY[dtype]} {raw}, zeroinitializer" if dtype.lanes > 1 else f"icmp ne i8 {raw}, 0"
            )
        if dtype.bits != 16 or not dtype.is_float:
            return raw
        kind = REGISTER[dtype]
        if dtype.code == "float":
            return self.text.op(f"fpext {MEMORY[dtype]} {raw} to {kind}")
        whole = vector("i32", dtype.lanes)
        wide = self.text.op(f"zext {MEMORY[dtype]} {raw} to {whole}")
        high = self.text.op(f"shl {whole} {wide}, {self.literal(DType('int32').with_lanes(dtype.lanes), 16)}")
        return self.text.op(f"bitcast {whole} {high} to {kind}")

    def narrow(self, dtype: DType, value: str) -> str:
        """A register as it is stored."""
        if dtype.is_bool:
            return self.text.op(f"zext {REGISTER[dtype]} {value} to {MEMORY[dtype]}")
        if dtype.bits != 16 or not dtype.is_float:
            return value
        if dtype.code == "float":
            return self.text.op(f"fptrunc {REGISTER[dtype]} {value} to {MEMORY[dtype]}")
        whole = vector("i32", dtype.lanes)
        bits = self.text.op(f"bitcast {REGISTER[dtype]} {value} to {whole}")
        high = self.text.op(f"lshr {whole} {bits}, {self.literal(DType('int32').with_lanes(dtype.lanes), 16)}")
        return self.text.op(f"trunc {whole} {high} to {MEMORY[dtype]}")

    # -- addresses --------------------------------------------------------------------------------------------

    def wide_index(self, index: Expr) -> str:
        """A scalar index as an i64."""
        return self.index(operators.cast(INT64, index))

    def address(self, buffer: Buffer, index: Expr, inbounds: bool = True) -> str:
        """The address of an element."""
        base = self.lookup(buffer.data)
        offset = self.wide_index(index)
        if offset == "0":
            return base
        element = MEMORY[buffer.dtype] if buffer.dtype.lanes == 1 else self._packed(buffer.dtype)
        return self.text.op(f"getelementptr {'inbounds ' if inbounds else ''}{element}, ptr {base}, i64 {offset}")

    def _packed(self, dtype: DType) -> str:
        return f"[{dtype.lanes} x {MEMORY[dtype.element]}]"  # a vector type would be padded: 3 lanes to 4

    def addresses(self, buffer: Buffer, index: Expr) -> str:
        """The addresses of the elements of a vector index."""
        lanes = index.dtype.lanes
        text, kind = self.index(operators.cast(INT64.with_lanes(lanes), index)), vector("i64", lanes)
        return self.text.op(f"getelementptr {MEMORY[buffer.dtype]}, ptr {self.lookup(buffer.data)}, {kind} {text}")

    def lane_mask(self, lanes: int, predicate: Expr | None) -> str:
        """The mask of an access of ``lanes`` lanes; "" when all are touched."""
        outer = self.mask if self.mask_lanes == lanes else ""
        if predicate is None:
            return outer
        own = self.test(predicate)
        if predicate.dtype.lanes == 1:
            own = self.splat("i1", own, lanes)
        if not outer:
            return own
        kind = vector("i1", lanes)
        return self.text.op(f"select {kind} {outer}, {kind} {own}, {kind} zeroinitializer")

    def is_inside(self, buffer: Buffer, base: Expr, lanes: int) -> bool:
        """True when all lanes lie in a small buffer for certain, so that masked ones may be touched too."""
        nbytes = self.small.get(buffer.data, 0)
        place = self.wide_index(base) if nbytes else ""
        return is_number(place or "%") and 0 <= int(place) <= nbytes // memory_bytes(buffer.dtype) - lanes

    # -- accesses ---------------------------------------------------------------------------------------------

    def load(self, buffer: Buffer, index: Expr, dtype: DType, predicate: Expr | None) -> str:
        """Load a scalar or a vector; masked lanes are zero."""
        align = memory_bytes(buffer.dtype)
        kind = MEMORY[dtype]
        if index.dtype.lanes == 1:
            raw = self.text.op(f"load {kind}, ptr {self.address(buffer, index)}, align {align}")
            return self.widen(dtype, raw)
        lanes = dtype.lanes
        mask = self.lane_mask(lanes, predicate)
        shape = as_ramp(index)
        stride = None if shape is None else _constant(shape[1])
        if shape is not None and stride in (2, 3, 4) and lanes >= 4:
            pointer = self.address(buffer, shape[0], inbounds=not mask)
            return self.widen(dtype, self._load_strided(pointer, kind, dtype, stride, mask))
        if shape is None or stride not in (0, 1, -1):
            return self.widen(dtype, self._gather(buffer, index, kind, mask or splat_true(lanes)))
        if stride == 0:
            return self._load_same(buffer, shape[0], dtype, mask)
        base = shape[0] if stride == 1 else operators.subtract(shape[0], lanes - 1)
        inside = self.is_inside(buffer, base, lanes)
        pointer = self.address(buffer, base, inbounds=inside or not mask)
        if inside and mask and stride == 1:
            value = self.widen(dtype, self.text.op(f"load {kind}, ptr {pointer}, align {align}"))
            return self.select(dtype, mask, value, self.zero(dtype))
        if not mask:
            raw = self.text.op(f"load {kind}, ptr {pointer}, align {align}")
        else:
            mask = mask if stride == 1 else self.reverse(vector("i1", lanes), mask, lanes)
            raw = self._load_masked(pointer, kind, lanes, align, mask)
        if stride == -1:
            raw = self.reverse(kind, raw, lanes)
        return self.widen(dtype, raw)

    def _load_same(self, buffer: Buffer, index: Expr, dtype: DType, mask: str) -> str:
        element, kind = dtype.element, REGISTER[dtype]
        if not mask:
            one = self.load(buffer, index, element, None)
            return self.splat(REGISTER[element], one, dtype.lanes)
        some = self.any_lane(mask, dtype.lanes)
        yes, join = self.text.labels("one.", "one.join.")
        before = self.text.block
        self.text.branch(some, yes, join)
        self.text.start(yes)
        one = self.splat(REGISTER[element], self.load(buffer, index, element, None), dtype.lanes)
        after = self.text.block
        self.text.jump(join)
        self.text.start(join)
        return self.text.op(f"phi {kind} [ {one}, %{after} ], [ {self.zero(dtype)}, %{before} ]")

    def _load_masked(self, pointer: str, kind: str, lanes: int, align: int, mask: str) -> str:
        """Neighbouring elements, zero where the mask does not hold."""
        bits = vector("i1", lanes)
        name = self.module.declare(f"llvm.masked.load.{mangled(kind)}.p0", kind, f"ptr, i32 immarg, {bits}, {kind}")
        return self.text.op(f"call {kind} {name}(ptr {pointer}, i32 {align}, {bits} {mask}, {kind} zeroinitializer)")

    def _load_strided(self, pointer: str, kind: str, dtype: DType, stride: int, mask: str) -> str:
        """Every ``stride``-th element, out of ``stride`` contiguous loads that end at the last one: no gather."""
        lanes, element, align = dtype.lanes, MEMORY[dtype.element], memory_bytes(dtype.element)
        starts = [piece * lanes for piece in range(stride - 1)] + [(lanes - 1) * stride + 1 - lanes]
        result, many, bits = "", f"<{lanes} x i32>", vector("i1", lanes)
        for piece, start in enumerate(starts):
            place = self.text.op(f"getelementptr {element}, ptr {pointer}, i64 {start}") if start else pointer
            if mask:  # each element of the piece by the lane that wants it; those between lanes stay untouched
                wants = [(start + i) // stride if (start + i) % stride == 0 else lanes for i in range(lanes)]
                order = ", ".join([f"i32 {lane}" for lane in wants])
                own = self.text.op(f"shufflevector {bits} {mask}, {bits} zeroinitializer, {many} <{order}>")
                loaded = self._load_masked(place, kind, lanes, align, own)
            else:
                loaded = self.text.op(f"load {kind}, ptr {place}, align {align}")
            picks = [lane * stride - start for lane in range(lanes)]
            if not piece:
                order = ", ".join([f"i32 {pick if pick < lanes else 0}" for pick in picks])
                result = self.text.op(f"shufflevector {kind} {loaded}, {kind} poison, {many} <{order}>")
                continue
            order = ", ".join([f"i32 {lanes + pick if 0 <= pick < lanes else i}" for i, pick in enumerate(picks)])
            result = self.text.op(f"shufflevector {kind} {result}, {kind} {loaded}, {many} <{order}>")
        return result

    def _gather(self, buffer: Buffer, index: Expr, kind: str, mask: str) -> str:
        lanes = index.dtype.lanes
        pointers = self.addresses(buffer, index)
        bits = vector("i1", lanes)
        name = self.module.declare(
            f"llvm.masked.gather.{mangled(kind)}.v{lanes}p0", kind, f"<{lanes} x ptr>, i32 immarg, {bits}, {kind}"
        )
        align = memory_bytes(buffer.dtype)
        return self.text.op(
            f"call {kind} {name}(<{lanes} x ptr> {pointers}, i32 {align}, {bits} {mask}, {kind} zeroinitializer)"
        )

    def store(self, buffer: Buffer, index: Expr, dtype: DType, value: str, predicate: Expr | None) -> None:
        """Store a scalar or a vector; masked lanes are left alone."""
        align = memory_bytes(buffer.dtype)
        kind = MEMORY[dtype]
        if index.dtype.lanes == 1:
            pointer = self.address(buffer, index)
            self.text.do(f"store {kind} {self.narrow(dtype, value)}, ptr {pointer}, align {align}")
            return
        lanes = dtype.lanes
        mask = self.lane_mask(lanes, predicate)
        shape = as_ramp(index)
        stride = None if shape is None else _constant(shape[1])
        raw = self.narrow(dtype, value)
        bits = vector("i1", lanes)
        if shape is None or stride not in (1, -1):
            pointers = self.addresses(buffer, index)
            name = self.module.declare(
                f"llvm.masked.scatter.{mangled(kind)}.v{lanes}p0",
                "void",
                f"{kind}, <{lanes} x ptr>, i32 immarg, {bits}",
            )
            mask = mask or splat_true(lanes)
            self.text.do(f"call void {name}({kind} {raw}, <{lanes} x ptr> {pointers}, i32 {align}, {bits} {mask})")
            return
        base = shape[0] if stride == 1 else operators.subtract(shape[0], lanes - 1)
        raw = raw if stride == 1 else self.reverse(kind, raw, lanes)
        inside = self.is_inside(buffer, base, lanes)
        pointer = self.address(buffer, base, inbounds=inside or not mask)
        if inside and mask and stride == 1:
            # A masked store would keep the buffer in memory; reading what it holds and choosing does not.
            old = self.text.op(f"load {kind}, ptr {pointer}, align {align}")
            raw, mask = self.text.op(f"select {bits} {mask}, {kind} {raw}, {kind} {old}"), ""
        if not mask:
            if self.streaming and buffer.data not in self.own:
                self._store_past_caches(pointer, kind, raw, align, memory_bytes(dtype.element) * lanes)
            else:
                self.text.do(f"store {kind} {raw}, ptr {pointer}, align {align}")
            return
        mask = mask if stride == 1 else self.reverse(bits, mask, lanes)
        name = self.module.declare(f"llvm.masked.store.{mangled(kind)}.p0", "void", f"{kind}, ptr, i32 immarg, {bits}")
        raw = self._opaque(kind, raw)
        self.text.do(f"call void {name}({kind} {raw}, ptr {pointer}, i32 {align}, {bits} {mask})")

    def _opaque(self, kind: str, raw: str) -> str:
        """A vector of integers as LLVM cannot tell where it comes from.

        LLVM 22 turns a masked store of which one lane is left into a store of that lane, and forgets that the lane was
        truncated: 4 bytes of a sum were written where 2 belong (``trunc <16 x i32>`` to ``<16 x i16>``, mask 1).
        """
        if MEMORY_BITS.get(kind[1:-1].split(" x ")[-1], 64) > 32:
            return raw
        slot = self._slots.get(kind)
        if slot is None:
            slot = self._slots[kind] = self.text.alloca(f"{kind}, align 64")
        self.text.do(f"store volatile {kind} {raw}, ptr {slot}, align 64")
        return self.text.op(f"load volatile {kind}, ptr {slot}, align 64")

    def _store_past_caches(self, pointer: str, kind: str, raw: str, align: int, nbytes: int) -> None:
        """Such stores must be aligned; the addresses that callers pass may be anything."""
        address = self.text.op(f"ptrtoint ptr {pointer} to i64")
        rest = self.text.op(f"and i64 {address}, {nbytes - 1}")
        aligned = self.text.op(f"icmp eq i64 {rest}, 0")
        past, plain, join = self.text.labels("past.", "plain.", "stored.")
        self.text.branch(aligned, past, plain)
        self.text.start(past)
        self.text.do(f"store {kind} {raw}, ptr {pointer}, align {nbytes}{self.module.nontemporal()}")
        self.text.jump(join)
        self.text.start(plain)
        self.text.do(f"store {kind} {raw}, ptr {pointer}, align {align}")
        self.text.jump(join)
        self.text.start(join)
        self.streamed = True

    def fence(self) -> None:
        """Stores past the caches are seen by other threads after this; nothing to do where there were none."""
        if self.streamed:
            self.text.do("fence seq_cst")

    def reverse(self, kind: str, value: str, lanes: int) -> str:
        """The lanes in opposite order."""
        order = ", ".join([f"i32 {i}" for i in range(lanes - 1, -1, -1)])
        return self.text.op(f"shufflevector {kind} {value}, {kind} poison, <{lanes} x i32> <{order}>")

    def any_lane(self, mask: str, lanes: int) -> str:
        """True when the mask holds in some lane."""
        bits = vector("i1", lanes)
        name = self.module.declare(f"llvm.vector.reduce.or.v{lanes}i1", "i1", bits)
        return self.text.op(f"call i1 {name}({bits} {mask})")


def splat_true(lanes: int) -> str:
    """A mask that holds in every lane."""
    return "splat (i1 true)" if lanes > 1 else "true"


def _constant(node: Expr) -> int | None:
    return node.value if isinstance(node, e.IntImm) else None


MEMORY_BITS = {"i8": 8, "i16": 16, "i32": 32}
_MANGLED = {"float": "f32", "double": "f64", "half": "f16"}


def mangled(kind: str) -> str:
    """The suffix that names a type in an intrinsic's name: "<4 x float>" is "v4f32"."""
    if kind[0] != "<":
        return _MANGLED.get(kind, kind)
    lanes, element = kind[1:-1].split(" x ")
    return f"v{lanes}{_MANGLED.get(element, element)}"


def as_ramp(index: Expr) -> tuple[Expr, Expr] | None:
    """Base and stride of a vector index that is affine in the lane number; a broadcast has stride 0."""
    if isinstance(index, e.Ramp):
        return index.base, index.stride
    if isinstance(index, e.Broadcast):
        return index.value, operators.const(0, index.dtype.element)
    if not isinstance(index, (e.Add, e.Sub, e.Mul)):
        return None
    left, right = as_ramp(index.a), as_ramp(index.b)
    if left is None or right is None:
        return None
    if isinstance(index, e.Add):
        return operators.add(left[0], right[0]), operators.add(left[1], right[1])
    if isinstance(index, e.Sub):
        return operators.subtract(left[0], right[0]), operators.subtract(left[1], right[1])
    if _constant(left[1]) == 0:
        left, right = right, left
    if _constant(right[1]) != 0:
        return None
    return operators.multiply(left[0], right[0]), operators.multiply(left[1], right[0])
