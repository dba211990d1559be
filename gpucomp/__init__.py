"""gpucomp: a GPU-first operator compiler in pure Python."""
