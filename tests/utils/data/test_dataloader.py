from __future__ import annotations

import collections
import multiprocessing
import threading
import time
from itertools import chain
from typing import Any

import numpy as np
import pytest

import schuss as ss
from schuss.utils.data import (
    BatchSampler,
    ChainDataset,
    ConcatDataset,
    DataLoader,
    Dataset,
    IterableDataset,
    RandomSampler,
    SequentialSampler,
    StackDataset,
    Subset,
    SubsetRandomSampler,
    TensorDataset,
    WeightedRandomSampler,
    default_collate,
    default_convert,
    get_worker_info,
    random_split,
)


class Squares(Dataset[Any]):
    def __init__(self, n: int) -> None:
        self.n = n

    def __getitem__(self, index: int) -> Any:
        if index >= self.n:
            raise IndexError(index)
        return index, float(index) ** 2

    def __len__(self) -> int:
        return self.n


class Numbers(IterableDataset[int]):
    """The example of every PyTorch course: workers share the range out."""

    def __init__(self, start: int, end: int) -> None:
        self.start, self.end = start, end

    def __iter__(self) -> Any:
        info = get_worker_info()
        if info is None:
            return iter(range(self.start, self.end))
        each = -(-(self.end - self.start) // info.num_workers)
        first = self.start + info.id * each
        return iter(range(first, min(first + each, self.end)))


class Slow(Dataset[int]):
    def __getitem__(self, index: int) -> int:
        time.sleep(0.02 if index % 2 else 0)
        return index

    def __len__(self) -> int:
        return 12


class Failing(Squares):
    def __getitem__(self, index: int) -> Any:
        if index == 5:
            raise KeyError("no such picture")
        return super().__getitem__(index)


class Random(Dataset[Any]):
    def __getitem__(self, index: int) -> Any:
        return ss.rand(2)

    def __len__(self) -> int:
        return 6


def flat(loader: Any) -> list[Any]:
    return [batch.tolist() for batch in loader]


def test_batches_of_pairs() -> None:
    batches = list(DataLoader(Squares(5), batch_size=2))
    assert [type(b) for b in batches] == [list] * 3
    assert [b[0].tolist() for b in batches] == [[0, 1], [2, 3], [4]]
    assert batches[1][1].tolist() == [4.0, 9.0]
    assert (batches[0][0].dtype, batches[0][1].dtype) == (ss.int64, ss.float64)


def test_drop_last_and_length() -> None:
    for n, size, drop in ((10, 3, True), (10, 3, False), (9, 3, True), (2, 5, True)):
        loader = DataLoader(Squares(n), batch_size=size, drop_last=drop)
        assert len(loader) == len(list(loader))


def test_shuffled_epochs_differ_and_a_seed_repeats_them() -> None:
    data = TensorDataset(ss.arange(50))

    def epochs() -> list[Any]:
        ss.manual_seed(3)
        loader = DataLoader(data, batch_size=50, shuffle=True)
        return [next(iter(loader))[0].tolist() for _ in range(2)]

    first = epochs()
    assert first[0] != first[1]
    assert sorted(first[0]) == list(range(50))
    assert epochs() == first


def test_rows_of_tensors_are_those_of_single_samples() -> None:
    x, y = ss.rand(9, 2), ss.arange(9)
    data = Subset(Subset(TensorDataset(x, y), [8, 1, 2, 5]), [0, 3, 1])

    class Own(TensorDataset):
        def __getitem__(self, index: Any) -> Any:
            return tuple(t + 1 for t in super().__getitem__(index))

    at_once = next(iter(DataLoader(data, batch_size=3)))
    single = default_collate([data[i] for i in range(3)])
    for a, b in zip(at_once, single, strict=True):
        assert a.tolist() == b.tolist()
        assert a.dtype == b.dtype
    assert at_once[1].tolist() == [8, 5, 1]
    assert next(iter(DataLoader(Own(y), batch_size=2)))[0].tolist() == [1, 2]


def test_single_samples_without_batches() -> None:
    assert list(DataLoader(Squares(3), batch_size=None)) == [[0, 0.0], [1, 1.0], [2, 4.0]]
    arrays = list(DataLoader([np.zeros(2)] * 2, batch_size=None))  # a list is a data set, too
    assert [(a.shape, a.dtype) for a in arrays] == [((2,), ss.float64)] * 2


def test_many_samples_are_asked_for_at_once() -> None:
    class Many(Squares):
        def __getitems__(self, indices: list[int]) -> list[Any]:
            return [(i, 0.0) for i in indices]

    assert next(iter(DataLoader(Many(4), batch_size=4)))[1].tolist() == [0.0] * 4


@pytest.mark.parametrize("context", [None, "fork"])
@pytest.mark.parametrize("workers", [1, 3])
def test_workers_keep_the_order(workers: int, context: str | None) -> None:
    options: Any = {"num_workers": workers, "multiprocessing_context": context}
    assert flat(DataLoader(Slow(), batch_size=2, **options)) == flat(DataLoader(Slow(), 2))


@pytest.mark.parametrize("workers", [0, 1, 2, 3])
def test_an_iterable_data_set_is_shared_out(workers: int) -> None:
    loader = DataLoader(Numbers(3, 12), batch_size=2, num_workers=workers)
    assert sorted(chain.from_iterable(flat(loader))) == list(range(3, 12))
    dropped = DataLoader(Numbers(3, 12), batch_size=2, num_workers=workers, drop_last=True)
    assert {len(batch) for batch in flat(dropped)} == {2}


def test_the_usual_worker_init_fn() -> None:
    def share_out(worker: int) -> None:
        info = get_worker_info()
        assert info is not None
        assert info.id == worker
        start, end = info.dataset.start, info.dataset.end
        each = (end - start) // info.num_workers
        info.dataset.start = start + worker * each
        info.dataset.end = info.dataset.start + each

    class Plain(Numbers):
        def __iter__(self) -> Any:
            return iter(range(self.start, self.end))

    data = Plain(0, 8)
    loader = DataLoader(data, num_workers=2, worker_init_fn=share_out)
    assert list(chain.from_iterable(flat(loader))) == [0, 4, 1, 5, 2, 6, 3, 7]
    assert (data.start, data.end) == (0, 8)
    assert get_worker_info() is None


def test_an_error_in_a_worker_is_that_error() -> None:
    for workers in (0, 2):
        with pytest.raises(KeyError, match="no such picture") as raised:
            list(DataLoader(Failing(9), batch_size=2, num_workers=workers))
        if workers:
            assert "worker 0 of a DataLoader" in "".join(raised.value.__notes__)


def test_a_worker_that_takes_too_long() -> None:
    class Asleep(Slow):
        def __getitem__(self, index: int) -> int:
            time.sleep(0.3)
            return index

    with pytest.raises(RuntimeError, match=r"worker 0 made no batch within 0\.05 seconds"):
        next(iter(DataLoader(Asleep(), num_workers=1, timeout=0.05)))


@pytest.mark.parametrize("context", [None, "fork"])
def test_random_numbers_of_workers(context: str | None) -> None:
    def drawn() -> list[Any]:
        ss.manual_seed(1)
        options: Any = {"num_workers": 2, "multiprocessing_context": context}
        return flat(DataLoader(Random(), **options))

    first = drawn()
    assert drawn() == first
    assert len({str(batch) for batch in first}) == 6, "workers do not draw the same numbers"


def test_workers_go_when_nobody_wants_more_batches() -> None:
    before = threading.active_count()
    for _ in range(3):
        for _ in DataLoader(Slow(), num_workers=2):
            break
    deadline = time.monotonic() + 5
    while threading.active_count() > before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert threading.active_count() <= before


def test_persistent_workers_stay() -> None:
    class Who(Dataset[Any]):
        def __getitem__(self, index: int) -> Any:
            return threading.current_thread().name, threading.get_ident()

        def __len__(self) -> int:
            return 4

    loader = DataLoader(Who(), num_workers=2, persistent_workers=True)
    threads = [{int(batch[1].item()) for batch in loader} for _ in range(2)]
    assert threads[0] == threads[1]
    assert len(threads[0]) == 2


def test_fork_is_given_as_a_context_too() -> None:
    context = multiprocessing.get_context("fork")
    loader = DataLoader(Squares(4), num_workers=1, multiprocessing_context=context)
    assert [int(b[0].item()) for b in loader] == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"batch_size": 0}, "batch_size to be a whole number above 0"),
        ({"batch_size": 2.5}, "batch_size to be a whole number above 0"),
        ({"num_workers": -1}, "at least 0"),
        ({"timeout": 3}, "timeout needs num_workers"),
        ({"prefetch_factor": 3}, "prefetch_factor needs num_workers"),
        ({"persistent_workers": True}, "persistent_workers needs num_workers"),
        ({"sampler": [1], "shuffle": True}, "leave out shuffle"),
        ({"batch_sampler": [[1]], "batch_size": 3}, "a batch_sampler decides the batches"),
        ({"batch_size": None, "drop_last": True}, "drop_last needs a batch_size"),
    ],
)
def test_arguments_that_exclude_each_other(options: Any, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        DataLoader(Squares(4), **options)


def test_an_iterable_data_set_is_not_shuffled() -> None:
    with pytest.raises(ValueError, match="an IterableDataset decides the order"):
        DataLoader(Numbers(0, 3), shuffle=True)


def test_samplers_of_ones_own() -> None:
    assert flat(DataLoader(range(9), sampler=[4, 2, 7], batch_size=2)) == [[4, 2], [7]]  # type: ignore[arg-type]
    assert flat(DataLoader(range(9), batch_sampler=[[1], [2, 3]])) == [[1], [2, 3]]


def test_random_samplers() -> None:
    ss.manual_seed(0)
    assert sorted(RandomSampler(range(7))) == list(range(7))
    assert sorted(RandomSampler(range(3), num_samples=6)) == [0, 0, 1, 1, 2, 2]
    counts = collections.Counter(RandomSampler(range(3), replacement=True, num_samples=3000))
    assert all(900 < counts[k] < 1100 for k in range(3))
    assert sorted(SubsetRandomSampler([5, 6, 9])) == [5, 6, 9]
    assert list(SequentialSampler("abc")) == [0, 1, 2]
    assert list(BatchSampler([1, 2, 3], 2, True)) == [[1, 2]]


def test_weighted_samplers() -> None:
    ss.manual_seed(0)
    counts = collections.Counter(WeightedRandomSampler([1, 0, 3], 4000))
    assert counts[1] == 0
    assert counts[2] / counts[0] == pytest.approx(3, rel=0.15)
    first = collections.Counter(
        next(iter(WeightedRandomSampler([1, 0, 3], 2, replacement=False))) for _ in range(2000)
    )
    assert first[2] / first[0] == pytest.approx(3, rel=0.2)
    assert sorted(WeightedRandomSampler([1, 0, 3], 2, replacement=False)) == [0, 2]
    with pytest.raises(ValueError, match="at least 3 weights above 0, got 2"):
        WeightedRandomSampler([1, 0, 3], 3, replacement=False)
    with pytest.raises(ValueError, match="finite weights of at least 0"):
        WeightedRandomSampler([1, -1], 3)


def test_data_sets_of_data_sets() -> None:
    both = Squares(2) + Squares(3)
    assert isinstance(both, ConcatDataset)
    assert [both[i][0] for i in (0, 1, 2, -1)] == [0, 1, 0, 2]
    with pytest.raises(IndexError, match="a number below 5, got 5"):
        both[5]
    chained = Numbers(0, 2) + Numbers(5, 6)
    assert isinstance(chained, ChainDataset)
    assert list(chained) == [0, 1, 5]
    with pytest.raises(ValueError, match="use ChainDataset"):
        ConcatDataset([Numbers(0, 1)])
    assert StackDataset(Squares(2), range(2))[1] == ((1, 1.0), 1)
    assert StackDataset(x=Squares(2), y=range(2))[1] == {"x": (1, 1.0), "y": 1}
    with pytest.raises(ValueError, match="one length, got \\[2, 3\\]"):
        StackDataset(Squares(2), Squares(3))
    with pytest.raises(ValueError, match="as many rows each, got \\[2, 3\\]"):
        TensorDataset(ss.zeros(2), ss.zeros(3))


@pytest.mark.parametrize("lengths", [(7, 3), (0.7, 0.3), (0.65, 0.35), (1 / 3, 1 / 3, 1 / 3)])
def test_random_split(lengths: tuple[float, ...]) -> None:
    ss.manual_seed(0)
    parts = random_split(Squares(10), lengths)
    assert sorted(x[0] for part in parts for x in (part[i] for i in range(len(part)))) == list(
        range(10)
    )
    torch = pytest.importorskip("torch")
    expected = torch.utils.data.random_split(range(10), lengths)
    assert [len(p) for p in parts] == [len(p) for p in expected]


def drawn(generator: Any) -> list[Any]:
    data = ss.utils.data.TensorDataset(ss.arange(12))
    parts = random_split(data, [7, 5], generator=generator)
    loader = DataLoader(data, batch_size=4, shuffle=True, generator=generator)
    weighted = WeightedRandomSampler([1.0, 2.0, 3.0] * 4, 6, generator=generator)
    some = SubsetRandomSampler(range(12), generator=generator)
    batches = [batch[0].tolist() for batch in loader]
    return [[part.indices for part in parts], batches, list(weighted), list(some)]


def test_draws_come_from_a_generator_where_there_is_one() -> None:
    ss.manual_seed(5)
    first = drawn(ss.Generator().manual_seed(1))
    ss.rand(3)
    assert drawn(ss.Generator().manual_seed(1)) == first
    assert drawn(ss.Generator().manual_seed(2)) != first
    ss.manual_seed(5)
    ss.rand(3)
    after = ss.rand(2).tolist()
    ss.manual_seed(5)
    drawn(ss.Generator().manual_seed(1))
    ss.rand(3)
    assert ss.rand(2).tolist() == after


def test_random_split_that_does_not_add_up() -> None:
    with pytest.raises(ValueError, match="add up to 10, got \\[7, 2\\]"):
        random_split(Squares(10), [7, 2])


def test_collating_containers() -> None:
    Point = collections.namedtuple("Point", "x y")
    found = default_collate([Point(1, ss.ones(2)), Point(2, ss.zeros(2))])
    assert isinstance(found, Point)
    assert found.y.shape == (2, 2)
    assert default_collate([{"a": [1, "x"]}, {"a": [2, "y"]}])["a"][1] == ["x", "y"]
    assert default_collate([True, False]).dtype == np.bool_
    assert default_collate([np.float32(1), np.float32(2)]).dtype == ss.float32
    assert default_collate([np.zeros(3, np.float32)] * 2).shape == (2, 3)
    with pytest.raises(ValueError, match="samples of one length, got \\[1, 2\\]"):
        default_collate([[1], [1, 2]])
    with pytest.raises(TypeError, match="got object; give the DataLoader a collate_fn"):
        default_collate([object()])
    assert default_convert({"a": np.ones(1)})["a"].dtype == ss.float64


def test_collating_is_pytorchs() -> None:
    torch = pytest.importorskip("torch")
    batch: list[Any] = [(1, 2.5, True, np.float32(3), "a", [1, 2], {"k": np.arange(2)})] * 3
    theirs = torch.utils.data.default_collate(batch)
    ours = default_collate(batch)

    def described(value: Any) -> Any:
        if isinstance(value, list | tuple):
            return [described(v) for v in value]
        if isinstance(value, dict):
            return {k: described(v) for k, v in value.items()}
        if isinstance(value, str):
            return value
        return str(value.dtype).rpartition(".")[2], value.tolist()

    assert described(ours) == described(theirs)


def test_a_network_is_trained_from_batches() -> None:
    ss.manual_seed(0)
    x = ss.randn(64, 3)
    y = x @ ss.tensor([1.0, -2.0, 0.5])
    model = ss.nn.Linear(3, 1)
    optimizer = ss.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(30):
        for inputs, targets in DataLoader(TensorDataset(x, y), 16, shuffle=True, num_workers=2):
            optimizer.zero_grad()
            loss = ((model(inputs).flatten() - targets) ** 2).mean()
            loss.backward()
            optimizer.step()
    assert loss.item() < 1e-6
