"""The scikit-learn face: a student of a given width, or of the width that a plan finds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.metrics import accuracy_score
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, column_or_1d, validate_data

from softwidth._checks import (
    ArgumentError,
    check_choice,
    check_flag,
    check_number,
    check_room,
    check_weights,
)
from softwidth._types import Array, Labels
from softwidth.distributions import as_probabilities
from softwidth.estimator_labels import (
    Names,
    class_ids,
    column_classes,
    first_classes,
    is_matrix,
    same_classes,
)
from softwidth.estimator_plan import plan_student
from softwidth.examples import Examples
from softwidth.labels import Targets, make_targets
from softwidth.network import Network, probabilities
from softwidth.pace import default_batch, default_epochs
from softwidth.specs import Student
from softwidth.step_search import choose_step_size, fit_students

FLOATS = [np.float64, np.float32]


class SoftLabelClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A two-layer ReLU network that learns from labels, probabilities or votes.

    It is the student that `softwidth plan` measures: rows at unit norm, hidden layer trained,
    symmetric start, momentum with a cosine schedule, unless told otherwise.

    Parameters
    ----------
    width : int or "auto"
        Hidden neurons, even for ``init="symmetric"``. ``"auto"`` runs `softwidth.plan` on the
        training rows and takes what it recommends, width and labels.
    labels : str
        A label scheme of `labels.SCHEMES`, such as ``"smoothed(0.1)"``. ``"auto"``: the
        distributions as they are where `y` is a matrix, otherwise the labels.
    step_size : float or None
        ``None``: chosen on a validation split by cross-entropy; the student is then trained on all
        rows.
    epochs, batch_size : int or None
        Passes over the rows and rows a step; ``None``: as in a plan, by the number of rows.
    momentum, schedule, radius, init, train_output, bias
        As in `specs.Recipe` and `specs.Student`.
    normalise : bool
        Scale rows to unit norm, in training and prediction; rows of zeros stay as they are.
    validation_fraction : float
        Share of the rows that chooses the step size.
    class_weight : dict, "balanced" or None
        Weight of a vote for each class; ``"balanced"`` gives all classes the same weight in all.
    classes : sequence or None
        Class names of the columns of a matrix `y`; ``None``: its column names, or ``0 .. K-1``.
    budget : float
        Seconds for the plan of ``width="auto"``.
    random_state : int, RandomState or None
        Of the start, the order of rows and the validation split.

    Attributes
    ----------
    classes_ : ndarray, shape (K,)
    network_ : Network
    width_, labels_, step_size_
        What was used.
    step_scores_ : dict of float to float
        Validation cross-entropy in nats of every step size tried; empty where it was given.
    plan_ : Plan
        With ``width="auto"`` alone.
    student_ : specs.Student
        What was trained.
    passes_ : int
        Calls of `partial_fit` since the start, or since `fit`.
    n_features_in_, feature_names_in_

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> X, y = load_iris(return_X_y=True)
    >>> model = SoftLabelClassifier(8, epochs=50, random_state=0).fit(X, y)
    >>> bool(model.score(X, y) > 0.9)
    True
    """

    def __init__(
        self,
        width: int | str = 64,
        *,
        labels: str = "auto",
        step_size: float | None = None,
        epochs: int | None = None,
        batch_size: int | None = None,
        momentum: float = 0.9,
        schedule: str = "cosine",
        radius: float = np.inf,
        init: str = "symmetric",
        train_output: bool = False,
        bias: bool = False,
        normalise: bool = True,
        validation_fraction: float = 0.2,
        class_weight: Mapping[Any, float] | str | None = None,
        classes: Any = None,
        budget: float = 60.0,
        random_state: Any = None,
    ) -> None:
        self.width, self.labels, self.step_size = width, labels, step_size
        self.epochs, self.batch_size, self.momentum = epochs, batch_size, momentum
        self.schedule, self.radius, self.init = schedule, radius, init
        self.train_output, self.bias, self.normalise = train_output, bias, normalise
        self.validation_fraction, self.class_weight = validation_fraction, class_weight
        self.classes, self.budget, self.random_state = classes, budget, random_state

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> SoftLabelClassifier:
        """Train on rows and their labels.

        Parameters
        ----------
        X : array_like, shape (N, D)
        y : array_like, shape (N,) or (N, K)
            Labels, or probabilities or vote counts of the K classes.
        sample_weight : array_like, shape (N,), optional
            What a row counts for; weight 2 is the row twice.

        Returns
        -------
        SoftLabelClassifier
            Itself.

        Raises
        ------
        ArgumentError
            A ValueError that names what cannot be used; scikit-learn's own for malformed arrays.
        """
        seed = self._new_seed()
        X, ids, soft = self._check(X, y)
        self.width_, self.labels_ = self._asked(soft)
        if _is_auto(self.width):
            self.plan_, self.width_, self.labels_, soft = plan_student(
                X,
                ids,
                soft,
                sample_weight=sample_weight,
                balanced=self._plans_balanced(),
                bias=self.bias,
                budget=self.budget,
                seed=seed,
            )
        targets = make_targets(self.labels_, ids, soft, n_classes=len(self.classes_), seed=seed)
        examples, mode = self._examples(X, targets, sample_weight)
        recipe = self._recipe(len(examples.X), seed)
        student = self._student(examples, seed, recipe)
        self.network_ = self._trained(examples, student, mode, recipe)
        self.student_, self.passes_ = student, 0
        return self

    def partial_fit(
        self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None
    ) -> SoftLabelClassifier:
        """One pass over these rows, from where the student is: its start, or an earlier call or fit.

        Steps are of constant size, `batch_size` rows each, in an order of their own in every call;
        momentum starts anew. The ball of `radius` stays around the start.

        Parameters
        ----------
        X, y, sample_weight
            As in `fit`.
        classes : array_like, shape (K,)
            All classes that will come; needed in the first call with labels, and names of the
            columns in one with a matrix. Where `step_size` is None it is chosen on the rows of the
            first call, which should be several hundred.

        Returns
        -------
        SoftLabelClassifier
            Itself.

        Raises
        ------
        ArgumentError
            As in `fit`; ``width="auto"`` and ``class_weight="balanced"``, which need all rows at
            once; a label that is none of the classes. The student stays as it was.
        """
        self._check_for_parts()
        first = not hasattr(self, "network_")
        own = self.classes if classes is None else classes
        known = first_classes(own, y) if first else same_classes(classes, y, self.classes_)
        X, ids, soft = self._check(X, y, known, reset=first)
        self.width_, self.labels_ = self._asked(soft)
        seed, passes = (self._new_seed(), 0) if first else (self.student_.seed, self.passes_)
        order = (seed + passes) % (2**31 - 1)
        targets = make_targets(self.labels_, ids, soft, n_classes=len(self.classes_), seed=order)
        examples, mode = self._examples(X, targets, sample_weight)
        recipe = self._recipe(len(examples.X), order) | {"schedule": "constant"}
        student = self._student(examples, seed, recipe) if first else self.student_
        recipe |= {"epochs": 1, "networks": None if first else [self.network_]}
        self.network_ = self._trained(examples, student, mode, recipe)
        self.student_, self.passes_ = student, passes + 1
        return self

    def _check_for_parts(self) -> None:
        """Raise ArgumentError for a setting that needs all rows at once."""
        wish = "needs all rows at once, and partial_fit has a part of them."
        if _is_auto(self.width):
            raise ArgumentError("width", self.width, wish)
        if isinstance(self.class_weight, str):
            raise ArgumentError("class_weight", self.class_weight, wish)

    def _new_seed(self) -> int:
        return int(check_random_state(self.random_state).randint(2**31 - 1))

    def _student(self, examples: Examples, seed: int, recipe: dict[str, Any]) -> Student:
        """The student that is asked for, with its step size, chosen where none is given."""
        student = Student(self.width_, seed, "labels", 1.0, self.radius, self.init)
        step_size, scores = self.step_size, dict[float, float]()
        if step_size is None:
            step_size, scores = choose_step_size(
                examples, student, fraction=self._fraction(), seed=seed, **recipe
            )
        self.step_size_, self.step_scores_ = step_size, scores
        return replace(student, step_size=step_size)

    def _check(
        self, X: Any, y: Any, known: Names | None = None, *, reset: bool = True
    ) -> tuple[Array, Labels, Any]:
        """Rows as they are learnt from, class ids, and the label distributions if there are any.

        `known` are the classes where they are told; `reset` is for the first rows seen.
        """
        check_flag("normalise", self.normalise)
        check_room("X", X)
        check_room("y", y)
        if y is None:
            raise ArgumentError(
                "y",
                None,
                "must be given: this estimator requires y to be passed, but the target y is None.",
            )
        if is_matrix(y):
            X = self._validated(X, reset=reset)
            soft, expected = np.asarray(y), None if known is None else len(known)
            P = as_probabilities(soft, name="y", n_classes=expected)
            names = column_classes(self.classes, y, P.shape[1]) if known is None else known
            ids = P.argmax(axis=1)
        else:
            X, y = self._validated(X, column_or_1d(y, warn=True), reset=reset)
            check_classification_targets(y)
            names, soft = np.unique(y) if known is None else known, None
            ids = class_ids(y, names)
        if len(ids) != len(X):
            raise ArgumentError(
                "y", f"{len(ids)} rows", f"must have as many rows as `X` ({len(X)})."
            )
        self.classes_ = names
        if len(self.classes_) < 2:
            raise ArgumentError(
                "y", self.classes_, "must hold at least two classes, not one class."
            )
        return self._scaled(X), ids, soft

    def _asked(self, soft: Any) -> tuple[Any, str]:
        """Width and label scheme as the settings say."""
        if not _is_auto(self.labels):
            return self.width, self.labels
        return self.width, "hard" if soft is None else "soft"

    def _plans_balanced(self) -> bool:
        """Whether the plan of ``width="auto"`` weighs classes alike; weights by name it cannot."""
        if isinstance(self.class_weight, Mapping):
            wish = "cannot go with width='auto', whose plan weighs classes alike or not at all."
            raise ArgumentError("class_weight", self.class_weight, wish)
        return self.class_weight is not None

    def _examples(
        self, X: Array, targets: Targets, sample_weight: Any
    ) -> tuple[Examples, Targets | None]:
        """Weighted rows, equal ones as one; targets that change by epoch keep their rows apart."""
        weight: Array = np.ones(len(X))
        if sample_weight is not None:
            weight = check_weights("sample_weight", sample_weight, len(X))
        examples = Examples(X, targets.P, weight)
        if self.class_weight is not None:
            examples = examples.with_class_weights(self._factors(examples))
        if targets.fixed:
            return examples.distinct(), None
        return examples, targets

    def _factors(self, examples: Examples) -> Array:
        if isinstance(self.class_weight, Mapping):
            for name in self.class_weight:
                check_choice("class_weight", str(name), map(str, self.classes_))
            named = {str(name): weight for name, weight in self.class_weight.items()}
            return np.array(
                [check_number("class_weight", named.get(str(c), 1.0), low=0) for c in self.classes_]
            )
        check_choice("class_weight", str(self.class_weight), ("balanced",))
        return examples.balanced()

    def _recipe(self, n: int, seed: int) -> dict[str, Any]:
        return {
            "epochs": default_epochs(n) if self.epochs is None else self.epochs,
            "batch_size": default_batch(n) if self.batch_size is None else self.batch_size,
            "momentum": self.momentum,
            "schedule": self.schedule,
            "train_output": self.train_output,
            "bias": self.bias,
            "order_seed": seed,
        }

    def _fraction(self) -> float:
        name, value = "validation_fraction", self.validation_fraction
        if check_number(name, value, low=0, high=1, open_low=True) == 1:
            raise ArgumentError(name, value, "must leave rows for training.")
        return value

    def _trained(
        self, examples: Examples, student: Student, mode: Targets | None, recipe: dict[str, Any]
    ) -> Network:
        bank = fit_students(examples, [student], mode=mode, **recipe)
        if bank.status[0] == "diverged" or not _can_be_told(bank.networks[0], examples.X):
            wish = "is too large for these rows: training diverged. Leave it out to have it chosen."
            raise ArgumentError("step_size", student.step_size, wish)
        return bank.networks[0]

    def _scaled(self, X: Array) -> Array:
        """Rows at unit norm where that is asked for; one of zeros has no direction and stays."""
        if not self.normalise:
            return X
        largest = abs(X).max(axis=1, keepdims=True)
        X = X / np.where(largest > 0, largest, 1)  # squares of very large entries overflow
        norm = np.linalg.norm(X, axis=1, keepdims=True)
        return np.asarray(X / np.where(norm > 0, norm, 1))

    def _logits(self, X: Any) -> Array:
        check_is_fitted(self)
        check_room("X", X)
        X = self._scaled(self._validated(X, reset=False))
        with np.errstate(over="ignore", invalid="ignore"):
            logits = self.network_.logits(X)
        if not np.isfinite(logits).all():
            raise ArgumentError("X", X, "has rows too long for this student: logits overflow.")
        return logits

    def _validated(self, *arrays: Any, reset: bool) -> Any:
        """Rows, and labels beside them, as scikit-learn checks them."""
        try:
            return validate_data(self, *arrays, dtype=FLOATS, reset=reset)
        except ArithmeticError as error:  # such as a whole number beyond the floating-point ones
            wish = f"must hold numbers, and `y` labels, that can be compared: {error}."
            raise ArgumentError("X", arrays[0], wish) from None

    def decision_function(self, X: Any) -> Array:
        """Logits: (N,) of the second class for two classes, else (N, K)."""
        logits = self._logits(X)
        return logits[:, 0] if logits.shape[1] == 1 else logits

    def predict_proba(self, X: Any) -> Array:
        """Class probabilities, shape (N, K), in the order of `classes_`."""
        return probabilities(self._logits(X))

    def predict(self, X: Any) -> Any:
        """The most probable class of every row, shape (N,)."""
        logits = self._logits(X)
        ids = logits[:, 0] > 0 if logits.shape[1] == 1 else logits.argmax(axis=1)
        return self.classes_[ids.astype(int)]

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Accuracy against labels, or against the top class of a matrix of label distributions."""
        check_room("y", y)
        if is_matrix(y):
            y = self.classes_[as_probabilities(y, name="y", n_classes=len(self.classes_)).argmax(1)]
        return float(accuracy_score(y, self.predict(X), sample_weight=sample_weight))


def _is_auto(setting: Any) -> bool:
    return isinstance(setting, str) and setting == "auto"


def _can_be_told(network: Network, X: Array) -> bool:
    """Whether the logits of rows with entries like those of `X` are numbers of the network's type.

    ``|f_k(x)| <= |b_k| + scale ||x|| sum_r |A_rk| ||W_r||``, and ``||x||`` is at most the largest
    entry times the root of their number. A last step may have been too large for anything and its
    loss, which is looked at before a step, not have seen it.
    """
    W, A, b = (a.astype(np.float64) for a in (network.W, abs(network.A), network.b))
    with np.errstate(over="ignore", invalid="ignore"):
        longest = np.sqrt(X.shape[1]) * max(float(X.max()), -float(X.min()))
        reach = abs(b) + network.scale * longest * (np.linalg.norm(W, axis=1) @ A)
    return bool((reach < np.finfo(network.W.dtype).max).all())
