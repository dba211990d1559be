"""The passes, one a file; and what runs them, under the standard public names."""

from gpucomp.ir.transform import Pass, PassContext, PassInstrument, PassTimingInstrument, Sequential

__all__ = ["Pass", "PassContext", "PassInstrument", "PassTimingInstrument", "Sequential"]
