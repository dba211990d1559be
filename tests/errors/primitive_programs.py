"""Programs with one mistake each, about the less common primitives; see ``programs``."""

from __future__ import annotations

import gpucomp
from gpucomp import te, tir
from tests.errors.programs import block, mistake, row_sums, thread
from tests.te.intrinsics import copy_intrin


@mistake("env_threads", "'threadIdx.x'", "no domain", "stage C")
def env_threads_without_an_extent() -> object:
    s, _, _, c = row_sums()
    return s[c].env_threads([thread()])  # cause


@mistake("stage B", "'k'", "reduction")
def a_store_predicate_over_a_reduction_axis() -> object:
    s, a, b, c = row_sums()
    s[b].set_store_predicate(b.op.reduce_axis[0].equal(0))  # cause
    return gpucomp.lower(s, [a, c])


@mistake("group B", "stage C")
def leaving_a_group_by_compute_at() -> object:
    s, a, b, c = row_sums()
    s.create_group(outputs=b, inputs=a)
    return s[b].compute_at(s[c], c.op.axis[0])  # cause


@mistake("group B", "s[B].compute_inline()")
def inlining_a_group() -> object:
    s, a, b, _ = row_sums()
    return s.create_group(outputs=b, inputs=a).compute_inline()  # cause


@mistake("prefetch of A", "'i'", "blockIdx.x", "stage C")
def prefetching_along_a_loop_bound_to_blocks() -> object:
    s, a, _, c = row_sums()
    s[c].bind(c.op.axis[0], block())
    s[c].prefetch(a, c.op.axis[0], 1)  # cause
    return gpucomp.lower(s, [a, c])


@mistake("stage C", "'i.inner'", "threadIdx.x", "cache_write")
def cache_write_of_a_stage_that_is_bound() -> object:
    s, _, _, c = row_sums()
    s[c].bind(s[c].split(c.op.axis[0], factor=4)[1], thread())
    return s.cache_write(c, "local")  # cause


@mistake("transform_layout", "'j'", "digits")
def a_layout_that_loses_elements() -> object:
    s, _, _, c = row_sums()
    return s[c].transform_layout(lambda i, j: [i, j // 4])  # cause


@mistake("stage B", "keeps none", "'i'")
def a_rolling_buffer_whose_windows_do_not_overlap() -> object:
    a = te.placeholder((32,), name="A")
    b = te.compute((32,), lambda i: a[i] + 1.0, name="B")
    c = te.compute((16,), lambda i: b[2 * i] + b[2 * i + 1], name="C")
    s = te.create_schedule(c.op)
    s[b].compute_at(s[c], c.op.axis[0])
    s[b].rolling_buffer()  # cause
    return gpucomp.lower(s, [a, c])


@mistake("stage B", "double_buffer", "another copy")
def a_rolling_buffer_with_two_copies() -> object:
    a = te.placeholder((32,), name="A")
    b = te.compute((32,), lambda i: a[i] + 1.0, name="B")
    c = te.compute((30,), lambda i: b[i] + b[i + 2], name="C")
    s = te.create_schedule(c.op)
    s[b].compute_at(s[c], c.op.axis[0])
    s[b].double_buffer()
    s[b].rolling_buffer()  # cause
    return gpucomp.lower(s, [a, c])


@mistake("stage B", "copy_1x2", "in one piece")
def a_rolling_buffer_that_an_intrinsic_fills() -> object:
    a = te.placeholder((32, 4), name="A")
    b = te.compute((32, 4), lambda i, j: a[i, j], name="B")
    c = te.compute((30, 4), lambda i, j: b[i, j] + b[i + 2, j], name="C")
    s = te.create_schedule(c.op)
    _, inner = s[b].split(b.op.axis[1], factor=2)
    s[b].tensorize(inner, copy_intrin(1, 2))
    s[b].compute_at(s[c], c.op.axis[0])
    s[b].rolling_buffer()  # cause
    return gpucomp.lower(s, [a, c])


@mistake("pragma", "'auto_unroll_max_step'", "a number")
def a_pragma_with_a_value_of_the_wrong_kind() -> object:
    s, _, _, c = row_sums()
    return s[c].pragma(c.op.axis[0], "auto_unroll_max_step", "many")  # cause


@mistake("split", "factor", "0", "stage C")
def splitting_by_zero() -> object:
    s, _, _, c = row_sums()
    return s[c].split(c.op.axis[0], factor=0)  # cause


@mistake("2,048", "threadIdx.x", "1,024")
def a_check_for_a_target_with_fewer_threads() -> object:
    a = te.placeholder((8, 2048), name="A")
    c = te.compute((8, 2048), lambda i, j: a[i, j] + 1.0, name="C")
    s = te.create_schedule(c.op)
    s[c].bind(c.op.axis[0], block())
    s[c].bind(c.op.axis[1], thread())  # cause
    return s.check("cuda -arch=sm_90")


@mistake("clusterIdx.x", "sm_80", "sm_90")
def clusters_on_a_device_that_has_none() -> object:
    s, a, b, c = row_sums()
    s[b].compute_at(s[c], c.op.axis[0])
    s[c].bind(c.op.axis[0], block())
    s[b].bind(b.op.reduce_axis[0], te.thread_axis("clusterIdx.x"))  # cause
    return gpucomp.source(s, [a, c], "cuda -arch=sm_80")


@mistake("64", "clusterIdx.x", "16")
def a_cluster_of_too_many_blocks() -> object:
    a = te.placeholder((32, 64), name="A")
    c = te.compute((32, 64), lambda i, j: a[i, j] + 1.0, name="C")
    s = te.create_schedule(c.op)
    s[c].bind(c.op.axis[0], block())
    s[c].bind(c.op.axis[1], te.thread_axis("clusterIdx.x"))  # cause
    return gpucomp.source(s, [a, c], "cuda -arch=sm_90")


@mistake("cache_hint", "'always'", "streaming", "stage C")
def a_cache_hint_that_there_is_not() -> object:
    s, _, _, c = row_sums()
    return s[c].pragma(c.op.axis[0], "cache_hint", "always")  # cause


@mistake("stage B", "threadIdx.x", "several threads")
def a_store_predicate_that_lets_several_threads_add_to_one_element() -> object:
    s, a, b, c = row_sums()
    tx = te.thread_axis((0, 8), "threadIdx.x")
    s[b].env_threads([tx])
    s[b].set_store_predicate(tx.var >= 4)  # cause
    return gpucomp.lower(s, [a, c])


@mistake("storage_swizzle", "'j'", "i", "stage C")
def a_swizzle_by_the_last_dimension() -> object:
    s, _, _, c = row_sums()
    return s[c].storage_swizzle(c.op.axis[1])  # cause


@mistake("storage_swizzle", "3", "stage C")
def a_swizzle_of_chunks_of_three_elements() -> object:
    s, _, _, c = row_sums()
    return s[c].storage_swizzle(c.op.axis[0], 3)  # cause


@mistake("storage_swizzle", "24", "chunks of 1")
def a_swizzle_of_rows_of_24_elements() -> object:
    a = te.placeholder((24, 24), name="A")
    b = te.compute((24, 24), lambda i, j: a[i, j] + 1.0, name="B")
    c = te.compute((24, 24), lambda i, j: b[j, i], name="C")
    s = te.create_schedule(c.op)
    s[b].storage_swizzle(b.op.axis[0])  # cause
    return gpucomp.lower(s, [a, c])


@mistake("access_ptr", "B", "storage_swizzle")
def a_pointer_into_a_swizzled_tensor() -> object:
    a = te.placeholder((16, 16), name="A")
    b = te.compute((16, 16), lambda i, j: a[i, j] + 1.0, name="B")
    c = te.extern(
        (16, 16), [b], lambda ins, outs: tir.call_packed("f", ins[0].access_ptr("r"), outs[0].access_ptr("w")), name="C"
    )
    s = te.create_schedule(c.op)
    s[b].storage_swizzle(b.op.axis[0])  # cause
    return gpucomp.lower(s, [a, c])


@mistake("atomic", "'k'", "stage B", "only add")
def an_atomic_reduction_that_is_no_sum() -> object:
    a = te.placeholder((64,), name="A")
    k = te.reduce_axis((0, 64), "k")
    b = te.compute((1,), lambda i: te.max(a[k], axis=k), name="B")
    s = te.create_schedule(b.op)
    s[b].pragma(s[b].op.reduce_axis[0], "atomic")
    s[b].bind(s[b].op.reduce_axis[0], block())  # cause
    return gpucomp.lower(s, [a, b])


@mistake("atomic", "'k'", "stage B", "blockIdx.x")
def an_atomic_reduction_within_a_block() -> object:
    s, a, b, c = row_sums()
    s[b].pragma(b.op.reduce_axis[0], "atomic")
    s[b].bind(b.op.reduce_axis[0], thread())  # cause
    return gpucomp.lower(s, [a, c])
