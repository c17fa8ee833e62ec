"""Exported students say what the students say; the page's code is what is run."""

import json
import re
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from sklearn.datasets import load_digits

from softwidth import SoftLabelClassifier
from softwidth._checks import ArgumentError
from softwidth.export import to_numpy, to_onnx
from softwidth.network import INITIALISATIONS, initialise

PAGE = (Path(__file__).parents[1] / "docs" / "export.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


def page_predictor():
    """The page's own `predict_proba`."""
    names = {}
    exec(compile(BLOCKS[1], "export.md", "exec"), names)  # noqa: S102 - our own page
    return names["predict_proba"]


def onnx_predict(path, X):
    session = onnxruntime.InferenceSession(str(path))
    return session.run(["probabilities"], {"X": X})[0], session


def trained_away(network, seed):
    """The network with weights that are nowhere 0, biases included."""
    rng = np.random.default_rng(seed)
    for array in (network.W, network.A, network.b)[: 3 if network.bias else 2]:
        array[:] += rng.standard_normal(array.shape)
    return network


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("K", [2, 4])
@pytest.mark.parametrize("init", INITIALISATIONS)
@pytest.mark.parametrize(("dtype", "close"), [(np.float32, 1e-5), (np.float64, 1e-12)])
def test_networks(tmp_path, bias, K, init, dtype, close):
    network = trained_away(initialise(6, 5, K, init=init, seed=K, bias=bias, dtype=dtype), K)
    X = np.random.default_rng(1).standard_normal((7, 5)).astype(dtype)
    wanted = network.predict_proba(X)
    plain = page_predictor()(X, to_numpy(network, tmp_path / "student.npz"))
    np.testing.assert_allclose(plain, wanted, atol=close)
    for rows in (X, X[:1]):
        got, _ = onnx_predict(to_onnx(network, tmp_path / "student.onnx"), rows)
        np.testing.assert_allclose(got, wanted[: len(rows)], atol=close)


def test_the_page_runs_as_it_stands(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    X, y = load_digits(return_X_y=True)
    names = {"X": X[:300], "y": np.array(["even", "odd"])[y[:300] % 2]}
    for block in BLOCKS:
        exec(compile(block, "export.md", "exec"), names)  # noqa: S102 - our own page
    wanted = names["model"].predict_proba(X[:300])
    np.testing.assert_allclose(names["P"], wanted, atol=1e-12)
    np.testing.assert_allclose(names["predict_proba"](X[:300]), wanted, atol=1e-12)
    assert names["classes"] == ["even", "odd"]
    assert np.load("student.npz", allow_pickle=False)["classes"].tolist() == ["even", "odd"]


@pytest.mark.parametrize("normalise", [True, False])
def test_rows_of_zeros_and_of_many_sizes(tmp_path, normalise):
    X, y = load_digits(return_X_y=True)
    X, y = X[:200].astype(np.float32), y[:200]
    model = SoftLabelClassifier(
        8, epochs=5, step_size=1.0 if normalise else 1e-3, bias=True, normalise=normalise
    ).fit(X, y)
    rows = np.concatenate([X[:3], 0 * X[:1], X[:2] * 1e-6, X[:2] * 1e6])
    if not normalise:
        rows = rows[:6]
    wanted = model.predict_proba(rows)
    got, session = onnx_predict(to_onnx(model, tmp_path / "a.onnx"), rows)
    np.testing.assert_allclose(got, wanted, atol=1e-5)
    np.testing.assert_allclose(
        page_predictor()(rows, to_numpy(model, tmp_path / "a.npz")), wanted, atol=1e-5
    )
    stored = session.get_modelmeta().custom_metadata_map["classes"]
    assert json.loads(stored) == list(range(10))


@pytest.mark.parametrize("write", [to_numpy, to_onnx])
def test_what_cannot_be_exported(tmp_path, write):
    for model in (SoftLabelClassifier(), "network", None):
        with pytest.raises(ArgumentError, match="Network or a fitted"):
            write(model, tmp_path / "a")
    (tmp_path / "file").write_text("")
    with pytest.raises(ArgumentError, match="cannot be written"):
        write(initialise(2, 2), tmp_path / "file" / "a")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
