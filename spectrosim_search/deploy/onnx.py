"""A model as one ONNX file: raw intensities over the training axis in, embeddings out (extra ``onnx``).

Preprocessing is part of the graph, so that a program in any language needs nothing but the file: the similarity of two
spectra is the dot product of their embeddings, and threshold and calibration stand in the file's metadata. Where a
model does not compare by cosine, the last number of an embedding is the spectrum's own term and stands outside the
product: both spectra's are added. The metadata `similarity` says which holds, "dot" or "dot and own terms". What stays
outside is the check of axis and intensities that :class:`~spectrosim_search.deploy.verifier.Verifier` makes.
"""

from __future__ import annotations

import importlib.util
import json
import math
import os
import tempfile
import warnings
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spectrosim_search.config.configuration import Configuration
from spectrosim_search.config.errors import InputError, MissingExtraError, RunError
from spectrosim_search.deploy._onnx_preprocessing import PreprocessingGraph
from spectrosim_search.deploy.embedding import Part, has_own
from spectrosim_search.deploy.model_folder import ModelFolder

__all__ = ["check_onnx", "export_onnx"]


def check_onnx(path: str | Path) -> None:
    """Find out early whether an ONNX file could be written.

    Raises MissingExtraError without the extra ``onnx``, InputError where the folder of `path` is missing or closed.
    """
    for package in ("onnx", "onnxscript"):
        if importlib.util.find_spec(package) is None:
            raise MissingExtraError(package, "onnx", "writing ONNX files")
    path = Path(path)
    if path.is_dir() or not os.access(path.absolute().parent, os.W_OK):
        raise InputError(f"'{path}' cannot be written: name a file in a folder that exists and is open to you")


def export_onnx(folder: ModelFolder, path: str | Path) -> Path:
    """Write one ONNX file; input ``intensities`` float32 ``(N, L)``, output ``embedding`` float32 ``(N, D)``, any N.

    Raises MissingExtraError without the extra ``onnx`` and InputError where the file cannot be written or the
    preprocessing has no counterpart in the graph, RunError where the exporter cannot keep the number of spectra open.
    """
    path = Path(path)
    check_onnx(path)
    import onnx

    example = torch.zeros(2, len(folder.axis)) + torch.linspace(0.5, 1.5, len(folder.axis))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter warns of its own deprecations, which no user can act on
        program = torch.onnx.export(
            _Embedding(folder).eval(),
            (example,),
            input_names=["intensities"],
            output_names=["embedding"],
            dynamic_shapes={"intensities": {0: torch.export.Dim("spectra")}},
            dynamo=True,
            verbose=False,
        )
    if program is None:
        raise InputError("the installed torch writes no ONNX program: use torch 2.6 or later")
    model = program.model_proto
    if not model.graph.input[0].type.tensor_type.shape.dim[0].dim_param:
        raise RunError("the exporter fixed the number of spectra: this model has no ONNX form that takes any number")
    onnx.helper.set_model_props(model, _metadata(folder))
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.absolute().parent)
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.write(model.SerializeToString())
            Path(name).chmod(0o644)
            Path(name).replace(path)
        finally:
            Path(name).unlink(missing_ok=True)
    except OSError as error:
        raise InputError(f"'{path}' cannot be written: {error.strerror}") from error
    return path


def _metadata(folder: ModelFolder) -> dict[str, str]:
    facts = {
        "name": folder.name,
        "identity": folder.document.identity,
        "data_fingerprint": str(folder.data["fingerprint"]),
        "axis_unit": folder.axis_unit,
        "axis": json.dumps(folder.axis.tolist()),
        "similarity": "dot and own terms" if has_own(folder.parts) else "dot",
    }
    if folder.decision is not None:
        c = folder.decision.calibration
        facts["threshold"] = repr(folder.decision.threshold)
        facts["log_likelihood_ratio"] = json.dumps(
            {"slope": c.slope, "intercept": c.intercept, "lowest": c.lowest, "highest": c.highest}
        )
    return facts


class _Embedding(torch.nn.Module):
    """Raw intensities to rows, a committee's joined as :func:`~spectrosim_search.deploy.embedding.embed_parts` does."""

    def __init__(self, folder: ModelFolder) -> None:
        super().__init__()
        self.parts = torch.nn.ModuleList([_Part(part, folder.axis) for part in folder.parts])
        self.own = [part.own for part in folder.parts]

    def forward(self, intensities: Tensor) -> Tensor:
        rows: list[Tensor] = [part(intensities) for part in self.parts]
        if len(rows) == 1:
            return rows[0]
        vectors = [r[:, :-1] if own else r for r, own in zip(rows, self.own)]
        joined = torch.cat(vectors, dim=1) / math.sqrt(len(rows))
        if not any(self.own):
            return joined
        terms = [r[:, -1:] for r, own in zip(rows, self.own) if own]
        return torch.cat([joined, torch.cat(terms, dim=1).sum(dim=1, keepdim=True) / len(rows)], dim=1)


class _Part(torch.nn.Module):
    """Raw intensities to the rows of one model."""

    def __init__(self, part: Part, axis: NDArray[np.float64]) -> None:
        super().__init__()
        self.own = part.own
        self.preprocessing = PreprocessingGraph(part.preprocessing)
        self.network = _Linear(part) if part.configuration is None else _Network(part, part.configuration, axis)

    def forward(self, intensities: Tensor) -> Tensor:
        z: Tensor = self.network(self.preprocessing(intensities).float())
        if self.own:
            return z
        norm = (z * z).sum(dim=1, keepdim=True).sqrt()
        unit: Tensor = z / torch.where(norm > 0, norm, torch.ones_like(norm))
        return unit


class _Linear(torch.nn.Module):
    """The linear metric; of PLDA rows that end with an own term."""

    def __init__(self, part: Part) -> None:
        super().__init__()
        self.own = part.own
        for name, array in part.parameters.items():
            self.register_buffer(name, torch.from_numpy(np.asarray(array, np.float64)))

    def forward(self, x: Tensor) -> Tensor:
        t = (x.double() - self.get_buffer("mean")) @ self.get_buffer("projection")
        if not self.own:
            return t.float()
        own = self.get_buffer("offset") - (t * t * self.get_buffer("weight")).sum(dim=1, keepdim=True)
        return torch.cat([t, own], dim=1).float()


class _Network(torch.nn.Module):
    """Encoder and head of one replicate, without dropout."""

    def __init__(self, part: Part, configuration: Configuration, measured: NDArray[np.float64]) -> None:
        from spectrosim_search.learning.model import Model
        from spectrosim_search.learning.stack import values_of

        super().__init__()
        members = configuration.training.members
        axis = part.preprocessing.axis(measured)
        self.model = Model(configuration, len(axis))
        flat, fitted, compared = self.model.blank(members)
        for name, view in self.model.named(flat, fitted, compared).items():
            view.copy_(torch.from_numpy(np.asarray(part.parameters[name], np.float32)))
        self.register_buffer("flat", flat)
        self.register_buffer("fitted", fitted)
        self.register_buffer("compared", compared.double())
        self.register_buffer("where", torch.from_numpy(axis).float().repeat(members, 1))
        cpu = torch.device("cpu")
        self.members = members
        self.values = {
            "encoders": values_of("encoders", [configuration.encoder] * members, torch.float32, cpu),
            "heads": values_of("heads", [configuration.head] * members, torch.float32, cpu),
        }

    def forward(self, x: Tensor) -> Tensor:
        flat, split = self.get_buffer("flat"), self.model.encoder.size
        encoder = self.model.encoder.views(flat[:, :split]) | self.model.fitted.views(self.get_buffer("fitted"))
        head = self.model.head.views(flat[:, split : self.model.network])
        several = x.unsqueeze(0).expand(self.members, -1, -1)
        outputs = self.model.forward(encoder, head, several, self.get_buffer("where"), self.values)
        z = self.model.similar(outputs)
        return self.model.compared(z, self.get_buffer("compared"), self.members)[0].float()
