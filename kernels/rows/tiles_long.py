"""How long rows of halves are shared by the blocks of a cluster, and why.

The figures behind the rules are of an H100 (docs/benchmarks/streaming-forms.md, "Own parts first").
"""

from __future__ import annotations

from typing import Final

from gpucomp.kernels.registry import row_lanes
from gpucomp.kernels.rows.tiles import PORTABLE_CLUSTER, Tile
from gpucomp.target import Target

VECTOR_BYTES: Final = 16
MULTIPROCESSORS: Final = 132  # of what this was measured on
# Threads of a block, vectors that one of them has at most, and blocks that a multiprocessor holds then: rows without
# weights, with one a column, and with two.
PLAIN: Final = (256, 16, 3)
WEIGHTED: Final = (512, 8, 3)
TWO_WEIGHTS: Final = (256, 8, 6)
# What starts such a part of a round of blocks later is asked for; half a round drives out what waits.
PLAIN_LATER: Final = 8
PAIR_LATER: Final = 3  # of rows of two blocks, once the own row has come
WEIGHTED_LATER: Final = 4
# Vectors of a thread that are under way together.  With all of them, the compiler would keep what several passes read
# in registers, and spill; one by one, each waits for its weights.
ABREAST: Final = 4
FEW_ABREAST: Final = 2  # of long rows without weights


def long_tile(columns: int | None, nbytes: int, matrices: int, weights: int, target: Target) -> Tile | None:
    """The tile for rows whose threads reduce their own parts first; None where rows are shorter, or far longer.

    Args:
        columns: of a row; None where it is not known.
        nbytes: of an element.
        matrices: inputs of that shape.
        weights: inputs of one value a column.
        target: what to compile for.
    """
    if columns is None or "cluster" not in target.features or nbytes != 2:
        return None
    lanes = row_lanes(columns, nbytes)
    vectors = columns // lanes
    if lanes * nbytes != VECTOR_BYTES:
        return None
    for threads, most, blocks in (TWO_WEIGHTS, WEIGHTED) if weights > 1 else (WEIGHTED if weights else PLAIN,):
        most //= matrices
        cluster = 1
        while cluster * threads * most < vectors:
            cluster *= 2
        if cluster == 1:
            return None
        if cluster <= min(PORTABLE_CLUSTER, target.limits.get("max_cluster_size", 1)):
            return _tile(vectors, lanes, threads, cluster, blocks, matrices, weights)
    return None


def _tile(vectors: int, lanes: int, threads: int, cluster: int, blocks: int, matrices: int, weights: int) -> Tile:
    chunks = -(-vectors // (cluster * threads))
    late = cluster == 2 and not weights
    later = WEIGHTED_LATER if weights else PAIR_LATER if late else PLAIN_LATER
    ahead = max(1, MULTIPROCESSORS * blocks // later // cluster)
    abreast = ABREAST if weights or late else FEW_ABREAST
    part = chunks * threads * VECTOR_BYTES * matrices
    when = ", when the own one has come" if late else ""
    why = (
        f"vectors of {VECTOR_BYTES} bytes; a copy engine brings at most {part:,} bytes of a row to the shared memory "
        f"of each of {cluster} blocks of {threads} threads, {blocks} of which fit a multiprocessor; threads reduce "
        f"their own parts first, and meet once; the second-level cache is asked for the row that is {ahead} further on"
        f"{when}"
    )
    return Tile(
        lanes,
        threads,
        chunks,
        1,
        True,
        cluster,
        True,
        why=why,
        blocks=blocks,
        ahead=ahead,
        late=late,
        abreast=max(1, abreast // matrices),
    )
