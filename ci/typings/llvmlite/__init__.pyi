# Types of the part of llvmlite that gpucomp uses.
__version__: str
