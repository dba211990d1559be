"""How rows are spread over threads and blocks of a GPU, and why.

The figures behind the rules are of an H100; each rule says what it is about.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from gpucomp.kernels.registry import row_lanes
from gpucomp.support.dtype import DType
from gpucomp.target import Target

# Values that a thread keeps of one matrix; with twice as many, fewer than half of the threads fit a multiprocessor.
MOST_VALUES: Final = 32
BLOCK: Final = 128
WANTED_BYTES: Final = 64  # of a thread: with less in flight the memory waits, with more the last loads do
ONCE_BYTES: Final = 44  # of rows that are gone over once: threads that wait for nothing but memory may be many
LONG_BYTES: Final = 128  # of rows of halves beyond LONG_ROW: fewer threads wait at the barriers of a row
LONG_ROW: Final = 24 << 10
MOST_CONDITIONS: Final = 16  # single words of a row with a condition each: AMD's compilers spill those of twice as many
SECOND_ROW: Final = 16 << 10  # of words with two weights each: four warps with twice as much, which load weights late
# Of words: where rows start anywhere and are read in aligned vectors; where each is a load of its own, and pairs are.
# Weights are then words too, of which threads with more of both load what they need before they wait.
ALIGNED_BYTES: Final = 96
WEIGHTED_BYTES: Final = 72  # of rows of halves that start anywhere and have weights
HALVES: Final = 4  # of a vector where rows start anywhere: of wider ones, more are checked against the ends of the row
WORD_BYTES: Final = 176
PAIR_BYTES: Final = 96
EARLY_WORDS: Final = 48
MOST_EARLY: Final = 256  # threads of a row whose weights are such words
WEIGHTED_VALUES: Final = 16  # that a thread keeps where weights come on top
MOST_WEIGHTED: Final = 512  # threads of a row of which more would take weights
FEW_THREADS: Final = 32  # of a row, of which twice as many still share a warp
SHORT_ROW: Final = 64  # threads of a row that has one barrier between two warps at most
ONE_WAVE_BYTES: Final = 32 << 20
TOGETHER_BYTES: Final = 2 << 10  # of a row with two weights a column, at most, of which a thread holds two
SHORT_TOGETHER: Final = 512  # of a row with one
WAVE_TOGETHER: Final = 7 << 20  # of all rows, at least: half as many threads are enough then
CLUSTER_BLOCK: Final = 512  # threads of a block in a cluster: two blocks a multiprocessor, one waits, one works
PORTABLE_CLUSTER: Final = 8  # blocks: larger ones gain nothing for these tiles
UNROLLED: Final = 8  # vectors of a thread that are written out: more take longer to compile
PART_BYTES: Final = 64 << 10  # of a row in the shared memory of a block: three such blocks fit a multiprocessor
# With weights of columns, which take registers: blocks of 256 threads of which three fit, or of 512 of which two do.
THREE_FIT: Final = 74 << 10
TWO_FIT: Final = 112 << 10
FOUR_FIT: Final = 48 << 10  # or more, of 512 threads, whatever registers they take
WAITING_ROW: Final = 32 << 10  # bytes of a row of halves from which on it waits there as it is: as floats it crowds


@dataclass(frozen=True, slots=True)
class Tile:
    """How a row is spread.

    Attributes:
        lanes: elements of a vector.
        threads: of one row, in each block.
        chunks: vectors of a thread.
        rows: of a block.
        held: a row stays in registers.
        cluster: blocks that share a row.
        shared: a row waits in their shared memory.
        aligned: vectors start where memory is aligned, and not where the row does.
        early: weights of columns are loaded while the row is reduced.
        blocks: that are to fit a multiprocessor at least, by their registers; 0 where the compiler is free.
        together: rows that a thread holds parts of, for which it loads weights once.
        ahead: how much later the row starts that the second-level cache is asked for, in rows; 0 for none.
        late: it is asked when the own row has come, and not at once.
        abreast: vectors of a thread that are under way together where its parts wait in shared memory.
        why: what led to it.
    """

    lanes: int
    threads: int
    chunks: int
    rows: int
    held: bool
    cluster: int = 1
    shared: bool = False
    aligned: bool = False
    early: bool = False
    why: str = ""
    blocks: int = 0
    together: int = 1
    ahead: int = 0
    late: bool = False
    abreast: int = 0

    @property
    def row_threads(self) -> int:
        """Threads of one row, in all of its blocks."""
        return self.threads * self.cluster


def choose_tile(
    rows: int | None,
    columns: int | None,
    nbytes: int,
    target: Target,
    *,
    weights: int = 0,
    once: bool = False,
    compares: bool = False,
) -> Tile:
    """The tile for ``rows`` rows of ``columns`` elements of ``nbytes`` bytes that stay in registers.

    Vectors are as wide as the alignment of every row allows; where that leaves narrow loads, vectors are counted from
    where memory is aligned (see ``_aligned_lanes``).  Threads are a power of two.

    Args:
        rows, columns: of the matrix; None where they are not known.
        nbytes: of an element.
        target: what to compile for.
        weights: inputs of one value a column.
        once: rows are gone over once.
        compares: an element takes several comparisons, for which threads with many of them keep others waiting.
    """
    limit = min(1024, target.max_num_threads)
    if columns is None:
        return Tile(1, min(256, limit), 1, 1, False, why="rows of unknown length")
    lanes, row_bytes = row_lanes(columns, nbytes), columns * nbytes
    wide = _aligned_lanes(lanes, nbytes, weights, once)
    aligned = wide > lanes and "readable_granules" in target.features and row_bytes >= 2048
    lanes = wide if aligned else lanes
    weights = 0 if once else weights  # they are read beside the rows, and not kept
    narrow = nbytes == 4 and weights > 0 and lanes < 4  # each word, or pair of them, is a load of its own
    vectors = (columns + lanes - 1) // lanes + (1 if aligned else 0)
    one_wave = rows is not None and rows * row_bytes < ONE_WAVE_BYTES
    # A row that one warp holds needs no barrier; weights would crowd it.
    warp_bytes = target.thread_warp_size * WANTED_BYTES
    warp = one_wave and not weights and not aligned and warp_bytes // 2 < row_bytes <= warp_bytes
    few_long = nbytes == 4 and lanes == 4 and weights > 1 and not one_wave and SECOND_ROW // 2 < row_bytes <= SECOND_ROW
    wanted = WANTED_BYTES if warp else _wanted(lanes, nbytes, row_bytes, weights, once, aligned)
    wanted = LONG_BYTES if few_long else wanted
    threads = 1
    while threads < limit and threads * wanted < row_bytes:
        threads *= 2
    reason = f"{wanted} bytes of a row for each of {threads} threads"
    scattered = aligned and nbytes < 4 and not once
    fewer = not (warp or scattered) and threads * 2 <= min(limit, vectors) and threads * wanted // 2 < row_bytes
    few = threads < FEW_THREADS or not (once or (weights and nbytes >= 4))
    crowds = weights > 0 and lanes > 1 and not narrow and not aligned and not few_long
    crowded = crowds and -(-vectors // threads) * lanes > WEIGHTED_VALUES
    if fewer and ((one_wave and few) or (crowded and threads < MOST_WEIGHTED)):
        threads *= 2
        reason = (
            f"{threads} threads with half as much: the matrix is read in one wave, whose end all wait for"
            if one_wave
            else f"{threads} threads with half as much: weights need registers too"
        )
    if compares and one_wave and not aligned and threads < min(BLOCK, limit, vectors):
        threads, warp = min(BLOCK, limit, 1 << (vectors - 1).bit_length()), False
        reason = f"{threads} threads, for each has to compare: the matrix is read in one wave"
    if warp:
        reason += ", one warp, which needs no barrier"
    chunks = -(-vectors // threads)
    values = chunks * lanes
    held = values <= 2 * MOST_VALUES and (threads < 1024 or values <= MOST_VALUES)
    early = held and not aligned and _early(values, threads, nbytes, weights, one_wave, narrow)
    early = early and (lanes > 1 or values <= MOST_CONDITIONS or str(target.kind) == "cuda")
    vector = f"vectors of {lanes * nbytes} bytes" + (", counted from where memory is aligned" if aligned else "")
    place = "registers" if held else "nowhere: each pass reads them again"
    why = f"{vector}; {reason}; rows stay in {place}" + ("; weights are loaded early" if early else "")
    block = 2 * BLOCK if warp or (once and one_wave) else BLOCK
    per_block = max(1, min(block, limit) // threads)
    return Tile(lanes, threads, chunks, per_block, held, 1, False, aligned, early, why)


def in_pairs(tile: Tile, rows: int | None, columns: int | None, dtype: DType, weights: int) -> Tile:
    """The tile with two rows a thread where that pays: short rows of halves, all of them read in one wave.

    A block then loads weights for twice as many rows, with half as many threads.  Not so rows of bfloat16 that are
    reduced without a barrier, with two weights a column: compilers make floats of those at once, which registers
    cannot hold.
    """
    if rows is None or columns is None or not tile.early or dtype.nbytes * tile.lanes != 16 or tile.aligned:
        return tile
    row_bytes = columns * dtype.nbytes
    whole = tile.chunks * tile.threads * tile.lanes == columns and tile.chunks * tile.lanes <= WEIGHTED_VALUES
    short = row_bytes <= (TOGETHER_BYTES if weights > 1 else SHORT_TOGETHER)
    crowded = weights > 1 and dtype.code == "bfloat" and row_bytes <= SHORT_TOGETHER
    one_wave = WAVE_TOGETHER <= rows * row_bytes < ONE_WAVE_BYTES
    if dtype.nbytes > 2 or crowded or not (whole and short and one_wave):
        return tile
    return replace(tile, together=2, why=f"{tile.why}; each thread holds two rows, for one load of the weights")


def _aligned_lanes(lanes: int, nbytes: int, weights: int, once: bool) -> int:
    """Elements of the vectors that beat those that every row is made of, though they lie across the ends of rows.

    What is outside of a row costs a comparison an element, in the first and the last vectors of a thread.
    """
    width = lanes * nbytes
    if once:
        return 16 // nbytes if width < 8 and not weights else lanes
    if nbytes < 4:
        return HALVES if width < 4 else lanes
    return 16 // nbytes if width == nbytes == 4 and not weights else lanes


def _wanted(lanes: int, nbytes: int, row_bytes: int, weights: int, once: bool, aligned: bool) -> int:
    """Bytes of a row for a thread."""
    if once:
        return ONCE_BYTES
    if aligned:
        return WEIGHTED_BYTES if weights else ALIGNED_BYTES
    if nbytes == 4 and weights and lanes < 4:
        return WORD_BYTES if lanes == 1 else PAIR_BYTES
    few = row_bytes > LONG_ROW or lanes * nbytes == 4  # narrow loads are many anyway
    return LONG_BYTES if nbytes < 4 and not weights and few else WANTED_BYTES


def _early(values: int, threads: int, nbytes: int, weights: int, one_wave: bool, narrow: bool) -> bool:
    """Whether a thread loads its weights before the reductions: where it has the registers."""
    if not weights:
        return False
    if narrow:
        return values <= EARLY_WORDS and threads <= MOST_EARLY
    if values > WEIGHTED_VALUES:
        return nbytes < 4 and values * weights <= 3 * WEIGHTED_VALUES
    short = weights == 1 and threads <= SHORT_ROW
    return nbytes >= 4 or one_wave or short or values <= WEIGHTED_VALUES // 2


def cluster_tile(columns: int | None, nbytes: int, target: Target) -> Tile | None:
    """The tile for rows that the registers of a cluster of blocks hold; ``None`` where there is none.

    Each thread holds 64 bytes, or up to 32 values in the largest cluster that every device can run, of 1,024 threads
    a block.
    """
    most = min(PORTABLE_CLUSTER, target.limits.get("max_cluster_size", 1)) if "cluster" in target.features else 1
    if columns is None or most < 2:
        return None
    lanes = row_lanes(columns, nbytes)
    wanted = 1 << (-(-columns * nbytes // WANTED_BYTES) - 1).bit_length()
    cluster = min(most, max(2, wanted // CLUSTER_BLOCK))
    threads = min(1024, target.max_num_threads, max(target.thread_warp_size, wanted // cluster))
    chunks = -(-(columns // lanes) // (cluster * threads))
    if chunks * lanes > MOST_VALUES:
        return None
    why = f"vectors of {lanes * nbytes} bytes; a row stays in registers of {cluster} blocks of {threads} threads"
    return Tile(lanes, threads, chunks, 1, True, cluster, why=why)


def shared_tile(
    columns: int | None, nbytes: int, matrices: int, reductions: int, target: Target, *, weights: bool = False
) -> Tile | None:
    """The tile for rows that wait in the shared memory of a cluster of blocks; ``None`` where there is none.

    Shared memory holds elements as they are, where registers hold halves as floats, so that three times as much of
    the matrix is on its way or in use.

    Args:
        columns: of a row; None where it is not known.
        nbytes: of an element.
        matrices: inputs of that shape.
        reductions: of a row, one after the other.
        target: what to compile for.
        weights: of columns come on top.
    """
    if columns is None or "cluster" not in target.features:
        return None
    most = min(PORTABLE_CLUSTER, target.limits.get("max_cluster_size", 1))
    room = target.limits.get("max_dynamic_shared_memory_per_block", 0)
    row_bytes, part = columns * nbytes * matrices, TWO_FIT if weights else PART_BYTES
    cluster = 1
    while cluster < most and row_bytes > cluster * part:
        cluster *= 2
    lanes = row_lanes(columns, nbytes)
    threads, blocks = _weighted_block(row_bytes // cluster) if weights else _block(row_bytes, reductions)
    threads = min(threads, target.max_num_threads)
    chunks = -(-(columns // lanes) // (cluster * threads))
    groups = -(-chunks // UNROLLED)
    chunks = groups * -(-chunks // groups)
    needed = chunks * threads * lanes * nbytes * matrices
    if needed > room:
        return None
    where = f"{cluster} blocks of {threads} threads" if cluster > 1 else f"{threads} threads"
    why = (
        f"vectors of {lanes * nbytes} bytes; a row waits in shared memory, at most {needed:,} bytes in each of {where}"
    )
    if blocks:
        why += f", {blocks} of which fit a multiprocessor"
    return Tile(lanes, threads, chunks, 1, True, cluster, True, why=why, blocks=blocks)


def _block(row_bytes: int, reductions: int) -> tuple[int, int]:
    """Threads of a block, and blocks that are to fit.

    Threads that wait for a second reduction are better few, with more of the row each, if the row has several blocks.
    """
    return (512 if row_bytes <= PART_BYTES or reductions < 2 else 256), 0


def _weighted_block(part_bytes: int) -> tuple[int, int]:
    """The same where weights of columns take registers: without a bound, one block less fits a multiprocessor."""
    if part_bytes <= FOUR_FIT:
        return 512, 0
    if part_bytes <= THREE_FIT:
        return 256, 3
    return 512, 2 if part_bytes <= TWO_FIT else 1
