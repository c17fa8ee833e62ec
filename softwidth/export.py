"""A student as a file that runs without softwidth: ONNX, or plain NumPy arrays.

Both hold the arithmetic of `network.Network` and nothing else: scaling of rows where the estimator
does it, one hidden layer, sigmoid or softmax. Files are written whole or not at all.
"""

from __future__ import annotations

import io
import json
import os
from pathlib import Path
from typing import Any

import numpy as np

from softwidth._checks import ArgumentError, SoftwidthError
from softwidth._output import write_whole
from softwidth.network import Network

OPSET, IR_VERSION = 17, 8  # of 2022: every runtime since then reads them


def to_numpy(model: Any, path: str | os.PathLike[str]) -> Path:
    """Write a student as an ``.npz`` that docs/export.md predicts from in a few lines of NumPy.

    Parameters
    ----------
    model : Network or fitted SoftLabelClassifier
        A network takes rows as they are; a classifier keeps its ``normalise``.
    path : str or path

    Returns
    -------
    Path
        The file: ``W`` (width, D), ``b_hidden`` (width,), ``A`` (width, C) with the scale inside,
        ``b`` (C,), ``normalise`` (bool) and ``classes`` (K,); no pickles.

    Raises
    ------
    ArgumentError
        A model that is neither or not fitted, or a file that cannot be written.
    """
    content = io.BytesIO()
    np.savez(content, allow_pickle=False, **_arrays(model))
    return write_whole("path", path, content.getvalue())


def to_onnx(model: Any, path: str | os.PathLike[str]) -> Path:
    """Write a student as an ONNX graph from ``X`` (N, D) to ``probabilities`` (N, K).

    Parameters
    ----------
    model : Network or fitted SoftLabelClassifier
    path : str or path

    Returns
    -------
    Path
        The file; N is free, X has the type of the weights, and the metadata hold ``classes`` as a
        JSON list.

    Raises
    ------
    ArgumentError
        As `to_numpy`.
    SoftwidthError
        The package onnx is not installed; the message says how to get it.
    """
    try:
        import onnx
    except ImportError:
        told = "ONNX files need the package onnx: pip install 'softwidth[export]'."
        raise SoftwidthError(told) from None
    arrays = _arrays(model)
    graph = _graph(onnx.helper, onnx.numpy_helper, arrays)
    opset = onnx.helper.make_opsetid("", OPSET)
    made = onnx.helper.make_model(
        graph, producer_name="softwidth", opset_imports=[opset], ir_version=IR_VERSION
    )
    onnx.helper.set_model_props(made, {"classes": json.dumps(arrays["classes"].tolist())})
    onnx.checker.check_model(made, full_check=True)
    return write_whole("path", path, made.SerializeToString())


def _network_of(model: Any) -> Network:
    network = model if isinstance(model, Network) else getattr(model, "network_", None)
    if not isinstance(network, Network):
        wish = "must be a Network or a fitted SoftLabelClassifier."
        raise ArgumentError("model", type(model).__name__, wish)
    return network


def _arrays(model: Any) -> dict[str, np.ndarray[Any, Any]]:
    """Everything that a prediction needs, the output scale inside `A`."""
    network = _network_of(model)
    W, C = network.W, network.A.shape[1]
    bias = W[:, -1] if network.bias else np.zeros(len(W), W.dtype)
    classes = getattr(model, "classes_", np.arange(max(C, 2)))
    if classes.dtype == object:  # would be stored as a pickle
        classes = classes.astype(str)
    return {
        "W": np.ascontiguousarray(W[:, :-1] if network.bias else W),
        "b_hidden": np.ascontiguousarray(bias),
        "A": np.asarray(network.scale * network.A, W.dtype),
        "b": network.b,
        "normalise": np.array(bool(getattr(model, "normalise", False))),
        "classes": classes,
    }


def _graph(helper: Any, numpy_helper: Any, arrays: dict[str, np.ndarray[Any, Any]]) -> Any:
    """Scaling, ``max(0, X W^T + b_hidden) A + b``, probabilities."""
    W, A, kind = arrays["W"], arrays["A"], arrays["W"].dtype
    constants = {"Wt": W.T, "b_hidden": arrays["b_hidden"], "A": A, "b": arrays["b"]}
    nodes, rows = [], "X"
    if arrays["normalise"]:
        more, unit = _unit_rows(helper, kind)
        nodes, rows, constants = more, "unit", {**constants, **unit}
    nodes += [
        helper.make_node("Gemm", [rows, "Wt", "b_hidden"], ["H"]),
        helper.make_node("Relu", ["H"], ["active"]),
        helper.make_node("Gemm", ["active", "A", "b"], ["logits"]),
        *_probabilities(helper, A.shape[1]),
    ]
    number = helper.np_dtype_to_tensor_dtype(kind)
    K = max(A.shape[1], 2)
    return helper.make_graph(
        nodes,
        "student",
        [helper.make_tensor_value_info("X", number, ["N", W.shape[1]])],
        [helper.make_tensor_value_info("probabilities", number, ["N", K])],
        [
            numpy_helper.from_array(np.ascontiguousarray(array), name)
            for name, array in constants.items()
        ],
    )


def _unit_rows(helper: Any, kind: Any) -> tuple[list[Any], dict[str, np.ndarray[Any, Any]]]:
    """Rows divided by their largest entry, then by their norm; rows of zeros stay."""
    tiny = np.array(np.finfo(kind).tiny, kind)  # in place of 0, which alone is below it
    nodes = [
        helper.make_node("Abs", ["X"], ["sizes"]),
        helper.make_node("ReduceMax", ["sizes"], ["top"], axes=[1], keepdims=1),
        helper.make_node("Max", ["top", "tiny"], ["largest"]),
        helper.make_node("Div", ["X", "largest"], ["below_one"]),
        helper.make_node("ReduceL2", ["below_one"], ["length"], axes=[1], keepdims=1),
        helper.make_node("Max", ["length", "tiny"], ["norm"]),
        helper.make_node("Div", ["below_one", "norm"], ["unit"]),
    ]
    return nodes, {"tiny": tiny}


def _probabilities(helper: Any, n_outputs: int) -> list[Any]:
    if n_outputs > 1:
        return [helper.make_node("Softmax", ["logits"], ["probabilities"], axis=1)]
    return [
        helper.make_node("Neg", ["logits"], ["other"]),
        helper.make_node("Concat", ["other", "logits"], ["both"], axis=1),
        helper.make_node("Sigmoid", ["both"], ["probabilities"]),
    ]
