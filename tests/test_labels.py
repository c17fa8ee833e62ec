"""Label schemes against their formulas, their frequencies and what users get wrong."""

from __future__ import annotations

import numpy as np
import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from softwidth._checks import ArgumentError, MemoryLimitError
from softwidth.labels import (
    SCHEMES,
    as_probabilities,
    entropy,
    flip,
    is_votes,
    make_targets,
    parse_scheme,
    repeat_votes,
    temper,
)

SURE = 5.0  # standard errors that a frequency may be off


def random_labels(seed, N, K):
    rng = np.random.default_rng(seed)
    return rng.integers(0, K, N), rng.dirichlet(np.full(K, 0.5), N)


labels = st.builds(
    random_labels, seed=st.integers(0, 2**32 - 1), N=st.integers(1, 30), K=st.integers(2, 7)
)


@st.composite
def vote_tables(draw):
    N, K = draw(st.integers(1, 12)), draw(st.integers(2, 5))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    counts = rng.integers(0, draw(st.integers(1, 6)), (N, K))
    counts[:, 0] += 2  # never a table of single votes, which would be one-hot probabilities
    return counts


@given(labels, st.floats(0, 1), st.floats(0.05, 20))
def test_schemes_are_their_formulas(pair, weight, temperature):
    y, P = pair
    N, K = P.shape
    made = {
        text: make_targets(text, y, P, n_classes=K).P
        for text in (
            "hard",
            "soft",
            f"smoothed({weight})",
            f"tempered({temperature})",
            f"mixed({weight},{temperature})",
        )
    }
    for i in range(N):
        logits = np.log(np.maximum(P[i], 1e-300)) / temperature
        tempered = np.exp(logits - logits.max()) / np.exp(logits - logits.max()).sum()
        for k in range(K):
            hard = float(y[i] == k)
            values = [
                hard,
                P[i, k],
                (1 - weight) * hard + weight / K,
                tempered[k],
                weight * hard + (1 - weight) * tempered[k],
            ]
            for text, value in zip(made, values, strict=True):
                assert made[text][i, k] == pytest.approx(value, abs=1e-9), text


@given(labels)
def test_hard_labels_as_one_hot_soft_labels_are_the_same_targets(pair):
    y, P = pair
    hard = make_targets("hard", y, n_classes=P.shape[1]).P
    for scheme in ("soft", "argmax", "tempered(3)", "mixed(0.3,3)", "flipped(0)"):
        again = make_targets(scheme, y, hard, n_classes=P.shape[1]).P
        np.testing.assert_allclose(again, hard, atol=1e-12)


@given(labels, st.floats(0.2, 5), st.floats(0.2, 5))
def test_temperatures_multiply(pair, first, second):
    _, P = pair
    np.testing.assert_allclose(
        temper(temper(P, first), second), temper(P, first * second), atol=1e-9
    )


def test_temperature_ends_at_the_top_class_and_at_the_uniform():
    P = np.array([[0.5, 0.3, 0.2]])
    np.testing.assert_allclose(temper(P, 1e-3), [[1, 0, 0]], atol=1e-12)
    np.testing.assert_allclose(temper(P, 1e9), np.full((1, 3), 1 / 3), atol=1e-8)


@given(labels)
def test_entropy_is_scipys(pair):
    _, P = pair
    np.testing.assert_allclose(entropy(P), [stats.entropy(row) for row in P], atol=1e-12)


def test_argmax_breaks_ties_by_chance_and_by_seed():
    votes = np.tile([2, 2, 1], (4000, 1))
    top = make_targets("argmax", P=votes, n_classes=3, seed=1).P
    share = top.mean(axis=0)
    assert share[2] == 0
    assert abs(share[0] - 0.5) < SURE * 0.5 / np.sqrt(4000)
    np.testing.assert_array_equal(top, make_targets("argmax", P=votes, n_classes=3, seed=1).P)
    assert (top != make_targets("argmax", P=votes, n_classes=3, seed=2).P).any()


@pytest.mark.parametrize("rate", [0.0, 0.3, 1.0])
def test_flips_come_at_their_rate_and_reach_every_other_class(rate):
    n, K = 20_000, 4
    y = np.random.default_rng(0).integers(0, K, n)
    flipped = make_targets(f"flipped({rate})", y, n_classes=K, seed=3).P.argmax(axis=1)
    error = SURE * np.sqrt(rate * (1 - rate) / n)
    assert abs(np.mean(flipped != y) - rate) <= error
    for step in range(1, K):  # uniform over the others
        share = np.mean((flipped - y) % K == step)
        assert abs(share - rate / 3) <= SURE * np.sqrt(rate / 3 * (1 - rate / 3) / n)


def test_sampled_votes_have_the_frequencies_of_the_soft_labels():
    P = np.array([[0.1, 0.2, 0.7], [1.0, 0.0, 0.0], [0.5, 0.5, 0.0]])
    targets = make_targets("sampled", P=P, n_classes=3, seed=4)
    epochs = 4000
    draws = np.array([targets.at(epoch) for epoch in range(epochs)])
    assert set(np.unique(draws)) == {0.0, 1.0}
    assert (draws.sum(axis=2) == 1).all()
    assert (abs(draws.mean(axis=0) - P) <= SURE * np.sqrt(P * (1 - P) / epochs)).all()
    # Rows and epochs are independent: the third row's draws do not follow the first's.
    table = np.einsum("ej,ek->jk", draws[:, 0], draws[:, 2])[:, :2]
    assert stats.chi2_contingency(table).pvalue > 1e-6
    np.testing.assert_array_equal(targets.at(7), draws[7])


@given(vote_tables(), st.integers(0, 5))
def test_multipass_uses_every_vote_once_before_any_again(counts, seed):
    targets = make_targets("multipass", P=counts, n_classes=counts.shape[1], seed=seed)
    assert not targets.fixed
    longest = int(counts.sum(axis=1).max())
    seen = np.array([targets.at(epoch) for epoch in range(3 * longest)])
    for i, own in enumerate(counts):
        n = own.sum()
        for start in range(0, 2 * n, n):
            np.testing.assert_array_equal(seen[start : start + n, i].sum(axis=0), own)


def test_multipass_goes_through_the_votes_in_random_order():
    counts = np.tile([30, 30], (200, 1))
    first = make_targets("multipass", P=counts, n_classes=2).at(0)
    assert abs(first[:, 0].mean() - 0.5) < SURE * 0.5 / np.sqrt(200)


@given(vote_tables())
def test_repeated_votes_give_the_counts_back(counts):
    X = np.arange(len(counts))[:, None].astype(float)
    rows_of_X, classes, rows = repeat_votes(X, counts)
    again = np.zeros_like(counts)
    np.add.at(again, (rows, classes), 1)
    np.testing.assert_array_equal(again, counts)
    np.testing.assert_array_equal(rows_of_X[:, 0], rows)


@given(vote_tables())
def test_every_form_of_votes_means_the_same_distribution(counts):
    K = counts.shape[1]
    shares = make_targets("soft", P=counts, n_classes=K).P
    one_pass = make_targets("multipass", P=counts, n_classes=K)
    for i, own in enumerate(counts):
        mean = np.mean([one_pass.at(epoch)[i] for epoch in range(own.sum())], axis=0)
        np.testing.assert_allclose(mean, shares[i], atol=1e-12)
    _, classes, rows = repeat_votes(np.zeros((len(counts), 1)), counts)
    hard = np.eye(K)[classes]
    np.testing.assert_allclose(
        [hard[rows == i].mean(axis=0) for i in range(len(counts))], shares, atol=1e-12
    )


@given(vote_tables(), st.sampled_from([np.uint8, np.int32, np.float32, np.float64]))
def test_votes_of_any_type_are_normalised(counts, dtype):
    assert is_votes(counts.astype(dtype))
    np.testing.assert_allclose(
        as_probabilities(counts.astype(dtype)),
        counts / counts.sum(axis=1, keepdims=True),
        atol=1e-12,
    )


@given(labels)
def test_probabilities_stay_and_sum_to_one_exactly(pair):
    _, P = pair
    off = P * (1 + 5e-4)
    np.testing.assert_allclose(as_probabilities(off), P, atol=1e-12)
    again = as_probabilities(as_probabilities(off))
    np.testing.assert_allclose(again.sum(axis=1), 1, atol=1e-15)


def test_one_column_is_the_positive_class():
    np.testing.assert_allclose(as_probabilities([0.2, 1, 0]), [[0.8, 0.2], [0, 1], [1, 0]])


@pytest.mark.parametrize(
    ("soft", "says"),
    [
        ([[0.5, np.nan], [0.5, 0.5]], "NaN or infinite entries in rows 0"),
        ([[0.5, 0.5], [np.inf, 0]], "NaN or infinite entries in rows 1"),
        ([[1.5, -0.5]], "negative entries in rows 0"),
        ([[0.5, 0.5], [0.5, 0.4]], "sums to neither 1 .* in rows 1"),
        ([[0, 0], [1, 2]], "no votes in rows 0"),
        ([[0.0, 0.0]], "no votes"),
        ([[1], [1]], "at least two columns"),
        ([], "non-empty"),
        ([[]], "non-empty"),
        (0.5, "non-empty"),
        (np.zeros((2, 2, 2)), "non-empty"),
        ([[1, 2], [3]], "every row as many"),
        ([["a", "b"]], "real numbers"),
        ([[object(), object()]], "real numbers"),
        ([[1 + 1j, 0]], "real numbers"),
        ([0.5, 1.2], "positive class.*not within 0..1 in rows 1"),
        ([0.5, np.nan], "NaN"),
    ],
)
def test_soft_labels_that_are_none_are_refused(soft, says):
    with pytest.raises(ArgumentError, match=rf"`soft` .*{says}"):
        as_probabilities(soft)


@pytest.mark.parametrize(
    ("scheme", "arguments", "says"),
    [
        ("sotf", {}, "did you mean 'soft'"),
        ("smothed(0.1)", {}, "did you mean 'smoothed'"),
        ("smoothed", {}, r"must be written `smoothed\(alpha\)`"),
        ("smoothed(a)", {}, "must be written"),
        ("mixed(0.5)", {}, r"must be written `mixed\(weight, temperature\)`"),
        ("hard(1)", {}, "must be written `hard`"),
        ("hard(", {}, "did you mean 'hard'"),
        ("", {}, "unknown"),
        (None, {}, "unknown"),
        ("smoothed(1.5)", {}, "`alpha`"),
        ("smoothed(nan)", {}, "`alpha`"),
        ("tempered(0)", {}, "`temperature`"),
        ("tempered(inf)", {}, "`temperature`"),
        ("flipped(-1)", {}, "`rate`"),
        ("mixed(2,1)", {}, "`weight`"),
        ("hard", {"y": None}, "`y` .*must be given"),
        ("soft", {"P": None}, "`P` .*must be given"),
        ("multipass", {"P": None}, "`P` .*must be given"),
        ("multipass", {"P": [[0.5, 0.5], [0.5, 0.5]]}, "vote counts"),
        ("hard", {"y": [0, 2]}, "class id from 0 to 1"),
        ("hard", {"y": [0, np.nan]}, "class id"),
        ("hard", {"y": ["a", "b"]}, "real numbers"),
        ("hard", {"y": []}, "non-empty"),
        ("soft", {"P": [[1, 0]]}, "as many rows as `y`"),
        ("soft", {"P": 0.5}, "as many rows as `y`"),
        ("soft", {"P": [[0.2, 0.3, 0.5]] * 2}, "2 columns"),
        ("hard", {"n_classes": 1}, "`n_classes`"),
        ("hard", {"seed": -1}, "`seed`"),
    ],
)
def test_bad_schemes_and_labels_are_named(scheme, arguments, says):
    usual = {"y": [0, 1], "P": [[2, 1], [0, 3]], "n_classes": 2}
    with pytest.raises(ArgumentError, match=says):
        make_targets(scheme, **{**usual, **arguments})


def test_every_scheme_says_what_it_is_and_can_be_made():
    numbers = {"smoothed": "(0.1)", "mixed": "(0.5,2)", "tempered": "(2)", "flipped": "(0.1)"}
    for name, what in SCHEMES.items():
        assert what.endswith(".")
        targets = make_targets(name + numbers.get(name, ""), [0, 1], [[2, 1], [0, 3]], n_classes=2)
        np.testing.assert_allclose(targets.at(0).sum(axis=1), 1)
        assert parse_scheme(name + numbers.get(name, ""))[0] == name


def test_more_votes_than_memory_are_refused_with_the_need(monkeypatch):
    free = psutil.virtual_memory()._replace(available=10 * 2**20)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: free)
    votes = np.full((1000, 2), 500)
    with pytest.raises(MemoryLimitError, match=r"needs 4\d MiB and 10 MiB are free"):
        make_targets("multipass", P=votes, n_classes=2)
    with pytest.raises(MemoryLimitError, match="`repeat_votes`"):
        repeat_votes(np.zeros((1000, 1)), votes)


@given(st.integers(2, 6), st.integers(0, 2**32 - 1))
def test_a_sure_flip_never_keeps_the_class(K, seed):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, K, 50)
    assert (flip(y, 1.0, K, rng) != y).all()
