"""CPU code: a PrimFunc in flat form as LLVM IR text.

One exported function per PrimFunc.  It takes the addresses of the buffers, then the numbers of
:func:`~gpucomp.codegen.host.cpu_signature`, and returns 0, or why it stopped:
:data:`~gpucomp.codegen.llvm_text.OUT_OF_MEMORY`, or the number of a failed assertion, whose message stands in a
comment ``; failure N: ...`` at the top of the text.
"""

from __future__ import annotations

from collections.abc import Sequence

from gpucomp.codegen.host import cpu_signature
from gpucomp.codegen.llvm_stmt import StmtWriter, quoted
from gpucomp.codegen.llvm_text import REGISTER, FunctionText, ModuleText
from gpucomp.support.dtype import DType
from gpucomp.support.launch import KernelImage, KernelSpec
from gpucomp.target import Target
from gpucomp.tir.expr import Var
from gpucomp.tir.function import PrimFunc


def kernel_params(func: PrimFunc) -> tuple[Var, ...]:
    """The arguments of the CPU function: parameters with buffers, other parameters, then variables of shapes."""
    pointers = [param for param in func.params if param in func.buffer_map]
    _, numbers = cpu_signature(func)
    return (*pointers, *numbers)


def emit_cpu(funcs: PrimFunc | Sequence[PrimFunc], target: object = None, imports: Sequence[str] = ()) -> KernelImage:
    """Write functions for the CPU.

    Args:
        funcs: in flat form; a host function with a ``buffer_map``, or device functions with pointer parameters.
        target: whose features the code may use; the runtime compiles for the processor that it finds.
        imports: modules as LLVM IR, which the runtime links with the code.

    Raises:
        LowerError: what the CPU cannot do (barriers, warp exchanges, an element type), or no flat form.
    """
    listed = [funcs] if isinstance(funcs, PrimFunc) else list(funcs)
    features = target.features if isinstance(target, Target) else ()
    module = ModuleText(listed[0].name if listed else "empty", features)
    specs = [_function(func, module) for func in listed]
    return KernelImage("llvm", module.render(), tuple(specs), linked=tuple(imports))


def _function(func: PrimFunc, module: ModuleText) -> KernelSpec:
    text = FunctionText()
    noalias = bool(func.attrs.get("tir.noalias", False))
    writer = StmtWriter(module, text, func.name, noalias)
    formal: list[str] = []
    types: list[str] = []
    for i, param in enumerate(kernel_params(func)):
        name = f"%arg{i}"
        buffer = func.buffer_map.get(param)
        pointer = buffer is not None or param.dtype.is_handle
        if buffer is not None:
            writer.env[buffer.data] = name
        if pointer:
            formal.append(f"ptr {'noalias ' if noalias else ''}{name}")
            types.append(f"{_pointee(param) if buffer is None else buffer.dtype}*")
        else:
            formal.append(f"{_scalar(param.dtype)} {name}")
            types.append(str(param.dtype))
        writer.env[param] = text.op(f"icmp ne i8 {name}, 0") if param.dtype.is_bool else name
    writer.stmt(func.body)
    writer.fence()
    text.do("ret i32 0")
    module.functions.append(f"define i32 @{quoted(func.name)}({', '.join(formal)}) nounwind {{\n{text.body()}\n}}\n")
    return KernelSpec(func.name, tuple(types))


def _scalar(dtype: DType) -> str:
    return "i8" if dtype.is_bool else REGISTER[dtype]


def _pointee(param: Var) -> str:
    element = getattr(param.type_annotation, "element_type", None)
    return str(element.dtype) if element is not None else "uint8"
