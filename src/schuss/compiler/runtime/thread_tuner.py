"""On how many threads a program runs: chosen by time, while it runs."""

from __future__ import annotations

import math

from schuss.compiler.runtime.thread_pool import team_size

__all__ = ["ThreadTuner"]

# Operations a second of one core, roughly: only to guess before anything was timed.
_GUESSED_RATE = 1e11
# Programs that take longer than this on one core are faster on all cores, unless others use them.
_SURELY_WORTH_SHARING = 300e-6
# Many steps in one native call come in pieces of about this time, so that each is a reading.
_PIECE_SECONDS, _TRIAL_SECONDS = 0.01, 0.002
# Runs between two looks at the times, those of a trial of the other size, and the fewest of either.
_BLOCK, _TRIAL, _FEWEST = 16, 5, 3
# Looks until the other size is tried again: at first, and at most (it doubles if nothing changes).
_PATIENCE, _MOST_PATIENCE = 4, 512
# So many times slower than it was means that something has changed.
_SLOWER = 1.5
# With so many times slower runs, one after the other, threads are in each other's way.
_LOST = 3.0
# The other size is tried soon if it once took less than this share of what the one in use takes; so
# many times longer it is believed to take when a trial did take longer; and so many looks at most
# lie between such trials (they double, too).
_HOPE, _DOUBT, _MOST_LOOKS = 0.9, 1.05, 32


def _median(times: list[float]) -> float:
    """Return the median; the module `statistics` would take longer to load than a step to run."""
    ordered = sorted(times)
    half = len(ordered) // 2
    return (ordered[half] + ordered[~half]) / 2


class ThreadTuner:
    """Chooses between one thread and all of them for one program.

    What is faster depends on the machine and on what else it is doing. The size in use is kept as
    long as its times stay level; the other one is tried when they rise, and now and then.

    Args:
        flops: about how many operations a step takes.
    """

    # For tests and benchmarks: the number of threads that every program uses.
    always: int | None = None

    def __init__(self, flops: int) -> None:
        self._guess = flops / _GUESSED_RATE
        self._start(team_size())

    def size(self) -> int:
        """Return on how many threads to run now."""
        if self.always is not None:
            return self.always
        most = team_size()
        if most != self._most:
            self._start(most)
        return self._now

    def steps(self) -> int:
        """Return how many steps to run in one native call, so that it takes some milliseconds."""
        seconds = self._best if math.isfinite(self._best) else self._guess
        # A trial may turn out to be much slower.
        piece = _TRIAL_SECONDS if self._is_trial else _PIECE_SECONDS
        return max(1, int(piece / seconds))

    def took(self, size: int, seconds: float, steps: int = 1) -> None:
        """Note how long a step took on so many threads, one of so many in a native call."""
        if size != self._now:
            return
        times = self._times
        times.append(seconds)
        # The mean over many steps needs fewer readings beside it.
        block = self._block if steps == 1 else max(self._block // 4, _FEWEST)
        if len(times) >= block or (seconds > self._limit and self._is_lost()):
            self._look()

    def _is_lost(self) -> bool:
        """Whether the last two runs took so long that there is no need to see more of them."""
        return len(self._times) > 2 and min(self._times[-2:]) > self._limit

    def _start(self, most: int) -> None:
        """Forget all times, and begin with all threads."""
        self._most = self._now = most
        # The times of this block of runs; the median of the block before, and the least median.
        self._times: list[float] = []
        self._before = self._best = math.inf
        # What either size took when it was last undisturbed, as far as is known.
        self._promise = {1: math.inf, most: math.inf}
        self._is_trial = False
        is_sure = self._guess > _SURELY_WORTH_SHARING
        self._patience = _PATIENCE if is_sure else 0
        self._looks, self._hope = 0, 1
        self._block = _BLOCK if is_sure else _TRIAL
        self._limit = math.inf

    def _look(self) -> None:
        """Choose by the times of the runs since the last look."""
        # The first run after a change of the threads finds cold caches and sleeping workers.
        lost = self._is_lost()
        median = _median(self._times[-2:] if lost else self._times[1:])
        self._times.clear()
        if self._most == 1:
            self._best = median
        elif self._is_trial:
            self._judge(median)
        elif self._is_trial_due(median):
            self._before = median
            self._promise[self._now] = min(self._promise[self._now], median)
            self._is_trial = True
            self._block = _TRIAL
            self._other()
        else:
            self._looks += 1
            self._best = min(self._best, median)
            self._promise[self._now] = min(self._promise[self._now], median)
            self._block = _BLOCK
        self._limit = _SLOWER * self._before if self._is_trial else _LOST * self._best

    def _is_trial_due(self, median: float) -> bool:
        if self._looks >= self._patience or median > _SLOWER * self._best:
            return True
        # What was faster once will be again when whatever disturbed it is over.
        is_hopeful = self._promise[self._size_of_other()] < _HOPE * median
        return is_hopeful and self._looks >= self._hope

    def _size_of_other(self) -> int:
        return 1 if self._now > 1 else self._most

    def _other(self) -> None:
        self._now = self._size_of_other()

    def _judge(self, median: float) -> None:
        """Stay with what was tried if it was faster, else go back."""
        if median < self._before:
            self._patience, self._hope = _PATIENCE, 1
            self._promise[self._now] = min(self._promise[self._now], median)
        else:
            # A promise that was not kept is believed a little less.
            self._promise[self._now] = min(_DOUBT * self._promise[self._now], median)
            if self._looks >= self._patience:
                self._patience = min(max(2 * self._patience, _PATIENCE), _MOST_PATIENCE)
            self._hope = min(2 * self._hope, _MOST_LOOKS)
            self._other()
        self._best = min(median, self._before)
        self._is_trial = False
        self._looks = 0
        self._block = _BLOCK
