from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schuss.data import fold_of_rows, permutation, split_rows
from schuss.errors import DataError, UsageError

shares = st.floats(min_value=0.0, max_value=0.95)
seeds = st.integers(min_value=0, max_value=2**32)


def expected_size(n: int, share: float) -> int:
    return 0 if n < 2 or share == 0 else min(max(round(n * share), 1), n - 1)


@settings(max_examples=60, deadline=None)
@given(n=st.integers(min_value=0, max_value=60), share=shares, seed=seeds)
def test_random_split_is_a_partition_of_the_right_size(n, share, seed):
    train, held = split_rows(n, share, seed=seed)
    assert sorted([*train, *held]) == list(range(n))
    assert len(held) == expected_size(n, share)
    again = split_rows(n, share, seed=seed)
    assert again[0].tolist() == train.tolist()


@settings(max_examples=60, deadline=None)
@given(
    labels=st.lists(st.integers(min_value=0, max_value=4), min_size=2, max_size=60),
    share=shares,
    seed=seeds,
)
def test_each_class_has_its_share_and_stays_in_training(labels, share, seed):
    classes = np.array(labels)
    train, held = split_rows(len(classes), share, seed=seed, stratify=classes)
    assert sorted([*train, *held]) == list(range(len(classes)))
    values, counts = np.unique(classes, return_counts=True)
    assert set(classes[train]) == set(values)
    room = int((counts - 1).sum())
    size = expected_size(len(classes), share)
    assert len(held) == min(size, room)
    if size <= room and (counts >= 2).all() and share <= 0.5:
        for value, count in zip(values, counts, strict=True):
            assert abs(int((classes[held] == value).sum()) - count * size / len(classes)) <= 1.0


@settings(max_examples=60, deadline=None)
@given(
    groups=st.lists(st.integers(min_value=0, max_value=9), min_size=2, max_size=60).filter(
        lambda g: len(set(g)) > 1
    ),
    share=shares.filter(bool),
    seed=seeds,
)
def test_no_group_is_on_both_sides(groups, share, seed):
    named = np.array(groups)
    train, held = split_rows(len(named), share, seed=seed, groups=named)
    assert len(train) > 0
    assert len(held) > 0
    assert not set(named[train]) & set(named[held])


@settings(max_examples=60, deadline=None)
@given(
    times=st.lists(st.integers(min_value=0, max_value=30), min_size=2, max_size=60),
    share=shares.filter(bool),
)
def test_the_latest_rows_are_held_out(times, share):
    moments = np.array(times)
    train, held = split_rows(len(moments), share, seed=0, time=moments)
    assert len(train) > 0
    assert len(held) > 0
    assert moments[train].max() <= moments[held].min()
    if len(set(times)) > 1:
        assert moments[train].max() < moments[held].min()


def test_group_sizes_are_near_the_share():
    groups = np.repeat(np.arange(100), 10)
    _, held = split_rows(1000, 0.2, seed=0, groups=groups)
    assert len(held) == 200


def test_groups_leave_every_class_in_training():
    groups = np.repeat(np.arange(20), 5)
    classes = (groups < 2).astype(int)
    for seed in range(20):
        train, _ = split_rows(100, 0.5, seed=seed, groups=groups, stratify=classes)
        assert set(classes[train]) == {0, 1}


def test_seeds_differ_and_the_order_is_fixed_for_ever():
    assert permutation(8, 0).tolist() == [0, 2, 1, 5, 4, 3, 6, 7]
    assert permutation(8, 1).tolist() != permutation(8, 0).tolist()


def test_rows_are_drawn_evenly():
    counts = np.zeros(10)
    for seed in range(600):
        counts[split_rows(10, 0.2, seed=seed)[1]] += 1
    assert abs(counts / 600 - 0.2).max() < 0.06


def test_errors():
    with pytest.raises(UsageError, match=re.escape("expected a share in [0, 1), got 1.0")):
        split_rows(5, 1.0, seed=0)
    with pytest.raises(UsageError, match="groups or time to split by, got both"):
        split_rows(5, 0.2, seed=0, groups=np.arange(5), time=np.arange(5))
    with pytest.raises(DataError, match="expected at least two groups to split by, got one"):
        split_rows(5, 0.2, seed=0, groups=np.zeros(5))


def test_folds_are_of_one_size_and_deal_out_each_class() -> None:
    classes = np.repeat([0, 1, 2], [50, 7, 3])
    folds = fold_of_rows(60, 5, seed=3, stratify=classes)
    assert np.bincount(folds).tolist() == [12] * 5
    for kind in range(3):
        counts = np.bincount(folds[classes == kind], minlength=5)
        assert counts.max() - counts.min() <= 1
    assert (folds != fold_of_rows(60, 5, seed=4, stratify=classes)).any()
    assert np.bincount(fold_of_rows(7, 3, seed=0)).tolist() == [3, 2, 2]
