"""The soft-label check: every fault is found, and honest labels are left in peace."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from softwidth._checks import ArgumentError
from softwidth.label_checks import check_soft_labels
from softwidth.labels import temper


def draw(rng, P):
    return (rng.random((len(P), 1)) > P.cumsum(axis=1)[:, :-1]).sum(axis=1)


def honest(seed, n=500, K=3, softness=0.3):
    """Labels drawn from their soft labels."""
    rng = np.random.default_rng(seed)
    P = rng.dirichlet(np.full(K, softness), n)
    return draw(rng, P), P


def codes(y, soft, level=None, **settings):
    found = check_soft_labels(y, soft, **settings)
    return [finding.code for finding in found if level in (None, finding.level)]


def any_honest(seed):
    """Rows few or many, classes two or a hundred, frequent or rare, surely told or hardly at all."""
    rng = np.random.default_rng(seed)
    n, K = rng.choice([1, 2, 5, 12, 30, 100, 400, 1500]), rng.choice([2, 3, 10, 100])
    frequency = rng.dirichlet(np.full(K, rng.choice([0.2, 1, 100])))
    logits = np.log(frequency + 1e-9) + rng.choice([0, 0.3, 1, 3, 10]) * rng.standard_normal((n, K))
    P = np.exp(logits - logits.max(axis=1, keepdims=True))
    P /= P.sum(axis=1, keepdims=True)
    shown = temper(P, rng.choice([1.0, 1.0, 0.6, 2.0]))  # as sure as it should be, too sure, shy
    votes = rng.choice([0, 0, 2, 3, 10, 50])
    if votes:
        shown = np.array([rng.multinomial(votes, p) for p in shown])
    return draw(rng, P), shown, K


def test_honest_labels_are_not_accused():
    accused = {}
    for seed in range(600):
        y, soft, K = any_honest(seed)
        found = codes(y, soft, "error", n_classes=K)
        if found:
            accused[seed] = (found, len(y), K)
    assert accused == {}


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=50)
def test_no_honest_labels_that_are_accused_can_be_searched_for(seed):
    y, soft, K = any_honest(seed)
    assert codes(y, soft, "error", n_classes=K) == []


# A shuffle looks better than chance, and is let through, once in 700 times: hence the shares.
@pytest.mark.parametrize("K", [2, 3, 10])
def test_shuffled_rows_are_found(K):
    found = []
    for seed in range(50):
        y, P = honest(seed, 500, K)
        order = np.random.default_rng(seed).permutation(500)
        wrong = (P[order], P[::-1], np.roll(P, 3, axis=0), P[np.argsort(P[:, 0])])
        found += [codes(y, soft, "error") == ["row-order"] for soft in wrong]
    assert np.mean(found) >= 0.97


@pytest.mark.parametrize("K", [2, 3, 10])
def test_votes_in_another_order_are_found(K):
    rows, columns = [], []
    for seed in range(30):
        y, P = honest(seed, 1000, K)
        rng = np.random.default_rng(seed)
        votes = np.array([rng.multinomial(5, p) for p in P])
        assert codes(y, votes, "error") == []
        rows.append(codes(y, votes[rng.permutation(1000)], "error") == ["row-order"])
        columns.append(codes(y, np.roll(votes, 1, axis=1), "error") == ["column-order"])
    assert np.mean(rows) >= 0.93
    assert np.mean(columns) >= 0.93


@pytest.mark.parametrize("K", [2, 3, 10])
def test_columns_in_another_order_are_found(K):
    for seed in range(30):
        y, P = honest(seed, 500, K, softness=0.1)
        found = check_soft_labels(y, P[:, np.roll(np.arange(K), 1)])[0]
        assert (found.level, found.code) == ("error", "column-order")
        assert f"after reordering on {np.mean(P.argmax(axis=1) == y):.1%}" in found.message
        assert "column 1 looks like class 0" in found.message


def test_a_shift_is_told_in_words():
    y, P = honest(0)
    message = check_soft_labels(y, np.roll(P, 1, axis=0))[0].message
    assert "moved up by 1 row it agrees on" in message
    assert "moved down by 2 rows" in check_soft_labels(y, np.roll(P, -2, axis=0))[0].message


def test_a_row_dropped_on_the_way_is_told_with_its_place():
    y, P = honest(1, 1000)
    message = check_soft_labels(y, np.concatenate([P[:500], P[501:], P[:1]]))[0].message
    assert "from about row 500 on" in message
    assert "moved down by 1 row" in message


@pytest.mark.parametrize("share", [0.02, 0.1])
def test_rare_classes_are_no_accusation_and_no_hiding_place(share):
    rng = np.random.default_rng(0)
    logits = np.log(share / (1 - share)) + 2 * rng.standard_normal(3000)
    p = 1 / (1 + np.exp(-logits))
    P = np.stack([1 - p, p], axis=1)
    y = draw(rng, P)
    assert codes(y, P, "error") == []  # the top class is nearly always the same
    assert codes(y, rng.permutation(P), "error") == ["row-order"]
    assert codes(y, P[:, ::-1], "error") == ["column-order"]


def test_labels_sorted_by_class_are_no_accusation():
    y, P = honest(2)
    order = np.argsort(y, kind="stable")
    assert codes(y[order], P[order], "error") == []


def test_a_teacher_that_knows_nothing_is_told_from_a_wrong_order():
    y, _ = honest(3)
    assert codes(y, np.full((500, 3), 1 / 3)) == ["uninformative"]
    found = check_soft_labels(np.arange(5000) % 2, np.full((5000, 2), [0.51, 0.49]))
    assert [finding.code for finding in found] == ["uninformative"]
    assert "better teacher" in found[0].cure


def test_almost_hard_labels_are_a_warning():
    y = np.arange(300) % 3
    P = 0.995 * np.eye(3)[y] + 0.005 / 3
    found = {finding.code: finding for finding in check_soft_labels(y, P, in_sample=False)}
    assert set(found) == {"one-hot"}
    assert "0.003" in found["one-hot"].message


def test_where_the_model_learned_is_told_or_asked():
    y = np.arange(300) % 3
    P = 0.8 * np.eye(3)[y] + 0.2 / 3
    asked = check_soft_labels(y, P)
    assert [(finding.level, finding.code) for finding in asked] == [("info", "in-sample")]
    told = check_soft_labels(y, P, in_sample=True)
    assert [(finding.level, finding.code) for finding in told] == [("warning", "in-sample")]
    assert "Cross-fit" in told[0].cure
    assert codes(y, P, in_sample=False) == []


def test_few_votes_bring_the_schemes_that_use_them():
    y, P = honest(4)
    rng = np.random.default_rng(0)
    few, many = (np.array([rng.multinomial(n, p) for p in P]) for n in (3, 30))
    assert codes(y, few) == ["few-votes"]
    assert codes(y, many) == []


@pytest.mark.parametrize(
    ("soft", "says"),
    [
        ([[0.5, 0.6], [0.5, 0.5]], "sums to neither"),
        ([[3.0, -1.0], [0.5, 0.5]], "negative"),
        ([[np.nan, 1], [0.5, 0.5]], "NaN"),
        ([[0, 0], [1, 2]], "no votes"),
        ([[20.5, 79.5], [50, 50]], "sums to neither"),
        ([["a", "b"], ["c", "d"]], "numbers"),
        ([[0.2, 0.3, 0.5]] * 2, "2 columns"),
    ],
)
def test_what_are_no_soft_labels_is_the_only_finding(soft, says):
    found = check_soft_labels([0, 1], soft, n_classes=2)
    assert [(finding.level, finding.code) for finding in found] == [("error", "not-probabilities")]
    assert says in found[0].message


@pytest.mark.parametrize("y", [[0], [0, 2], [0, 0.5], [], ["a", "b"], [0, np.nan]])
def test_labels_that_do_not_fit_are_our_error(y):
    with pytest.raises(ArgumentError):
        check_soft_labels(y, [[0.5, 0.5], [0.5, 0.5]])


def test_one_row_and_one_class_are_judged_in_silence():
    assert codes([0], [[0.6, 0.4]], "error") == []
    assert codes([0] * 50, [[0.6, 0.4]] * 50, "error") == []
    assert codes([1] * 50, [[0.99, 0.01]] * 50, "error") == []  # no order of rows is better


def test_worst_findings_come_first():
    y, P = honest(5, softness=0.01)
    levels = [finding.level for finding in check_soft_labels(y, P[::-1], in_sample=True)]
    assert levels == sorted(levels, key=("error", "warning", "info").index)
    assert len(levels) == 3


def test_human_votes_on_cifar10_are_clean_and_found_out_when_moved(real_data):
    votes = np.load(real_data / "cifar10h-counts.npy")
    y = np.load(real_data / "cifar10_test.npz")["y"]
    assert codes(y, votes, "error") == []
    assert codes(y, np.roll(votes, 1, axis=0), "error") == ["row-order"]
    assert codes(y, votes[:, [0, 1, 2, 5, 4, 3, 6, 7, 8, 9]], "error") == ["column-order"]
    stored = np.load(real_data / "cifar10n_train_votes.npz")
    three = sum(np.eye(10, dtype=int)[stored["votes"][:, k]] for k in range(3))
    assert codes(stored["y"], three) == ["few-votes"]
    found = check_soft_labels(stored["y"], np.roll(three, -1, axis=0))[0]
    assert found.code == "row-order"
    assert "moved down by 1 row" in found.message


def test_model_probabilities_of_real_images_are_clean(real_data):
    for name, file in (("cifar10", "cifar10_test.npz"), ("mnist", "mnist.npz")):
        P = np.load(real_data / f"cleanlab_{name}_test_model_probs.npy")
        y = np.load(real_data / file)["y_test" if name == "mnist" else "y"]
        assert codes(y, P, "error") == []
        assert codes(y, P[::-1], "error") == ["row-order"]


def test_votes_whose_majority_is_the_label_are_nobodys_memory():
    y = np.arange(300) % 3
    votes = np.rint(20 * (0.7 * np.eye(3)[y] + 0.1)).astype(int)
    assert codes(y, votes) == []
    assert codes(y, votes / votes.sum(axis=1, keepdims=True)) == ["in-sample"]
