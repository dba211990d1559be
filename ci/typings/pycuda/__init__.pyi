# Types of the part of pycuda that gpucomp uses.
VERSION: tuple[int, ...]
VERSION_TEXT: str
