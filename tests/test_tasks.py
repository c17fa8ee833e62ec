"""Tasks made of a source: properties of groups, pairs, noise, splits and conflicts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from sklearn.model_selection import train_test_split

from softwidth._checks import ArgumentError
from softwidth._types import Dataset
from softwidth.labels import as_probabilities
from softwidth.tasks import (
    Part,
    add_noise,
    conflicting_rows,
    flip_labels,
    group,
    keep_by_margin,
    keep_classes,
    keep_pair,
    split_rows,
    to_unit_rows,
)

CLASSES = ("ant", "bee", "cat", "dog")
seeds = st.integers(0, 2**32 - 1)


def random_part(seed, soft="probabilities", n=40):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 4, n)
    soft = {
        "probabilities": rng.dirichlet(np.ones(4), n),
        "votes": rng.multinomial(7, [0.25] * 4, n),
        "none": None,
    }[soft]
    return Part(rng.standard_normal((n, 3)).astype(np.float32), y, soft)


kinds_of_soft = st.sampled_from(["probabilities", "votes", "none"])


# --- groups and pairs


@given(seeds, kinds_of_soft, st.sets(st.sampled_from(CLASSES), min_size=1, max_size=3))
def test_a_group_is_its_indicator_and_its_summed_soft_labels(seed, soft, positive):
    part = random_part(seed, soft)
    grouped, sides = group(part, CLASSES, sorted(positive))
    for i, label in enumerate(part.y):
        assert grouped.y[i] == (CLASSES[label] in positive)
    assert [set(side.split("+")) for side in sides] == [set(CLASSES) - positive, positive]
    if part.soft is not None:
        inside = [k for k, name in enumerate(CLASSES) if name in positive]
        np.testing.assert_allclose(grouped.soft[:, 1], part.soft[:, inside].sum(axis=1))
        np.testing.assert_allclose(
            as_probabilities(grouped.soft)[:, 1],
            as_probabilities(part.soft)[:, inside].sum(axis=1),
        )
    # The other side is the same task with the classes exchanged.
    other, _ = group(part, CLASSES, sorted(set(CLASSES) - positive))
    np.testing.assert_array_equal(other.y, 1 - grouped.y)


@given(seeds, kinds_of_soft, st.permutations(CLASSES))
def test_a_pair_keeps_its_rows_and_conditions_the_soft_labels_on_them(seed, soft, order):
    part, pair = random_part(seed, soft), order[:2]
    kept, classes, notes = keep_pair(part, CLASSES, pair)
    ids = [CLASSES.index(name) for name in pair]
    assert classes == tuple(pair)
    rows = [i for i, label in enumerate(part.y) if label in ids]
    np.testing.assert_array_equal(kept.X, part.X[rows])
    np.testing.assert_array_equal(kept.y, [ids.index(part.y[i]) for i in rows])
    if part.soft is None:
        assert kept.soft is None
        return
    given_pair = part.soft[rows][:, ids]
    some = given_pair.sum(axis=1) > 0
    shares = as_probabilities(kept.soft)
    conditional = given_pair[some] / given_pair[some].sum(axis=1, keepdims=True)
    np.testing.assert_allclose(shares[some], conditional)
    np.testing.assert_array_equal(shares[~some], np.eye(2)[kept.y[~some]])
    assert bool(notes) == (not some.all())


@given(seeds, kinds_of_soft, st.sets(st.sampled_from(CLASSES), min_size=2))
def test_some_classes_are_the_rows_of_their_pairs(seed, soft, only):
    part, names = random_part(seed, soft), sorted(only)
    kept, classes, _ = keep_classes(part, CLASSES, names[::-1])
    assert list(classes) == names
    np.testing.assert_array_equal(
        np.array(names)[kept.y],
        np.array(CLASSES)[part.y][np.isin(part.y, [CLASSES.index(n) for n in names])],
    )
    again, _, _ = keep_pair(kept, classes, names[:2])
    once, _, _ = keep_pair(part, CLASSES, names[:2])
    np.testing.assert_array_equal(again.X, once.X)
    if soft == "votes":  # without a row that had no vote on the classes, conditioning twice is once
        some = (
            part.soft[np.isin(part.y, [CLASSES.index(n) for n in names[:2]])][
                :, [CLASSES.index(n) for n in names[:2]]
            ].sum(axis=1)
            > 0
        )
        np.testing.assert_array_equal(again.soft[some], once.soft[some])


def test_numbers_and_single_names_are_class_names_too():
    part = random_part(0)
    digits = tuple(map(str, range(4)))
    for positive in ([1], ["1"], np.array([1]), 1, "1", (1, "1")):
        np.testing.assert_array_equal(group(part, digits, positive)[0].y, part.y == 1)


@pytest.mark.parametrize(
    ("make", "labels", "says"),
    [
        (group, ["bea"], "did you mean 'bee'"),
        (group, [], "both sides"),
        (group, CLASSES, "both sides"),
        (group, "cab", "`positive` .*unknown"),
        (keep_classes, ["ant", "ant"], "at least two classes"),
        (keep_classes, ["ant", "dgo"], "did you mean 'dog'"),
        (keep_pair, ["ant", "ant"], "two different classes"),
        (keep_pair, ["ant"], "two different classes"),
        (keep_pair, ["ant", "bee", "cat"], "two different classes"),
        (keep_pair, ["ant", "dgo"], "did you mean 'dog'"),
    ],
)
def test_classes_that_are_none_are_named(make, labels, says):
    with pytest.raises(ArgumentError, match=says):
        make(random_part(0), CLASSES, labels)


# --- noise and scaling


def test_noise_has_its_level_in_every_feature_and_is_seeded():
    X = np.random.default_rng(0).random((20_000, 3), dtype=np.float32)
    sigma = 0.4
    noisy = add_noise(X, sigma, np.random.default_rng(1))
    difference = noisy - X
    error = 5 * sigma / np.sqrt(len(X))
    assert abs(difference.mean(axis=0)).max() < error
    assert abs(difference.std(axis=0) - sigma).max() < error
    assert abs(np.corrcoef(difference.T) - np.eye(3)).max() < 5 / np.sqrt(len(X))
    np.testing.assert_array_equal(noisy, add_noise(X, sigma, np.random.default_rng(1)))
    assert add_noise(X, 0, np.random.default_rng(1)) is X


def test_noise_that_leaves_the_numbers_is_refused():
    X = np.full((3, 2), 3.4e38, np.float32)
    with pytest.raises(ArgumentError, match="NaN or infinite"):
        add_noise(X, 1e38, np.random.default_rng(0))


@given(seeds, st.integers(-37, 37))
def test_rows_of_any_size_come_to_unit_norm_in_their_direction(seed, exponent):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((5, 4)) + 0.1
    scaled = (X * 10.0**exponent).astype(np.float32)
    # Below 1e-38 float32 has few digits left, so directions are those of what it holds.
    exact = scaled.astype(np.float64)
    assume(exact.any(axis=1).all() and np.isfinite(exact).all())
    exact /= np.linalg.norm(exact, axis=1, keepdims=True)
    unit = to_unit_rows(scaled)
    np.testing.assert_allclose(unit, exact, atol=3e-7)
    np.testing.assert_allclose(np.linalg.norm(unit.astype(float), axis=1), 1, atol=3e-7)


@given(seeds)
def test_powers_of_two_change_nothing(seed):
    X = np.random.default_rng(seed).standard_normal((5, 4)).astype(np.float32)
    np.testing.assert_array_equal(to_unit_rows(X * 2**60), to_unit_rows(X.copy()))


def test_what_may_not_be_written_is_left_alone():
    X = np.full((3, 2), 2, np.float32)
    X.flags.writeable = False
    assert to_unit_rows(X) is not X
    assert (X == 2).all()
    own = np.full((3, 2), 2, np.float32)
    assert to_unit_rows(own) is own


def test_blocks_of_rows_are_scaled_alike():
    X = np.random.default_rng(0).standard_normal((5000, 3)).astype(np.float32)
    rows = [0, 2047, 2048, 4095, 4096, 4999]
    np.testing.assert_array_equal(to_unit_rows(X[rows]), to_unit_rows(X.copy())[rows])


def test_zero_rows_are_named():
    X = np.ones((9, 2), np.float32)
    X[[2, 5]] = 0
    with pytest.raises(ArgumentError, match=r"`X_test` .*rows of zeros.* 2, 5"):
        to_unit_rows(X, name="X_test")


# --- splits


@st.composite
def labels_to_split(draw):
    counts = draw(st.lists(st.integers(1, 40), min_size=1, max_size=6))
    assume(sum(counts) > len(counts))
    rng = np.random.default_rng(draw(seeds))
    return rng.permutation(np.repeat(np.arange(len(counts)) * 2, counts))


@given(labels_to_split(), st.floats(0, 1), st.integers(0, 5))
def test_splits_are_disjoint_complete_stratified_and_seeded(y, share, seed):
    present, counts = np.unique(y, return_counts=True)
    n = len(present) + round(share * (len(y) - 1 - len(present)))
    chosen, others = split_rows(y, n, seed=seed)
    assert len(chosen) == n
    assert sorted([*chosen, *others]) == list(range(len(y)))
    taken = np.array([(y[chosen] == label).sum() for label in present])
    assert taken.min() >= 1
    if n <= np.maximum(counts - 1, 1).sum():  # then no class of two rows or more is lost
        assert ((counts - taken)[counts >= 2] >= 1).all()
    again, _ = split_rows(y, n, seed=seed)
    np.testing.assert_array_equal(chosen, again)


@given(labels_to_split(), st.floats(0.1, 0.9))
def test_classes_keep_their_proportions(y, share):
    present, counts = np.unique(y, return_counts=True)
    n = round(share * len(y))
    wish = counts * n / len(y)
    assume(len(present) <= n < len(y))
    assume((wish >= 1).all() and (wish <= counts - 1).all())
    chosen, _ = split_rows(y, n, seed=0)
    taken = np.array([(y[chosen] == label).sum() for label in present])
    assert abs(taken - wish).max() < 1


def test_class_counts_are_scikit_learns():
    y = np.repeat([0, 1, 2], [100, 60, 40])
    _, theirs = train_test_split(y, test_size=50, stratify=y, random_state=0)
    ours, _ = split_rows(y, 50, seed=0)
    np.testing.assert_array_equal(np.bincount(y[ours]), np.bincount(theirs))


def test_every_row_is_chosen_equally_often():
    y = np.repeat([0, 1], [8, 4])
    times = np.zeros(12)
    for seed in range(3000):
        times[split_rows(y, 6, seed=seed)[0]] += 1
    assert abs(times / 3000 - 0.5).max() < 5 * 0.5 / np.sqrt(3000)


@pytest.mark.parametrize("n", [0, -1, 1, 12, 13, 2.5, "3", True])
def test_sizes_that_leave_a_side_without_classes_are_refused(n):
    with pytest.raises(ArgumentError, match="`size`"):
        split_rows(np.repeat([0, 1], [8, 4]), n, seed=0, name="size")


# --- flips, margins, conflicts


@given(seeds, st.floats(0, 1))
def test_flips_touch_labels_only(seed, rate):
    part = random_part(seed)
    flipped = flip_labels(part, rate, 4, np.random.default_rng(seed))
    assert flipped.X is part.X
    assert flipped.soft is part.soft
    assert set(flipped.y) <= set(range(4))
    again = flip_labels(part, rate, 4, np.random.default_rng(seed))
    np.testing.assert_array_equal(flipped.y, again.y)


def random_dataset(seed, n=30):
    rng = np.random.default_rng(seed)
    X, y = rng.standard_normal((n, 2)), np.arange(n) % 2
    return Dataset(X, y, X, y, X, y, soft_train=np.eye(2)[y], classes=("a", "b"))


@given(seeds, st.floats(0.2, 1), st.sampled_from(["smallest", "largest"]))
def test_rows_kept_by_margin_are_the_extreme_ones(seed, fraction, keep):
    dataset = random_dataset(seed)
    margins = np.random.default_rng(seed).standard_normal(30)
    n = round(fraction * 30)
    rows = np.sort(np.argsort(margins)[:n] if keep == "smallest" else np.argsort(margins)[-n:])
    assume(len(np.unique(dataset.y_train[rows])) == 2)
    kept = keep_by_margin(dataset, margins.tolist(), fraction, keep=keep)
    np.testing.assert_array_equal(kept.X_train, dataset.X_train[rows])
    np.testing.assert_array_equal(kept.y_train, dataset.y_train[rows])
    np.testing.assert_array_equal(kept.soft_train, dataset.soft_train[rows])
    assert kept.X_val is dataset.X_val
    assert kept.X_test is dataset.X_test
    assert f"Kept the {n} training rows of {keep} margin." in kept.notes


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"keep": "smalest"}, "did you mean 'smallest'"),
        ({"fraction": 0}, "`fraction`"),
        ({"fraction": 1.1}, "`fraction`"),
        ({"fraction": np.nan}, "`fraction`"),
        ({"fraction": 0.03}, "single class"),
        ({"margins": np.zeros(29)}, "`margins`"),
        ({"margins": np.full(30, np.nan)}, "`margins` .*NaN"),
        ({"margins": np.zeros((30, 2))}, "one number for each"),
        ({"margins": 1.0}, "`margins`"),
        ({"margins": ["a"] * 30}, "`margins`"),
    ],
)
def test_thinning_refuses_what_it_cannot_do(arguments, says):
    usual = {"margins": np.arange(30.0), "fraction": 0.5, **arguments}
    with pytest.raises(ArgumentError, match=says):
        keep_by_margin(random_dataset(0), **usual)


@given(seeds, st.integers(1, 25), st.integers(1, 4))
def test_conflicts_are_found_as_by_comparing_every_two_rows(seed, n, distinct):
    rng = np.random.default_rng(seed)
    X = rng.integers(0, distinct, (n, 2)).astype(np.float32)
    X[rng.random((n, 2)) < 0.2] *= -1  # -0 equals 0
    y = rng.integers(0, 3, n)
    by_hand = sum(any((X[i] == X[j]).all() and y[i] != y[j] for j in range(n)) for i in range(n))
    assert conflicting_rows(X, y) == by_hand


def test_part_rows_take_soft_labels_along():
    part = random_part(3)
    rows = np.array([5, 1, 1])
    np.testing.assert_array_equal(part.rows(rows).soft, part.soft[rows])
    assert replace(part, soft=None).rows(rows).soft is None
