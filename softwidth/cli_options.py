"""Options that several commands share, each written once.

A command asks for a group of options as one parameter, and `spread` has typer see them one by one.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass
from typing import Annotated, Any, get_type_hints

import typer

from softwidth._checks import ArgumentError

Source = Annotated[
    str,
    typer.Argument(
        metavar="SOURCE",
        help="digits, mnist, cifar10, or a .npz, .csv or .parquet file.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="One JSON object on stdout, nothing else.")]
Noise = Annotated[
    float, typer.Option(help="Standard deviation of Gaussian noise on the inputs, before scaling.")
]
Seed = Annotated[int, typer.Option(help="Seed of splits, noise and flips.")]


@dataclass(frozen=True)
class TaskOptions:
    """Which task the rows and columns of a source are."""

    positive: Annotated[
        str | None,
        typer.Option(
            help="Classes that together are class 1, such as 1,3,5,7,9; the rest is class 0."
        ),
    ] = None
    pair: Annotated[str | None, typer.Option(help="Keep only these two classes, such as 3,8.")] = (
        None
    )
    target: Annotated[str | None, typer.Option(help="Label column of a table.")] = None
    soft_columns: Annotated[
        str | None, typer.Option(help="Soft-label columns of a table, such as a,b,c.")
    ] = None
    weight_column: Annotated[
        str | None, typer.Option(help="Column of a table that says what each row counts for.")
    ] = None
    ignore_columns: Annotated[
        str | None, typer.Option(help="Columns of a table that are no features, such as id,date.")
    ] = None


@dataclass(frozen=True)
class StudentOptions:
    """Who teaches students, how they are trained, and what they are judged by."""

    soft_key: Annotated[str, typer.Option(help="Name of the soft labels in an archive.")] = "soft"
    teacher: Annotated[
        str | None, typer.Option(help="wide or kernel: who makes soft labels, if not the data.")
    ] = None
    regime: Annotated[
        str | None,
        typer.Option(help="Rows the teacher learns from: in-sample, cross-fitted or larger-data."),
    ] = None
    student_rows: Annotated[
        int | None, typer.Option(help="Rows of the students; the teacher has all others.")
    ] = None
    noise: Noise = 0.0
    flip: Annotated[float, typer.Option(help="Rate at which training labels are flipped.")] = 0.0
    metric: Annotated[
        str,
        typer.Option(
            help="error; balanced: its mean over classes; or kl: divergence of held-out soft labels "
            "from predictions, in nats."
        ),
    ] = "error"
    class_weight: Annotated[
        str | None,
        typer.Option(
            help="balanced: classes weigh the same in training; none. Goes by the metric if not given."
        ),
    ] = None
    reference: Annotated[
        str, typer.Option(help="Whose best is to be reached: students, or teacher if it is better.")
    ] = "students"
    tolerance: Annotated[
        float, typer.Option(help="How far above the best is still good enough.")
    ] = 0.01
    widths: Annotated[
        str, typer.Option(help="A range to begin with, or a list: these widths and no others.")
    ] = "2:128"
    seeds: Annotated[int, typer.Option(help="Students per width and label kind to begin with.")] = 5
    rounds: Annotated[
        int | None, typer.Option(help="Rounds of search after the first, at most.")
    ] = None
    bias: Annotated[
        bool, typer.Option("--bias/--no-bias", help="Give students hidden and output biases.")
    ] = False
    epochs: Annotated[
        int | None, typer.Option(help="Passes over the data; by default as many as it needs.")
    ] = None


def store_option(default: str) -> Any:
    """Where students are kept; `default` is a file's name."""
    return typer.Option(
        help="File or URL that keeps every student, so that the same command goes on where it "
        f"stopped; {default} in the directory by default."
    )


LISTS = ("positive", "pair", "soft_columns", "ignore_columns")  # given as text: a,b,c


def settings_of(*groups: TaskOptions | StudentOptions) -> dict[str, Any]:
    """What was given, as keyword arguments of `data.load`, `planner.plan` and their like.

    >>> settings_of(TaskOptions(pair="3, 8"))["pair"]
    ['3', '8']
    """
    given = {name: value for group in groups for name, value in vars(group).items()}
    return given | {name: items(given[name]) for name in LISTS if name in given}


def items(text: str | None) -> list[str] | None:
    """The entries of a list given as text.

    >>> items("a, b,,c")
    ['a', 'b', 'c']
    """
    return None if text is None else [item.strip() for item in text.split(",") if item.strip()]


def numbers(name: str, text: str | None) -> list[float] | None:
    """The numbers of a list given as text; `name` is the option.

    Raises
    ------
    ArgumentError
        An entry that is no number.
    """
    try:
        return None if text is None else [float(item) for item in items(text) or ()]
    except ValueError:
        raise ArgumentError(name, text, "must be numbers such as 0.125,0.25,0.5.") from None


def spread(command: Callable[..., None]) -> Callable[..., None]:
    """The command as typer is to see it: in the place of every group, the options of the group."""
    own = inspect.signature(command, eval_str=True).parameters.values()
    groups: dict[str, Any] = {p.name: p.annotation for p in own if is_dataclass(p.annotation)}

    @functools.wraps(command)
    def call(**given: Any) -> None:
        for name, group in groups.items():
            given[name] = group(**{field.name: given.pop(field.name) for field in fields(group)})
        command(**given)

    shown = [q for p in own for q in (_options(p.annotation) if p.name in groups else [p])]
    call.__signature__ = inspect.Signature(shown)  # type: ignore[attr-defined]
    call.__annotations__ = {p.name: p.annotation for p in shown}
    return call


def _options(group: Any) -> list[inspect.Parameter]:
    """The options of a group as parameters."""
    types = get_type_hints(group, include_extras=True)
    return [
        inspect.Parameter(
            field.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=field.default,
            annotation=types[field.name],
        )
        for field in fields(group)
    ]
