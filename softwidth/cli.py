"""The command line: parse, call, print. Every command takes ``--json``; bad input exits with 2."""

from __future__ import annotations

import json
import shlex
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from softwidth._checks import ArgumentError, SoftwidthError, printable
from softwidth.cli_options import (
    Json,
    Noise,
    Seed,
    Source,
    StudentOptions,
    TaskOptions,
    items,
    numbers,
    settings_of,
    spread,
    store_option,
)

app = typer.Typer(
    name="softwidth",
    help="Soft labels or hard labels, and how many neurons? Measured on your data.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
data_app = typer.Typer(
    no_args_is_help=True, help="Built-in data sets: what is here, and downloads."
)
app.add_typer(data_app, name="data")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    from softwidth.pace import counted_from

    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        with counted_from(time.monotonic()):  # what somebody waits for, imports and page included
            code = app(given, prog_name="softwidth", standalone_mode=False)
        return code if isinstance(code, int) else 0
    except SoftwidthError as error:
        return _refuse(str(error))
    except MemoryError as error:  # of a library, or more than there was when we asked
        return _refuse(f"memory is full: {str(error) or 'free some, or use fewer rows'}.")
    except typer.TyperException as error:
        return _refuse(error.format_message()) if error.format_message() else 2
    except (KeyboardInterrupt, typer.Abort):
        print("softwidth: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader of our output has gone: nothing is left to say
        sys.stderr.close()
        return 1


def _refuse(message: str) -> int:
    print(f"softwidth: {printable(message)}", file=sys.stderr)
    return 2


def _print_json(value: Any) -> None:
    print(json.dumps(value, allow_nan=False))


@app.command()
@spread
def plan(
    source: Source = "digits",
    *,
    task: TaskOptions,
    students: StudentOptions,
    budget: Annotated[
        float, typer.Option(help="Seconds for the plan; fewer where all is decided before.")
    ] = 60.0,
    votes: Annotated[
        bool | None,
        typer.Option(
            "--votes/--no-votes",
            help="How many votes a row are worth paying for; asked where the data have raw votes.",
        ),
    ] = None,
    seed: Seed = 0,
    spec: Annotated[
        Path | None,
        typer.Option(help="A plan.toml or .json: remakes that plan; settings above are ignored."),
    ] = None,
    out: Annotated[
        Path, typer.Option(help="Directory for report.html, plan.json, plan.toml and student.npz.")
    ] = Path("softwidth-plan"),
    store: Annotated[str | None, store_option("plan.sqlite")] = None,
    json_: Json = False,
) -> None:
    """Least width with soft and with hard labels, and which labels to use."""
    from softwidth._output import check_directory, write_whole
    from softwidth.export import to_numpy
    from softwidth.planner import plan as make_plan
    from softwidth.report import write_page

    directory = check_directory("out", out)
    kept = store or directory / "plan.sqlite"
    with _stoppable():
        if spec is None:
            settings = settings_of(task, students)
            settings |= {"budget": budget, "votes": votes, "seed": seed}
            found = make_plan(source, store=kept, **settings)
        else:
            found = make_plan(spec=spec, store=kept)
        student = found.student()
    result = {"command": _command(), **found.as_dict(), "student": student.as_dict()}
    to_numpy(student, directory / "student.npz")
    write_whole("out", directory / "plan.json", json.dumps(result, indent=1, allow_nan=False))
    write_whole("out", directory / "plan.toml", found.spec_text())
    page = write_page(result, directory / "report.html")
    if json_:
        _print_json(result)
    else:
        from softwidth.plan_text import print_plan

        print_plan(result, page)


@contextmanager
def _stoppable() -> Iterator[None]:
    """Ctrl-C ends the command with one line that says what is kept; typer would say nothing."""
    try:
        yield
    except KeyboardInterrupt as stopped:
        print(f"softwidth: {str(stopped) or 'interrupted'}", file=sys.stderr)
        raise typer.Exit(130) from None


def _command() -> str:
    """The command that remakes a result, but for the store: whose place is its owner's, maybe with a password."""
    words = iter(sys.argv[1:])
    kept = [
        w for w in words if not (w.startswith("--store=") or (w == "--store" and next(words, "")))
    ]
    return shlex.join(["softwidth", *kept])


@app.command()
@spread
def forecast(
    source: Source = "digits",
    *,
    rows: Annotated[
        int | None,
        typer.Option(help="Students' rows to predict for: all of them, or more than there are."),
    ] = None,
    shares: Annotated[
        str | None,
        typer.Option(help="Sizes of the subsamples as shares of the rows, such as 0.125,0.25,0.5."),
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Plan on all rows afterwards, and compare.")
    ] = False,
    task: TaskOptions,
    students: StudentOptions,
    budget: Annotated[
        float, typer.Option(help="Seconds for all subsamples; with --check, once more.")
    ] = 60.0,
    seed: Seed = 0,
    out: Annotated[
        Path, typer.Option(help="Directory for forecast.html and forecast.json.")
    ] = Path("softwidth-forecast"),
    store: Annotated[str | None, store_option("forecast.sqlite")] = None,
    json_: Json = False,
) -> None:
    """Least widths to expect at many rows, from plans on few of them."""
    from softwidth._output import check_directory, write_whole
    from softwidth.forecast_page import write_forecast_page
    from softwidth.forecasts import forecast as make_forecast

    directory = check_directory("out", out)
    with _stoppable():
        found = make_forecast(
            source,
            rows=rows,
            shares=numbers("shares", shares),
            check=check,
            store=store or directory / "forecast.sqlite",
            budget=budget,
            seed=seed,
            **settings_of(task, students),
        )
    result = {"command": _command(), **found.as_dict()}
    write_whole("out", directory / "forecast.json", json.dumps(result, indent=1, allow_nan=False))
    page = write_forecast_page(result, directory / "forecast.html")
    if json_:
        _print_json(result)
    else:
        from softwidth.forecast_text import print_forecast

        print_forecast(result, page)


@app.command()
def report(
    stored: Annotated[
        str,
        typer.Argument(
            metavar="STORE",
            help="A plan.json or forecast.json, a store's file, or postgresql://HOST/DATABASE.",
        ),
    ],
    out: Annotated[Path, typer.Option(help="The page to write.")] = Path("report.html"),
    figure: Annotated[
        Path | None, typer.Option(help="Also save a figure of a plan, as .svg or .png.")
    ] = None,
    chart: Annotated[
        str | None,
        typer.Option(help="Which one: test (the default), validation, calibration or training."),
    ] = None,
    export: Annotated[
        Path | None,
        typer.Option(
            help="Also write the points of a plan's curves, or all rows of a store, as .csv or "
            ".parquet."
        ),
    ] = None,
    study: Annotated[str | None, typer.Option(help="Export the rows of this study only.")] = None,
    json_: Json = False,
) -> None:
    """Make the page of a stored plan again, or of a store of results."""
    from softwidth.store import is_store

    if is_store(stored):
        _refuse_given(
            "figure", figure, "goes with a plan.json: a store has no width curve of its own."
        )
        _refuse_given("chart", chart, "goes with a plan.json and --figure.")
        written = _report_store(stored, out, export, study)
    else:
        _refuse_given("study", study, "goes with a store.")
        if figure is None:
            _refuse_given("chart", chart, "goes with --figure, which says where to save it.")
        written = _report_plan(Path(stored), out, figure, chart, export)
    if json_:
        _print_json({"written": [str(path) for path in written]})
    else:
        print(*written, sep="\n")


def _refuse_given(name: str, value: object, wish: str) -> None:
    if value is not None:
        raise ArgumentError(name, value, wish)


def _report_plan(
    stored: Path, out: Path, figure: Path | None, chart: str | None, export: Path | None
) -> list[Path]:
    from softwidth._checks import check_choice
    from softwidth.charts import FIGURES, save_figure
    from softwidth.forecast_form import is_forecast
    from softwidth.forecast_page import save_width_figure, write_forecast_page
    from softwidth.plan_tables import write_rows
    from softwidth.report import read_stored, write_page

    plan = read_stored(stored)
    if is_forecast(plan):
        _refuse_given("chart", chart, "goes with a plan: a forecast has one figure to save.")
        _refuse_given("export", export, "goes with a plan or a store.")
        written = [write_forecast_page(plan, out)]
        return written if figure is None else [*written, save_width_figure(plan, figure)]
    make = FIGURES[check_choice("chart", "test" if chart is None else chart, FIGURES)]
    written = [write_page(plan, out)]
    if figure is not None:
        written.append(save_figure(make(plan), figure))
    return written if export is None else [*written, write_rows(plan, export)]


def _report_store(place: str, out: Path, export: Path | None, study: str | None) -> list[Path]:
    from softwidth.rows_page import write_store_page
    from softwidth.store import open_store

    with open_store(place, read_only=True) as store:
        written = [write_store_page(store, out)]
        return written if export is None else [*written, store.export(export, study)]


@app.command()
def study(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A study, or list for all of them.")],
    *,
    data: Annotated[str, typer.Option(help="Built-in data sets, each a part of it.")] = "digits",
    smoke: Annotated[bool, typer.Option(help="Toy size: does it run at all?")] = False,
    store: Annotated[
        str, typer.Option(help="File or URL that keeps every student; the next run goes on there.")
    ] = "softwidth.sqlite",
    engine: Annotated[
        str | None, typer.Option(help="local:N processes, or a Dask cluster at tcp://HOST:PORT.")
    ] = None,
    settings: Annotated[
        Path | None, typer.Option(help="TOML file: another size, for studies of deep students.")
    ] = None,
    device: Annotated[str, typer.Option(help="Where deep students train: cpu, cuda.")] = "cpu",
    out: Annotated[Path, typer.Option(help="Directory for table, figure and verdict.")] = Path(
        "results"
    ),
    json_: Json = False,
) -> None:
    """Rerun a study, resumably: one claim, one table, one figure, a verdict."""
    from softwidth.studies._deep import read_settings
    from softwidth.studies._run import listing, run_study, write_finding
    from softwidth.studies._study import Scale

    if name == "list":
        listed = listing()
        if json_:
            print(json.dumps(listed))
        else:
            from softwidth.study_text import print_studies

            print_studies(listed)
        return
    from softwidth._output import check_directory

    check_directory("out", out)
    changed = {} if settings is None else read_settings(settings)
    scale = Scale(tuple(items(data) or ()), smoke, changed, device)
    found = run_study(name, store=store, scale=scale, engine=engine, progress_label=name)
    written = write_finding(found, out, _command())
    if json_:
        _print_json({**found.as_dict(), "written": [str(path) for path in written]})
    else:
        print(f"{found.verdict.told}\n{found.verdict.sentence}")
        print(*written, sep="\n")


@app.command()
@spread
def margin(
    source: Source = "digits",
    *,
    kind: Annotated[str, typer.Option(help="kernel or sup.")] = "kernel",
    width: Annotated[
        int | None, typer.Option(help="Neurons drawn for the sup-norm margin; without, the limit.")
    ] = None,
    gap: Annotated[float, typer.Option(help="Relative gap between both ends to stop at.")] = 1e-3,
    confidence: Annotated[
        float, typer.Option(help="Of the interval, where it rests on drawn neurons.")
    ] = 0.99,
    fresh: Annotated[
        int,
        typer.Option(help="Neurons drawn to estimate the limit: four times as many, half as wide."),
    ] = 2**18,
    limit: Annotated[
        int | None, typer.Option(help="Use so many rows; their margin is at least that of all.")
    ] = None,
    task: TaskOptions,
    noise: Noise = 0.0,
    seed: Seed = 0,
    json_: Json = False,
) -> None:
    """Separation margin of the limiting kernel's features, as an interval with a certificate."""
    from softwidth.data import training_rows
    from softwidth.margins import margin as certify

    X, y, classes = training_rows(source, noise=noise, seed=seed, **settings_of(task))
    found = certify(
        X,
        y,
        kind=kind,
        width=width,
        gap=gap,
        confidence=confidence,
        fresh=fresh,
        limit=limit,
        n_classes=len(classes),
        seed=seed,
        progress_label="margin",
    ).as_dict()
    if json_:
        _print_json(found)
        return
    print(f"{found['kind']} margin: {found['lower']:.8g} to {found['upper']:.8g}")
    sure = "exact" if found["confidence"] == 1 else f"with probability {found['confidence']:g}"
    print(
        f"{sure}; {found['n_samples']:,} rows, support {found['n_support']:,}, {found['seconds']:.1f} s"
    )
    for note in found.get("notes", ()):
        print(note)


@app.command()
def bounds(
    margin: Annotated[float, typer.Option(help="Sup-norm margin of the data, in (0, 1/2].")],
    error: Annotated[float, typer.Option(help="Wanted share of mistakes.")],
    samples: Annotated[int, typer.Option(help="Number of training rows.")],
    classes: Annotated[int, typer.Option(help="Number of classes.")] = 2,
    confidence: Annotated[
        float, typer.Option(help="Probability over the random start with which it holds.")
    ] = 0.99,
    json_: Json = False,
) -> None:
    """Width, steps, radius and step size that theorems find sufficient for an error."""
    from softwidth.bounds import bounds as evaluate

    found = evaluate(margin, error, samples, n_classes=classes, confidence=confidence).as_dict()
    if json_:
        _print_json(found)
    else:
        from softwidth.bounds_text import print_bounds

        print_bounds(found)


@data_app.command("list")
def data_list(json_: Json = False) -> None:
    """Built-in data sets, and where each is on this machine."""
    from softwidth.data import available

    rows = available()
    if json_:
        _print_json({"data": rows})
        return
    for row in rows:
        print(
            f"{row['name']:13} {row['rows']:6,} rows  {row['features']:5,} features  {row['where']}"
        )


@data_app.command("fetch")
def data_fetch(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A data set of `data list`.")],
    base_url: Annotated[
        str | None, typer.Option(help="A mirror's directory; the checksum stays the same.")
    ] = None,
    json_: Json = False,
) -> None:
    """Download a data set into the user cache, checked by its sha256."""
    from softwidth.fetch import fetch

    path = fetch(name, base_url=base_url)
    if json_:
        _print_json({"name": name, "path": str(path)})
    else:
        print(path)


if __name__ == "__main__":
    raise SystemExit(main())
