"""Tensor expressions and their schedules."""

from __future__ import annotations

from gpucomp.te import hybrid, intrinsics, schedule, trace
from gpucomp.te.api import (
    compute,
    const,
    placeholder,
    reduce_axis,
    size_var,
    tag_scope,
    thread_axis,
    var,
)
from gpucomp.te.axis_separator import AXIS_SEPARATOR
from gpucomp.te.create_primfunc import create_prim_func
from gpucomp.te.extern import ExternOp, extern, extern_primfunc
from gpucomp.te.gradient import gradient
from gpucomp.te.hybrid.op import HybridOp
from gpucomp.te.join import JoinOp, join
from gpucomp.te.lower import lower_schedule
from gpucomp.te.operation import ComputeOp, Operation, PlaceholderOp
from gpucomp.te.scan import ScanOp, scan
from gpucomp.te.scan_nest import scan_nest as _scan_nest
from gpucomp.te.specialized import SpecializedCondition
from gpucomp.te.stage import Stage
from gpucomp.te.stage_state import AttachType
from gpucomp.te.state import Schedule, create_schedule
from gpucomp.te.tensor import Tensor, TensorSlice
from gpucomp.te.tensor_compute import TensorComputeOp
from gpucomp.te.tensor_intrin import TensorIntrin, TensorIntrinCall, decl_tensor_intrin
from gpucomp.tir import div
from gpucomp.tir.expr import Select
from gpucomp.tir.intrin import (
    abs,
    acos,
    acosh,
    asin,
    asinh,
    atan,
    atan2,
    atanh,
    ceil,
    cos,
    cosh,
    erf,
    exp,
    exp2,
    exp10,
    expm1,
    floor,
    fmod,
    hypot,
    if_then_else,
    infinity,
    isfinite,
    isinf,
    isnan,
    log,
    log1p,
    log2,
    log10,
    max_value,
    min_value,
    nearbyint,
    popcount,
    power,
    round,
    rsqrt,
    sigmoid,
    sin,
    sinh,
    sqrt,
    tan,
    tanh,
    trunc,
)
from gpucomp.tir.operators import add, floordiv, floormod, multiply, subtract, truncdiv, truncmod
from gpucomp.tir.reduction import all_of as all
from gpucomp.tir.reduction import any_of as any
from gpucomp.tir.reduction import comm_reducer
from gpucomp.tir.reduction import max_of as max
from gpucomp.tir.reduction import min_of as min
from gpucomp.tir.reduction import product_of as prod
from gpucomp.tir.reduction import sum_of as sum

indexdiv, indexmod = floordiv, floormod  # for indices, which are >= 0

__all__ = [
    # tensors and operations
    "Tensor", "TensorSlice", "Operation", "PlaceholderOp", "ComputeOp", "placeholder", "compute", "tag_scope",
    "ExternOp", "extern", "extern_primfunc", "hybrid",
    # variables and axes
    "var", "size_var", "const", "thread_axis", "reduce_axis",
    # reductions
    "comm_reducer", "sum", "prod", "max", "min", "all", "any",
    # tensor intrinsics
    "decl_tensor_intrin", "intrinsics", "TensorIntrin", "TensorIntrinCall", "TensorComputeOp", "HybridOp",
    # schedules
    "create_schedule", "Schedule", "Stage", "AttachType", "SpecializedCondition", "schedule", "trace", "lower_schedule",
    "AXIS_SEPARATOR",
    "create_prim_func", "gradient", "scan", "ScanOp", "JoinOp", "join",
    # functions of elements
    "Select", "abs", "acos", "acosh", "asin", "asinh", "atan", "atan2", "atanh", "ceil", "cos", "cosh", "erf", "exp",
    "exp2", "exp10", "expm1", "floor", "fmod", "hypot", "if_then_else", "infinity", "isfinite", "isinf", "isnan",
    "log", "log1p", "log2", "log10", "max_value", "min_value", "nearbyint", "popcount", "power", "round", "rsqrt",
    "sigmoid", "sin", "sinh", "sqrt", "tan", "tanh", "trunc",
    "div", "floordiv", "floormod", "truncdiv", "truncmod", "indexdiv", "indexmod",
    "add", "multiply", "subtract",
]  # fmt: skip

assert _scan_nest is not None  # importing it registers the nest of scans
