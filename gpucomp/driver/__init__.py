"""From a schedule to source text or a callable: pipelines, lowering, building, the compile cache."""

from gpucomp.driver import build_module
from gpucomp.driver.build import build, compile_function, lower, lower_primfunc, source, stages

__all__ = ["build", "build_module", "compile_function", "lower", "lower_primfunc", "source", "stages"]
