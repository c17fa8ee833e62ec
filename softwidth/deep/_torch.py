"""PyTorch, or one line that says how to get it."""

from __future__ import annotations

from softwidth._checks import MissingDataError


def need_torch() -> None:
    """Nothing, once PyTorch can be imported.

    Raises
    ------
    MissingDataError
        It cannot.
    """
    try:
        import torch  # noqa: F401
    except ImportError:
        raise MissingDataError(
            "softwidth.deep needs PyTorch: pip install 'softwidth[deep]'."
        ) from None
