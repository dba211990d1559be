"""flatten_storage: offsets from the realised box, strides, alignment, what cannot be allocated."""

from __future__ import annotations

import numpy as np
import pytest

from gpucomp.support.diagnostics import LowerError
from gpucomp.tir.buffer import decl_buffer
from gpucomp.tir.expr import BufferLoad, IntImm, Ramp, SizeVar, Var
from gpucomp.tir.function import PrimFunc
from gpucomp.tir.stmt import Allocate, AttrStmt, BufferRealize, BufferStore, seq
from gpucomp.transform.flatten_storage import flatten_storage
from tests.transform.build import (
    assert_same_meaning,
    func,
    internal,
    loop,
    nest,
    nodes,
    numbers,
    outputs,
    realize,
    store,
    thread,
    tiled_matmul,
)

i, j, k = Var("i"), Var("j"), Var("k")


def only_store(function: PrimFunc) -> BufferStore:
    (found,) = nodes(function, BufferStore)
    return found


def test_a_compact_argument_is_indexed_row_by_row() -> None:
    a = decl_buffer((4, 5, 6), name="A")
    f = func([a], nest([(i, 4), (j, 5), (k, 6)], store(a, (i, j, k), 1.0)))
    done = only_store(flatten_storage(f))
    assert done.indices[0] is (i * 30 + j * 6 + k)
    assert done.buffer.data is a.data
    assert done.buffer.shape[0] is IntImm("int32", 120)


def test_a_flat_function_comes_back_as_the_same_object() -> None:
    a = decl_buffer((8,), name="A")
    f = func([a], loop(i, 8, store(a, i, 1.0)))
    assert flatten_storage(f) is f


def test_a_realised_box_is_indexed_from_its_minimum() -> None:
    a, c = decl_buffer((64, 64), name="A"), decl_buffer((64, 64), name="C")
    t = internal("T", (64, 64))
    body = realize(
        t,
        [(i * 8, 8), (j * 4, 4)],
        seq(
            loop(k, 8, store(t, (i * 8 + k, j * 4 + 3), a[i * 8 + k, j])),
            loop(k, 8, store(c, (i * 8 + k, j), t[i * 8 + k, j * 4 + 3])),
        ),
    )
    f = func([a, c], nest([(i, 8), (j, 16)], body))
    flat = flatten_storage(f)
    (memory,) = nodes(flat, Allocate)
    assert memory.extents == (IntImm("int32", 32),)
    assert not nodes(flat, BufferRealize)
    loads = [n for n in nodes(flat, BufferLoad) if n.buffer.name == "T"]
    assert loads[0].indices[0] is (k * 4 + 3)
    assert_same_meaning(f, flat, [numbers(64, 64), numbers(64, 64, seed=1)])


def test_storage_align_pads_the_stride_of_the_axis() -> None:
    t, c = internal("T", (16, 16), "shared"), decl_buffer((16, 16), name="C")
    inner = seq(nest([(i, 16), (j, 16)], store(t, (i, j), 1.0)), nest([(i, 16), (j, 16)], store(c, (i, j), t[i, j])))
    f = func([c], AttrStmt((t, 0, 32, 5), "buffer_dim_align", 1, realize(t, [(0, 16), (0, 16)], inner)))
    flat = flatten_storage(f)
    (memory,) = nodes(flat, Allocate)
    assert memory.extents == (IntImm("int32", 16 * 37),)  # 37 % 32 == 5
    assert_same_meaning(f, flat, [numbers(16, 16)])


@pytest.mark.parametrize(("factor", "offset", "stride"), [(32, 0, 32), (16, 0, 16), (8, 7, 23), (17, 0, 17)])
def test_a_padded_stride_is_the_next_one_with_the_asked_remainder(factor: int, offset: int, stride: int) -> None:
    t = internal("T", (4, 16), "shared")
    body = realize(t, [(0, 4), (0, 16)], store(t, (i, 0), 1.0))
    flat = flatten_storage(func([], loop(i, 4, AttrStmt((t, 0, factor, offset), "buffer_dim_align", 1, body))))
    assert only_store(flat).indices[0] is i * stride


def test_strides_and_offset_of_an_argument_go_into_the_index() -> None:
    a = decl_buffer((4, 6), name="A", strides=(12, 2), elem_offset=3)
    flat = flatten_storage(func([a], nest([(i, 4), (j, 6)], store(a, (i, j), 1.0))))
    done = only_store(flat)
    assert done.indices[0] is (i * 12 + j * 2 + 3)
    assert done.buffer.shape[0] is IntImm("int32", 3 * 12 + 5 * 2 + 1 + 3)


def test_symbolic_extents_become_symbolic_strides() -> None:
    n, m = SizeVar("n"), SizeVar("m")
    a, c = decl_buffer((n, m), name="A"), decl_buffer((n, m), name="C")
    f = func([a, c], nest([(i, n), (j, m)], store(c, (i, j), a[i, j] + 1.0)))
    flat = flatten_storage(f)
    assert only_store(flat).indices[0] is (i * m + j)
    assert_same_meaning(f, flat, [numbers(3, 7), numbers(3, 7, seed=1)])


def test_a_contiguous_vector_access_stays_one() -> None:
    a, c = decl_buffer((4, 8), name="A"), decl_buffer((4, 8), name="C")
    ramp = Ramp(j * 4, 1, 4)
    f = func([a, c], nest([(i, 4), (j, 2)], store(c, (i, ramp), BufferLoad(a, (i, ramp)))))
    flat = flatten_storage(f)
    assert only_store(flat).indices[0] is Ramp(i * 8 + j * 4, IntImm("int32", 1), 4)
    assert_same_meaning(f, flat, [numbers(4, 8), numbers(4, 8, seed=1)])


def test_a_scalar_buffer_has_one_element() -> None:
    a, c = decl_buffer((), name="A"), decl_buffer((4,), name="C")
    f = func([a, c], loop(i, 4, store(c, i, BufferLoad(a, ()))))
    flat = flatten_storage(f)
    assert_same_meaning(f, flat, [np.array(3.0, "float32"), numbers(4)])


def test_a_broadcasting_argument_reads_extent_one_with_stride_zero() -> None:
    n = SizeVar("n")
    a, c = decl_buffer((n, 1), name="A", buffer_type="auto_broadcast"), decl_buffer((n, 4), name="C")
    flat = flatten_storage(func([a, c], nest([(i, n), (j, 4)], store(c, (i, j), a[i, j]))))
    out = outputs(flat, [numbers(3, 1), np.zeros((3, 4), "float32")])[0]
    np.testing.assert_array_equal(out, np.broadcast_to(numbers(3, 1), (3, 4)))


def test_a_local_buffer_of_symbolic_extent_names_the_buffer_and_the_mend() -> None:
    n = SizeVar("n")
    t, c = internal("T", (n,)), decl_buffer((n,), name="C")
    f = func([c], realize(t, [(0, n)], seq(loop(i, n, store(t, i, 1.0)), loop(i, n, store(c, i, t[i])))))
    with pytest.raises(LowerError) as caught:
        flatten_storage(f)
    text = caught.value.render()
    assert "'T' in local memory has extent n along dimension 0" in text
    assert "help: attach it inside a loop whose extent is a number" in text


def test_a_local_buffer_of_bounded_extent_takes_the_bound() -> None:
    n = SizeVar("n")
    t, c = internal("T", (n,)), decl_buffer((n,), name="C")
    size = i % 8 + 1
    body = realize(t, [(0, size)], seq(loop(j, size, store(t, j, 1.0)), store(c, i, t[0])))
    flat = flatten_storage(func([c], loop(i, n, body)))
    (memory,) = nodes(flat, Allocate)
    assert memory.extents == (IntImm("int32", 8),)


def test_an_attribute_of_a_buffer_names_the_flat_buffer() -> None:
    t, c = internal("T", (4, 4), "shared"), decl_buffer((4, 4), name="C")
    inner = AttrStmt(t, "double_buffer_scope", 1, seq(store(t, (0, 0), 1.0), store(c, (0, 0), t[0, 0])))
    flat = flatten_storage(func([c], realize(t, [(0, 4), (0, 4)], inner)))
    (attr,) = nodes(flat, AttrStmt)
    assert attr.node.ndim == 1
    assert attr.node.data is t.data


@pytest.mark.parametrize("pad", [0, 1])
def test_a_tiled_matmul_computes_the_same(pad: int) -> None:
    f = tiled_matmul(20, 17, 9, pad=pad)
    assert_same_meaning(f, flatten_storage(f), [numbers(20, 9), numbers(9, 17, seed=1), numbers(20, 17)])


def test_a_fused_and_split_index_is_put_together_again() -> None:
    a, tx = decl_buffer((16, 8), name="A"), Var("tx")
    flat = tx * 4 + i
    f = func([a], thread("threadIdx.x", tx, 32, loop(i, 4, store(a, (flat // 8, flat % 8), 1.0))))
    assert only_store(flatten_storage(f)).indices[0] is (tx * 4 + i)
