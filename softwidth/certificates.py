"""Certificates of one network: what its training cannot exceed, known before it is trained.

Theorem A of THEORY.md (sections 5 and 7), its form for hard labels (section 6), and a sharper one
that is proved in docs/theory.md. None has a failure probability: they speak of the very start that
is trained, by full-batch projected gradient descent on the hidden layer with a constant step.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from softwidth._checks import (
    ArgumentError,
    check_class_ids,
    check_count,
    check_finite,
    check_lengths,
    check_number,
    check_numeric,
    check_same_length,
)
from softwidth._types import Array
from softwidth._worst_case import worst_cross_entropy, worst_kl
from softwidth.bounds_soft import check_step, denominator, step_assumption
from softwidth.labels import as_probabilities, one_hot
from softwidth.network import Network, check_features
from softwidth.reach import ROUNDING, comparator, reach_of
from softwidth.theorems import Bound, bound


def theorem_a(
    network: Network,
    v: Any,
    X: Any,
    logits: Any,
    *,
    step_size: float,
    n_steps: int,
    radius: float,
) -> Bound:
    """Theorem A: the average KL of soft labels ``s(f_v)`` over T steps, in nats.

    One logit: ``[(1/m)Σ‖v_r‖²/(ηT) + ¼ mean_i Δ_i²] / (2 - η/2)``. K logits:
    ``[(1/m)Σ‖Σ_j a_rj v_rj‖²/(ηT) + mean_i max_k Δ_ik²] / (2 - 2η)``.

    Parameters
    ----------
    network : Network
        At its start, without biases.
    v : array_like, shape (width, D), or (width, K, D) for K logits
        The teacher's map at the network's neurons, ``v(w_r(0))``.
    X : array_like, shape (N, D)
        Rows longer than 1 are allowed; the step's limit shrinks by their largest squared norm.
    logits : array_like, shape (N,) or (N, C)
        ``f_v(x_i)``: any logits that the labels were made of, so an estimate of f_v will do where
        the labels came from that same estimate.
    step_size, n_steps, radius : float, int, float
        η, T and B of the run.

    Returns
    -------
    Bound
        ``value = terms["steps"] + terms["width"]``; ``terms["drift"]`` is the root mean square of
        Δ (its largest over logits) and ``terms["distance"]`` ``‖W* - W(0)‖``.

    Raises
    ------
    ArgumentError
        Shapes that do not fit, numbers outside their range.

    Examples
    --------
    One pair of neurons, too far from flipping: ``f*`` is 1 as wanted, and ``1/(ηT)/(2 - η/2)`` is
    all that is left.

    >>> start = Network(np.array([[3.0], [3.0]]), np.array([[1.0], [-1.0]]), np.zeros(1), 0.5**0.5)
    >>> certificate = theorem_a(start, [[1.0], [1.0]], [[1.0]], [1.0],
    ...                         step_size=1.0, n_steps=1, radius=1.0)
    >>> round(certificate.value, 4), certificate.terms["drift"]
    (0.6667, 0.0)
    """
    run = _Run.of(network, v, X, step_size, n_steps, radius)
    drift = run.drift(_logits(run, logits))
    squared = float((drift.max(axis=1) ** 2).mean())
    return run.bound(
        {"width": squared / (4 if run.n_classes == 2 else 1)},
        {"drift": math.sqrt(squared)},
        f"THEORY.md section {5 if run.n_classes == 2 else 7}, Theorem A",
    )


def hard_certificate(
    network: Network,
    v: Any,
    X: Any,
    y: Any,
    logits: Any,
    *,
    step_size: float,
    n_steps: int,
    radius: float,
) -> Bound:
    """Theorem A for hard labels: the average cross-entropy over T steps, in nats (section 6).

    One logit: ``[(1/m)Σ‖v_r‖²/(ηT) + 2 mean_i ln(1 + exp(Δ_i - y_i f_v(x_i)))] / (2 - η/2)``; for
    K the exponential becomes a sum over the other classes of ``exp(Δ_ij + Δ_iy - f_y + f_j)``.

    Parameters
    ----------
    y : array_like, shape (N,)
        Class ids.
    network, v, X, logits, step_size, n_steps, radius
        As in `theorem_a`; `logits` may be any comparison.

    Returns
    -------
    Bound
        ``value = terms["steps"] + terms["fit"]``.

    Raises
    ------
    ArgumentError
        Shapes that do not fit, numbers outside their range.
    """
    run = _Run.of(network, v, X, step_size, n_steps, radius)
    F, K = _logits(run, logits), run.n_classes
    y = check_class_ids("y", y, n_classes=K)
    check_same_length("y", y, "X", len(run.X))
    drift = run.drift(F)
    worst = worst_cross_entropy(one_hot(y, K), F - drift, F + drift)
    return run.bound(
        {"fit": 2 * float(worst.mean())},
        {"drift": math.sqrt((drift.max(axis=1) ** 2).mean())},
        f"THEORY.md section {6 if K == 2 else 7}, hard labels",
    )


def sharp_certificate(
    network: Network,
    v: Any,
    X: Any,
    targets: Any,
    *,
    step_size: float,
    n_steps: int,
    radius: float,
    displacement: float | Array | None = None,
) -> Bound:
    """Average KL to any targets over T steps, in nats; never above `theorem_a` on its labels.

    ``[‖W*-W(0)‖²/(ηT) + 2 mean_i max_f KL(p_i ‖ f)] / (2 - ηg)``, where f runs over the interval
    (for K logits the box) that flips leave to the linearised network, with their signs, and g
    bounds the gradient by the neurons that can be active. With `displacement` only neurons that
    could have flipped *in this run* count. Proof in docs/theory.md.

    Parameters
    ----------
    targets : array_like, shape (N, K)
        The labels trained on, soft or one-hot; no teacher function is needed.
    displacement : float or array_like, shape (width,), optional
        How far a neuron was from its start at most, at any step before the last
        (``bank.diagnostics["displacement"]`` with ``diagnostics_every=1``): the a-posteriori form.
        Without it ``radius/√width``, known before training.
    network, v, X, step_size, n_steps, radius
        As in `theorem_a`; `radius` may be infinite.

    Returns
    -------
    Bound
        ``value = terms["steps"] + terms["fit"]``.

    Raises
    ------
    ArgumentError
        Shapes that do not fit, numbers outside their range.
    """
    run = _Run.of(network, v, X, step_size, n_steps, radius, allow_inf=True)
    P = as_probabilities(targets, name="targets", n_classes=run.n_classes)
    check_same_length("targets", P, "X", len(run.X))
    reach = reach_of(network, run.moved, run.X, _check_displacement(run, displacement))
    worst = worst_kl(P, reach.start - reach.down, reach.start + reach.up)
    return run.bound(
        {"fit": 2 * float(worst.mean())},
        {},
        "docs/theory.md, sharper certificate",
        steepest=float(reach.gain.max()),
    )


@dataclass(frozen=True, eq=False)
class _Run:
    """A run to be certified, its inputs checked."""

    network: Network
    X: Array  # (N, D) in double precision
    moved: Array  # (width, D), W* - W(0)
    step_size: float
    n_steps: int
    ball: float  # B/√m

    @classmethod
    def of(
        cls,
        network: Network,
        v: Any,
        X: Any,
        step_size: float,
        n_steps: int,
        radius: float,
        *,
        allow_inf: bool = False,
    ) -> _Run:
        moved = comparator(network, v)
        X = check_lengths("X", check_features(X, network.W.shape[1], np.float64))
        T = check_count("n_steps", n_steps)
        B = check_number("radius", radius, low=0, open_low=True, allow_inf=allow_inf)
        return cls(network, X, moved, check_step(step_size), T, B / math.sqrt(network.width))

    @property
    def n_classes(self) -> int:
        return max(2, self.network.A.shape[1])

    def drift(self, F: Array) -> Array:
        """Δ_ik of THEORY.md section 5: the features' deviation, and every flip that could happen."""
        reach = reach_of(self.network, self.moved, self.X, self.ball)
        return np.abs(reach.start - F) + reach.flips

    def bound(
        self,
        misfit: dict[str, float],
        shown: dict[str, float],
        source: str,
        steepest: float | None = None,
    ) -> Bound:
        """The telescoped sum: distance to W* over ``ηT`` plus its misfit, over what a step keeps."""
        signs = {}
        if steepest is None:  # ‖∇f(x)‖² <= ‖x‖², if the output weights are those of the theory
            signs = {"output weights ±1/√width": _has_signs(self.network)}
            steepest = max(1.0, float((self.X**2).sum(axis=1).max()))
        distance = float(np.linalg.norm(self.moved))
        terms = {"steps": distance**2 / (self.step_size * self.n_steps), **misfit}
        rest = denominator(self.step_size * steepest, self.n_classes)
        terms = {name: term / rest if rest > 0 else math.inf for name, term in terms.items()}
        farthest = float(np.linalg.norm(self.moved, axis=1).max())
        assumptions = {
            **step_assumption(self.step_size, self.n_classes, steepest),
            "comparator within the balls": farthest <= self.ball * (1 + ROUNDING),
            **signs,
        }
        return bound(
            sum(terms.values()), {**terms, **shown, "distance": distance}, assumptions, source
        )


def _logits(run: _Run, logits: Any) -> Array:
    F = check_numeric("logits", logits, dtype=np.float64)
    shape = (len(run.X), run.network.A.shape[1])
    if F.shape != shape and not (shape[1] == 1 and F.shape == shape[:1]):
        raise ArgumentError("logits", F, f"must have shape {shape}.")
    return check_lengths("logits", check_finite("logits", F.reshape(shape)))


def _check_displacement(run: _Run, displacement: float | Array | None) -> float | Array:
    if displacement is None:
        return run.ball
    far = check_numeric("displacement", displacement, dtype=np.float64)
    if far.shape not in {(), (run.network.width,)} or not (far >= 0).all():
        wish = "must be a distance of at least 0, for all neurons or one for each."
        raise ArgumentError("displacement", displacement, wish)
    return np.minimum(far, run.ball)


def _has_signs(network: Network) -> bool:
    size = np.abs(network.scale * network.A.astype(np.float64))
    return bool(np.allclose(size, network.width**-0.5, rtol=1e-6, atol=0))
