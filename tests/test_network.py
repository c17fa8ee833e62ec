"""The network of THEORY.md section 1: starts, outputs, size, and what it refuses."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from softwidth._checks import ArgumentError
from softwidth.network import INITIALISATIONS, Network, initialise, probabilities, size

inits = st.sampled_from(sorted(INITIALISATIONS))
shapes = {
    "width": st.integers(1, 40).map(lambda half: 2 * half),
    "D": st.integers(1, 20),
    "K": st.integers(2, 6),
    "seed": st.integers(0, 2**63),
}


def by_the_formula(network, X):
    """``f_k(x) = b_k + scale sum_r A[r, k] max(0, w_r x)``, one number at a time."""
    F = np.tile(network.b.astype(np.float64), (len(X), 1))
    for i, x in enumerate(X):
        for w, a in zip(network.W, network.A, strict=True):
            h = w[: len(x)] @ x + (w[-1] if network.bias else 0)
            F[i] += network.scale * a * max(0.0, h)
    return F


@given(init=inits, bias=st.booleans(), **shapes)
def test_logits_are_the_formula(init, width, D, K, seed, bias):
    rng = np.random.default_rng(seed)
    drawn = initialise(width, D, K, init=init, seed=seed, bias=bias)
    W = drawn.W + rng.standard_normal(drawn.W.shape)  # away from the start, biases too
    network = Network(W, drawn.A, rng.standard_normal(drawn.b.shape), drawn.scale, bias)
    X = rng.standard_normal((5, D))
    np.testing.assert_allclose(network.logits(X), by_the_formula(network, X), atol=1e-10)


@given(dtype=st.sampled_from([np.float32, np.float64]), bias=st.booleans(), **shapes)
def test_symmetric_start(width, D, K, seed, dtype, bias):
    """Twins of equal weights and opposite signs, so that f is 0 (training makes it so to the last bit: `_passes.equal_twins`)."""
    network = initialise(width, D, K, seed=seed, dtype=dtype, bias=bias)
    np.testing.assert_array_equal(network.W[::2], network.W[1::2])
    np.testing.assert_array_equal(network.A[::2], -network.A[1::2])
    assert set(np.unique(abs(network.A))) == {1}
    assert network.scale == width**-0.5
    f = network.logits(np.random.default_rng(seed).standard_normal((20, D)))
    assert f.dtype == dtype
    assert abs(f).max() <= 100 * np.finfo(dtype).eps * D


@pytest.mark.parametrize(
    ("init", "var_w", "var_a", "scale"),
    [
        ("symmetric", 1, 1, 1 / 20),
        ("gaussian", 1, 1, 1 / 20),
        ("he", 2 / 50, 2 / 400, 1),
        ("glorot", 2 / (50 + 400), 2 / (400 + 3), 1),
    ],
)
def test_variances_are_those_of_the_papers(init, var_w, var_a, scale):
    """Closed form against the spread of 20 draws of 20,000 (10,000) weights: within 5 errors."""
    draws = [initialise(400, 50, 3, init=init, seed=seed) for seed in range(20)]
    for name, variance in (("W", var_w), ("A", var_a)):
        squares = np.array([np.mean(getattr(network, name) ** 2) for network in draws])
        error = max(squares.std() / np.sqrt(len(draws)), 1e-12)
        assert abs(squares.mean() - variance) < 5 * error
    assert draws[0].scale == pytest.approx(scale)


@given(init=inits, **shapes)
def test_a_start_depends_on_its_seed_alone(init, width, D, K, seed):
    """Single precision is double rounded, a bias is a column of zeros, blocks are not seen."""
    once = initialise(width, D, K, init=init, seed=seed)
    again = initialise(width, D, K, init=init, seed=seed, dtype=np.float32, bias=True)
    np.testing.assert_array_equal(again.W[:, :-1], once.W.astype(np.float32))
    np.testing.assert_array_equal(again.A, once.A.astype(np.float32))
    assert not again.W[:, -1].any()
    assert not again.b.any()


def test_blocks_of_drawing_are_one_draw():
    wide = initialise(1000, 7, init="gaussian", seed=4)
    np.testing.assert_array_equal(wide.W, np.random.default_rng(4).standard_normal((1000, 7)))


@given(
    F=st.lists(st.floats(-800, 800), min_size=3, max_size=3),
)
def test_probabilities_are_probabilities(F):
    three = probabilities(np.array([F]))
    assert three.sum() == pytest.approx(1)
    assert (three >= 0).all()
    assert three.ravel()[np.argmax(F)] == three.max()  # logits that differ by rounding tie
    one = probabilities(np.array([[F[0]]]))
    # THEORY.md section 1: softmax over the logits (f/2, -f/2) is the same model.
    halves = np.array([[F[0] / 2, -F[0] / 2]])
    np.testing.assert_allclose(one[:, ::-1], probabilities(halves), rtol=1e-12, atol=1e-300)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_small_probabilities_keep_their_digits(dtype):
    p = probabilities(np.array([[20.0], [-20.0]], dtype))
    np.testing.assert_allclose([p[0, 0], p[1, 1]], np.exp(-20), rtol=1e-6)


@given(init=inits, bias=st.booleans(), **shapes)
def test_size_counts_what_there_is(init, width, D, K, seed, bias):
    network = initialise(width, D, K, init=init, seed=seed, bias=bias)
    counted = network.W.size + network.A.size + (network.b.size if bias else 0)
    assert size(width, D, K, bias=bias).parameters == counted
    assert size(width, D, K, bias=bias).operations == width * D + width * network.A.shape[1]


BAD = [
    ({"width": 7}, r"`width` \(=7\) must be even: symmetric initialisation pairs the neurons"),
    ({"width": 0}, r"`width` \(=0\) must be a whole number of at least 1"),
    ({"width": 4.0}, r"`width` \(=4\.0\) must be a whole number"),
    ({"width": True}, r"`width` \(=True\) must be a whole number"),
    ({"width": None}, r"`width` \(=None\) must be a whole number"),
    ({"n_features": 0}, r"`n_features` \(=0\) must be a whole number of at least 1"),
    ({"n_features": "3"}, r"`n_features` \(=3\) must be a whole number"),
    ({"n_classes": 1}, r"`n_classes` \(=1\) must be a whole number of at least 2"),
    ({"bias": "yes"}, r"`bias` \(=yes\) must be True or False"),
]
BAD_START = [
    ({"seed": -1}, r"`seed` \(=-1\) must be a whole number of at least 0"),
    ({"seed": None}, r"`seed` \(=None\) must be a whole number"),
    ({"init": "symetric"}, r"`init` \(=symetric\) is unknown; did you mean 'symmetric'\?"),
    ({"init": 5}, r"`init` \(=5\) is unknown; choices: symmetric"),
    ({"dtype": "int32"}, r"`dtype` \(=int32\) must be a floating-point type"),
    ({"dtype": "float31"}, r"`dtype` \(=float31\) must be a floating-point type"),
]


@pytest.mark.parametrize(("change", "message"), [*BAD, *BAD_START])
def test_initialise_says_what_is_wrong(change, message):
    with pytest.raises(ArgumentError, match=message):
        initialise(**{"width": 4, "n_features": 3, **change})


@pytest.mark.parametrize(("change", "message"), BAD[1:])
def test_size_says_what_is_wrong(change, message):
    with pytest.raises(ArgumentError, match=message):
        size(**{"width": 4, "n_features": 3, **change})


def test_an_odd_width_is_fine_where_nothing_is_paired():
    assert initialise(7, 3, init="gaussian").width == 7
    assert size(7, 3).parameters == 28


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (np.zeros((2, 4)), r"`X` \(=array of shape \(2, 4\)\) must have 3 columns"),
        (np.zeros(3), r"`X` .* must be a matrix"),
        (np.zeros((0, 3)), r"`X` .* must be a matrix .* at least one row"),
        ([[1, 2, np.nan]], r"`X` .* NaN or infinite entries in rows 0"),
        ([[1, 2, "3"]], r"`X` .* must hold real numbers, not entries of type <U"),
        ([[1, 2, 3], [4, 5]], r"`X` .* must hold numbers, every row as many"),
        (None, r"`X` .* must hold real numbers, not entries of type object"),
    ],
)
def test_logits_say_what_is_wrong(X, message):
    with pytest.raises(ArgumentError, match=message):
        initialise(4, 3).logits(X)
