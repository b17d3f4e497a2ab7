"""The thread tuner: on how many threads a program runs, chosen by time while it runs."""

from __future__ import annotations

import math

from schuss.threads import program_threads

__all__ = ["ThreadTuner"]

# Operations a second of one core, roughly: only to guess before anything was timed.
_GUESSED_RATE = 1e11
# Programs that take longer than this on one core are faster on all cores, unless others use them.
_SURELY_WORTH_SHARING = 300e-6
# Many steps in one native call are cut into calls of about this time, so that each is a reading.
_CALL_SECONDS, _TRIAL_CALL_SECONDS = 0.01, 0.002
# Readings in a block, in a block of a trial, and the fewest in either.
_BLOCK, _TRIAL_BLOCK, _FEWEST = 16, 5, 3
# Blocks until the alternative is tried again: at first, and at most (they double if it is slower).
_TRIAL_INTERVAL, _LONGEST_TRIAL_INTERVAL = 4, 512
# So many times slower than it was means that something has changed.
_SLOWER = 1.5
# With so many times slower runs, one after the other, threads are in each other's way.
_CONTENDED = 3.0
# The alternative is tried early if it once took less than this share of what is in use takes; and
# so many blocks at most lie between such trials (they double, too). A trial that took longer makes
# its time believed to be so many times longer.
_PROMISING, _LONGEST_EARLY_INTERVAL = 0.9, 32
_DOUBT = 1.05


def _median(times: list[float]) -> float:
    """Return the median; the module `statistics` would take longer to load than a step to run."""
    ordered = sorted(times)
    half = len(ordered) // 2
    return (ordered[half] + ordered[~half]) / 2


class ThreadTuner:
    """Chooses between one thread and all of them for one program.

    What is faster depends on the machine and on what else it is doing. The number in use is kept
    as long as its times stay level; the alternative is tried when they rise, and now and then.

    Args:
        flops: about how many operations a step takes.
    """

    # For tests and benchmarks: the number of threads that every program uses.
    always: int | None = None

    def __init__(self, flops: int) -> None:
        self._guess = flops / _GUESSED_RATE
        self._restart(program_threads())

    def threads(self) -> int:
        """Return on how many threads to run now."""
        if self.always is not None:
            return self.always
        most = program_threads()
        if most != self._most:
            self._restart(most)
        return self._current

    def steps(self) -> int:
        """Return how many steps to run in one native call, so that it takes some milliseconds."""
        seconds = self._best if math.isfinite(self._best) else self._guess
        # A trial may turn out to be much slower.
        aim = _TRIAL_CALL_SECONDS if self._is_trial else _CALL_SECONDS
        return max(1, int(aim / seconds))

    def record(self, threads: int, seconds: float, steps: int = 1) -> None:
        """Note a reading.

        Args:
            threads: on which the program ran.
            seconds: that a step took, in the mean over the steps of a native call.
            steps: in that call.
        """
        if threads != self._current:
            return
        times = self._times
        times.append(seconds)
        # The mean over many steps needs fewer readings beside it.
        block = self._block if steps == 1 else max(self._block // 4, _FEWEST)
        if len(times) >= block or (seconds > self._limit and self._is_contended()):
            self._end_block()

    def _is_contended(self) -> bool:
        """Whether the last two runs took so long that there is no need to see more of them."""
        return len(self._times) > 2 and min(self._times[-2:]) > self._limit

    def _restart(self, most: int) -> None:
        """Forget all times, and begin with all threads."""
        self._most = self._current = most
        # The readings of this block; the median of the block before a trial, and the least median.
        self._times: list[float] = []
        self._before_trial = self._best = math.inf
        # What a step takes on so many threads when it is undisturbed, as far as is known.
        self._undisturbed = {1: math.inf, most: math.inf}
        self._is_trial = False
        is_sure = self._guess > _SURELY_WORTH_SHARING
        self._trial_interval = _TRIAL_INTERVAL if is_sure else 0
        self._blocks, self._early_interval = 0, 1
        self._block = _BLOCK if is_sure else _TRIAL_BLOCK
        self._limit = math.inf

    def _end_block(self) -> None:
        """Choose by the readings of this block."""
        # The first run after a change of the threads finds cold caches and sleeping workers.
        is_contended = self._is_contended()
        median = _median(self._times[-2:] if is_contended else self._times[1:])
        self._times.clear()
        if self._most == 1:
            self._best = median
        elif self._is_trial:
            self._end_trial(median)
        elif self._is_trial_due(median):
            self._before_trial = median
            self._note_undisturbed(median)
            self._is_trial = True
            self._block = _TRIAL_BLOCK
            self._current = self._alternative()
        else:
            self._blocks += 1
            self._best = min(self._best, median)
            self._note_undisturbed(median)
            self._block = _BLOCK
        is_trial = self._is_trial
        self._limit = _SLOWER * self._before_trial if is_trial else _CONTENDED * self._best

    def _note_undisturbed(self, median: float) -> None:
        self._undisturbed[self._current] = min(self._undisturbed[self._current], median)

    def _is_trial_due(self, median: float) -> bool:
        if self._blocks >= self._trial_interval or median > _SLOWER * self._best:
            return True
        # What was faster once will be again when whatever disturbed it is over.
        is_promising = self._undisturbed[self._alternative()] < _PROMISING * median
        return is_promising and self._blocks >= self._early_interval

    def _alternative(self) -> int:
        return 1 if self._current > 1 else self._most

    def _end_trial(self, median: float) -> None:
        """Stay with what was tried if it was faster, else go back."""
        if median < self._before_trial:
            # Something may have slowed down the block before: ask again soon.
            self._trial_interval, self._early_interval = 0, 1
            self._block = _TRIAL_BLOCK
            self._note_undisturbed(median)
        else:
            tried = self._current
            self._undisturbed[tried] = min(_DOUBT * self._undisturbed[tried], median)
            if self._blocks >= self._trial_interval:
                longer = max(2 * self._trial_interval, _TRIAL_INTERVAL)
                self._trial_interval = min(longer, _LONGEST_TRIAL_INTERVAL)
            self._early_interval = min(2 * self._early_interval, _LONGEST_EARLY_INTERVAL)
            self._current = self._alternative()
            self._block = _BLOCK
        self._best = min(median, self._before_trial)
        self._is_trial = False
        self._blocks = 0
