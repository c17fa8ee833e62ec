"""What distillation minimises: functions of logits (B, K) and targets, means over the batch.

Hard, argmax, smoothed, ... labels are no losses but label schemes (`softwidth.labels`): they make the
distributions that these losses compare with.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from torch import Tensor
from torch.nn.functional import cross_entropy, mse_loss

from softwidth._checks import check_choice, check_number

LEAST = 1e-7  # of a probability whose logarithm is taken: single precision has none nearer to 1


class Targets(NamedTuple):
    """What a batch is compared with.

    Attributes
    ----------
    y : Tensor, shape (B,)
        Class ids.
    P : Tensor, shape (B, K)
        Label distributions; one-hot where there are no soft labels.
    """

    y: Tensor
    P: Tensor


Loss = Callable[[Tensor, Targets], Tensor]


def teacher_logits(P: Tensor) -> Tensor:
    """``ln p`` with mean 0 over the classes: the teacher's logits but for a constant, (B, K)."""
    logs = P.clamp(min=LEAST).log()
    return logs - logs.mean(dim=1, keepdim=True)


def tempered(P: Tensor, temperature: float) -> Tensor:
    """``p_k^(1/T)`` made to sum to 1: the teacher's softmax at temperature T.

    >>> import torch
    >>> tempered(torch.tensor([[0.9, 0.1]]), 2.0)  # (3 : 1) / 4
    tensor([[0.7500, 0.2500]])
    """
    powers = P ** (1 / temperature)
    return powers / powers.sum(dim=1, keepdim=True)


def _hard(logits: Tensor, targets: Targets) -> Tensor:
    return cross_entropy(logits, targets.y)


def _soft(logits: Tensor, targets: Targets) -> Tensor:
    return cross_entropy(logits, targets.P)


def _logit_mse(logits: Tensor, targets: Targets) -> Tensor:
    """Ba and Caruana (2014), on logits less their means: labels know them only that far."""
    centred = logits - logits.mean(dim=1, keepdim=True)
    return mse_loss(centred, teacher_logits(targets.P))


def hinton(temperature: float, share: float) -> Loss:
    """``share CE(y, z) + (1 - share) T^2 CE(p^(1/T), z/T)`` (Hinton, Vinyals and Dean 2015).

    T^2 keeps the gradients of the second part at their size: they shrink with 1/T^2.
    """

    def loss(logits: Tensor, targets: Targets) -> Tensor:
        soft = cross_entropy(logits / temperature, tempered(targets.P, temperature))
        return share * cross_entropy(logits, targets.y) + (1 - share) * temperature**2 * soft

    return loss


_LOSSES: dict[str, Callable[[float, float], Loss]] = {
    "hard cross-entropy": lambda temperature, share: _hard,
    "soft cross-entropy": lambda temperature, share: _soft,
    "hinton": hinton,
    "logit mse": lambda temperature, share: _logit_mse,
}
LOSSES = tuple(_LOSSES)


def make_loss(name: str, *, temperature: float = 1.0, share: float = 0.5) -> Loss:
    """A loss by its name.

    Parameters
    ----------
    name : str
        ``hard cross-entropy`` (class ids), ``soft cross-entropy`` (distributions), ``hinton`` (both)
        or ``logit mse`` (logarithms of the distributions).
    temperature, share : float
        Of ``hinton``: T > 0, and what the class ids weigh, 0 to 1. The others have none.

    Raises
    ------
    ArgumentError

    Examples
    --------
    >>> import torch
    >>> import math
    >>> z, t = torch.zeros(1, 2), Targets(torch.tensor([0]), torch.tensor([[0.9, 0.1]]))
    >>> round(make_loss("hinton", temperature=2, share=0.5)(z, t).item() / math.log(2), 4)  # (1 + 2^2) / 2
    2.5
    """
    temperature = check_number("temperature", temperature, low=0, open_low=True)
    share = check_number("share", share, low=0, high=1)
    return _LOSSES[check_choice("loss", name, LOSSES)](temperature, share)
