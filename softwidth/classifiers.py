"""Teachers by name with their settings: our own, and some of scikit-learn's classifiers."""

from __future__ import annotations

import inspect
import numbers
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

import numpy as np

from softwidth._checks import ArgumentError, check_choice, check_integer, is_real, shorten
from softwidth.teachers import Teacher

# Name -> module and class, imported when used; and what we set otherwise than the class does.
_CLASSES = {
    "wide": ("softwidth.teachers", "WideTeacher"),
    "kernel": ("softwidth.teachers", "KernelTeacher"),
    "map": ("softwidth.map_teacher", "MapTeacher"),
    "logistic": ("sklearn.linear_model", "LogisticRegression"),
    "forest": ("sklearn.ensemble", "RandomForestClassifier"),
    "boosting": ("sklearn.ensemble", "HistGradientBoostingClassifier"),
    "network": ("sklearn.neural_network", "MLPClassifier"),
}
_DEFAULTS: dict[str, dict[str, Any]] = {
    "logistic": {"max_iter": 1000},  # 100 do not always converge
    "network": {"max_iter": 500, "early_stopping": True},
}
_SEEDS = ("seed", "random_state")
# What says how a fit runs and not what it is; seeds come by themselves.
_NO_SETTINGS = {*_SEEDS, "self", "seconds", "n_jobs", "verbose", "warm_start"}
LARGEST = 10**6  # whole number that a setting may be
CLASSIFIERS = tuple(_CLASSES)


def settings_of(name: str) -> list[str]:
    """The settings that the teacher `name` has.

    >>> settings_of("kernel")
    ['C', 'folds']
    """
    return [p for p in _parameters(name) if p not in _NO_SETTINGS]


def check_settings(name: str, settings: Mapping[str, Any]) -> None:
    """Raise ArgumentError for a teacher or a setting that is unknown, or a value of it that is no good.

    Unknown names are answered with the nearest; scikit-learn says itself what it takes, our own
    teachers do when they are fitted.
    """
    check_choice("teacher", name, CLASSIFIERS)
    if not isinstance(settings, Mapping):
        raise ArgumentError("teacher_settings", settings, "must be a mapping of names to values.")
    for setting in settings:
        check_choice("teacher_settings", setting, settings_of(name))
    for setting, value in settings.items():
        if isinstance(value, numbers.Integral) and is_real(value) and int(value) > LARGEST:
            wish = f"must be at most {LARGEST:,}: more of anything would not end."
            raise ArgumentError(setting, value, wish)
    for units in np.atleast_1d(np.array(settings.get("hidden_layer_sizes", 1), object)):
        check_integer("hidden_layer_sizes", units, low=1)  # scikit-learn looks at the list only
    made = _class(name)(**settings)
    try:
        getattr(made, "_validate_params", lambda: None)()
    except (ValueError, TypeError) as error:
        raise ArgumentError(
            "teacher_settings", dict(settings), f"cannot be used: {shorten(error, 300)}"
        ) from None


def classifier(name: str, settings: Mapping[str, Any], *, seed: int = 0) -> Callable[[], Teacher]:
    """A function that gives an untrained teacher, a new one at every call.

    Parameters
    ----------
    name : str
        One of `CLASSIFIERS`: ``wide``, ``kernel`` (teachers.py), ``map`` (map_teacher.py), and
        scikit-learn's ``logistic``, ``forest``, ``boosting``, ``network``.
    settings : mapping
        Arguments of its class, see `settings_of`.
    seed : int
        Of its fits, where they have one.

    Raises
    ------
    ArgumentError
        An unknown name or setting; the nearest is named.

    Examples
    --------
    >>> classifier("forest", {"n_estimators": 20}, seed=3)()
    RandomForestClassifier(n_estimators=20, random_state=3)
    """
    check_settings(name, settings)
    given = {**_DEFAULTS.get(name, {}), **settings}
    known = {
        "seed": seed,
        "random_state": check_integer("seed", seed) % 2**32,  # scikit-learn's most
    }
    given |= {own: known[own] for own in _SEEDS if own in _parameters(name)}
    kind = _class(name)
    return lambda: kind(**given)


def _class(name: str) -> Any:
    module, title = _CLASSES[check_choice("teacher", name, CLASSIFIERS)]
    return getattr(import_module(module), title)


def _parameters(name: str) -> list[str]:
    return list(inspect.signature(_class(name)).parameters)
