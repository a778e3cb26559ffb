"""Which sample is seen when: a pure function of the step, so that a training can be continued exactly.

A training set is anything whose `dataset[number]` is a clip, the same for the same number, for numbers 0, 1,
2, ... No random state has to be saved: step s uses the numbers s * batch to (s + 1) * batch - 1, however many
processes share them.
"""

from collections.abc import Iterator

from torch.utils.data import Sampler


class StepSampler(Sampler[list[int]]):
    """The sample numbers of this process' share of each batch, from step `start` to step `stop`.

    batch: samples of a step over all processes and all its parts. parts: how many pieces a process cuts its
    share into (gradient accumulation); one list is yielded for each.
    """

    def __init__(self, start: int, stop: int, batch: int, rank: int = 0, world: int = 1, parts: int = 1):
        if batch % (world * parts):
            raise ValueError(
                f"StepSampler: a batch of {batch} does not divide by {world} processes times {parts} parts"
            )
        self.start, self.stop, self.batch = start, stop, batch
        self.rank, self.world, self.parts = rank, world, parts

    def __iter__(self) -> Iterator[list[int]]:
        size = self.batch // (self.world * self.parts)
        for step in range(self.start, self.stop):
            for part in range(self.parts):
                first = step * self.batch + (self.rank * self.parts + part) * size
                yield list(range(first, first + size))

    def __len__(self) -> int:
        return (self.stop - self.start) * self.parts
