"""The generator of the synthesis program: fitted on training rows, drawn from, kept as arrays by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.config.configuration import Configuration
from spectrosim_search.config.errors import DataError, InputError
from spectrosim_search.search.programs._contract import OnEpoch, ProgramTask
from spectrosim_search.search.programs._synthesis import checked, intensities, kept_rows
from spectrosim_search.search.programs._synthesis_settings import Settings, settings_of

if TYPE_CHECKING:
    from spectrosim_search.learning.synthesis import Prescribed

__all__ = ["Synthetic", "generate", "synthesise"]

Arrays = dict[str, NDArray[np.float32]]


@dataclass(frozen=True, eq=False)
class Synthetic:
    """Spectra made from training rows, their classes, and what made them."""

    spectra: NDArray[np.float32]  # (s, L) preprocessed
    classes: NDArray[np.int64]  # (s,)
    parameters: Arrays
    loss: NDArray[np.float32]  # (E,)
    status: Literal["finished", "stopped", "diverged"]
    reason: str


def synthesise(task: ProgramTask, *, device: str = "cpu", on_epoch: OnEpoch | None = None) -> Synthetic:
    """Train the generator on the training rows and make ``amount`` spectra of each; none where training did not end.

    Raises DataError for spectra below 0 and class vectors that are missing or misshapen.
    """
    settings = settings_of(task.configuration)
    parameters, loss, status, reason = _fitted(task, settings, device, on_epoch)
    own = parameters["training.classes"].astype(np.int64)
    wanted = settings.amount if status == "finished" and settings.use != "real" else 0
    sources = np.repeat(np.arange(own.size), wanted)
    classes = own[sources]
    made = _draw(task.configuration, parameters, task.axis, sources, classes, task.seed, device)
    return Synthetic(made, classes, parameters, loss, status, reason)


def generate(
    configuration: Configuration,
    parameters: Mapping[str, NDArray[np.float32]],
    class_code: int,
    count: int,
    seed: int,
    axis: NDArray[np.float64],
) -> NDArray[np.float32]:
    """Return `count` new spectra ``(count, L)`` of a class, as intensities whose base peak is 1000.

    A class without training spectra is decoded from its vector. Raises InputError for an unknown class and for such a
    class where no autoencoder was trained (``program.blend`` 0).
    """
    total = int(parameters["training.class_count"][0])
    if not 0 <= class_code < total:
        raise InputError(f"there is no class {class_code}; the model knows classes 0 to {total - 1}")
    own = np.flatnonzero(parameters["training.classes"].astype(np.int64) == class_code)
    if not own.size and "generator.vectors" not in parameters:
        raise InputError(f"class {class_code} has no training spectra and the model no decoder (program.blend is 0)")
    sources = own[np.arange(count) % own.size] if own.size else np.full(count, -1, np.int64)
    classes = np.full(count, class_code, np.int64)
    made = intensities(configuration.preprocessing, _draw(configuration, parameters, axis, sources, classes, seed))
    return np.asarray(1000.0 * made / np.maximum(made.max(axis=1, keepdims=True), 1e-12), np.float32)


def _vectors(task: ProgramTask, settings: Settings) -> NDArray[np.float32] | None:
    if settings.vectors == "learned":
        return None
    name = "vectors" if settings.vectors == "given" else "fingerprints"
    found = task.side.get(name)
    if found is None:
        raise DataError(f"program.vectors is '{settings.vectors}', but no {name} of the classes are given")
    if found.ndim != 2 or found.shape[0] != len(task.class_names):
        raise DataError(f"{name} of the classes have shape {found.shape}, expected ({len(task.class_names)}, D)")
    return found


def _fitted(
    task: ProgramTask, settings: Settings, device: str, on_epoch: OnEpoch | None
) -> tuple[Arrays, NDArray[np.float32], Literal["finished", "stopped", "diverged"], str]:
    """Generator and everything it draws from, by name, the loss of each epoch, and how training ended."""
    from spectrosim_search.learning.acquisition import Variation, learn
    from spectrosim_search.learning.synthesis import Fitted, SynthesisData, specialise
    from spectrosim_search.learning.synthesis import fit as fit_autoencoder

    rows = kept_rows(task.train, task.classes, settings.spectra_per_class)
    spectra, classes = checked(task.spectra[rows]), task.classes[rows]
    data = SynthesisData(spectra, classes, task.axis, len(task.class_names), _vectors(task, settings))
    prior = Variation(settings.tilt, settings.power, settings.noise)
    found = learn(spectra, classes, task.axis, prior, settings.prior)
    fitted = Fitted({}, np.empty(0, np.float32))
    if settings.use != "real" and settings.blend > 0:
        prescribed = _prescribed(settings)
        fitted = fit_autoencoder(data, prescribed, task.configuration, task.seed, device=device, on_epoch=on_epoch)
        if settings.specialised and fitted.status == "finished":
            fitted = specialise(
                fitted, data, prescribed, task.configuration, task.seed, device=device,
                frozen=settings.frozen, steps=settings.specialised_steps,
            )  # fmt: skip
    arrays = {f"generator.{n}": v for n, v in fitted.parameters.items()}
    arrays |= {
        "training.spectra": spectra,
        "training.classes": classes.astype(np.float32),
        "training.class_count": np.array([len(task.class_names)], np.float32),
        "variation": np.array(found.spreads, np.float32),
    }
    return arrays, fitted.loss, fitted.status, fitted.reason


def _prescribed(settings: Settings) -> Prescribed:
    from spectrosim_search.learning.synthesis import Prescribed

    return Prescribed(settings.size, settings.depth, settings.match, settings.cosine, settings.removal)


def _draw(
    configuration: Configuration,
    parameters: Mapping[str, NDArray[np.float32]],
    axis: NDArray[np.float64],
    sources: NDArray[np.int64],
    classes: NDArray[np.int64],
    seed: int,
    device: str = "cpu",
) -> NDArray[np.float32]:
    from spectrosim_search.learning.acquisition import Variation
    from spectrosim_search.learning.synthesis import SynthesisData
    from spectrosim_search.learning.synthesis_drawing import Drawing, draw

    settings = settings_of(configuration)
    generator = {n.removeprefix("generator."): v for n, v in parameters.items() if n.startswith("generator.")}
    data = SynthesisData(
        parameters["training.spectra"],
        parameters["training.classes"].astype(np.int64),
        axis,
        int(parameters["training.class_count"][0]),
        generator.get("vectors"),
    )
    tilt, power, noise = (float(v) for v in parameters["variation"])
    drawing = Drawing(settings.blend, settings.jitter, settings.transfer, Variation(tilt, power, noise))
    return draw(generator, data, _prescribed(settings), configuration, drawing, sources, classes, seed, device=device)
