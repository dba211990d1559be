"""The primitive that makes a ring of a tensor's memory: rolling_buffer."""

from __future__ import annotations

from gpucomp.te.stage_base import StageBase


class RollingPrimitives(StageBase):
    """Rings."""

    def rolling_buffer(self) -> None:
        """Keep what the last iteration of the loop around computed, and compute only what is new.

        For a stage attached inside of a loop whose iterations read overlapping windows of it: the memory is a ring,
        indices are taken modulo its size, and each iteration but the first fills in what the window gained.

        >>> E = te.compute((6,), lambda i: B[i] + B[i + 2], name="E")
        >>> s = te.create_schedule(E.op)
        >>> s[B].compute_at(s[E], E.op.axis[0])
        >>> show(s)
        for i in T.serial(6):
            with T.realize(B[i:i + 3], "float32", "global"):
                for i_1 in T.serial(3):
                    B[i_1 + i] = V[i_1 + i] * 2.0
                E[i] = B[i] + B[i + 2]
        >>> s[B].rolling_buffer()
        >>> show(s)
        with T.realize(B[0:3], "float32", "global"):
            for i in T.serial(6):
                for i_1 in T.serial(3):
                    if i == 0 or i_1 + i >= i + 2:
                        B[(i_1 + i) % 3] = V[i_1 + i] * 2.0
                E[i] = B[i % 3] + B[(i + 2) % 3]

        Raises:
            ScheduleError: when lowered, GC118 there is no loop around along which a window rolls.
        """
        self.require_compute("rolling_buffer")
        self.rolls = True
        self.rolls_span = self._record("rolling_buffer", (), {}, ())
