"""The passes, one a file; and what runs them, under the standard public names."""

from gpucomp.ir.transform import Pass, PassContext, PassInstrument, PassTimingInstrument, Sequential
from gpucomp.ir.user_pass import module_pass

__all__ = ["Pass", "PassContext", "PassInstrument", "PassTimingInstrument", "Sequential", "module_pass"]
