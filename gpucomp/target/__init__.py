"""Targets: what a kernel is compiled for, with its limits and features."""

from gpucomp.target.externs import register_extern
from gpucomp.target.target import Target, cuda, llvm, opencl

__all__ = ["Target", "cuda", "llvm", "opencl", "register_extern"]
