"""Fitted preprocessing as a part of an ONNX graph; in double precision, as it computes elsewhere."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from spectrosim_search.config.configuration import Preprocessing
from spectrosim_search.config.errors import InputError
from spectrosim_search.spectra.preprocessing import State, rowwise
from spectrosim_search.spectra.preprocessing._baseline import polynomial, snip
from spectrosim_search.spectra.preprocessing.msc import LEAST_CORRELATION

__all__ = ["PreprocessingGraph"]

_TINY = 1e-12  # relative deviation that rounding alone can make, as in the preprocessing itself
_ROUNDING = 1e-7  # the same for what a baseline leaves
_WIDEST_SNIP = 200  # channels; a half window is six operations, and writing time grows with their square


class PreprocessingGraph(torch.nn.Module):
    """Raw intensities ``(N, L)`` to ``(N, C)`` float64.

    Raises InputError where a step has no counterpart: arpls, whose number of iterations depends on the spectrum, and
    snip over more channels than a graph should have operations.
    """

    def __init__(self, state: State) -> None:
        super().__init__()
        self.settings = s = state.settings
        self.left = s.channels(state.channels)
        self.half_window = 0
        if s.intensity not in ("none", "tic", "sqrt", "log", "snv", "msc"):
            raise InputError(f"preprocessing '{s.intensity}' has no counterpart in an ONNX file")
        if s.baseline == "snip":
            self.half_window = snip.half_window(s, state.channels)
            if 2 * self.half_window > _WIDEST_SNIP:
                raise InputError(
                    f"baseline 'snip' over {s.baseline_width} channels has no counterpart in an ONNX file, only up to "
                    f"{_WIDEST_SNIP}: use the model folder"
                )
        elif s.baseline == "polynomial":
            self.register_buffer("basis", torch.from_numpy(polynomial.basis(s.baseline_order, state.channels)))
        elif s.baseline != "none":
            raise InputError(f"baseline '{s.baseline}' has no counterpart in an ONNX file: use the model folder")
        if state.reference is not None:
            shape = state.reference - state.reference.mean()
            self.size = float(np.sqrt((shape**2).sum()))
            self.level = float(state.reference.mean())
            self.register_buffer("shape", torch.from_numpy(shape))
        if s.derivative:  # Savitzky-Golay is linear: its matrix is what it does to single peaks
            plain = Preprocessing("none", s.derivative, s.window, "none")
            self.register_buffer("derivative", torch.from_numpy(rowwise(plain, np.eye(self.left))).double())
        self.register_buffer("mean", torch.from_numpy(state.mean))
        self.register_buffer("factor", torch.from_numpy(state.factor))

    def forward(self, intensities: Tensor) -> Tensor:
        """Return the preprocessed spectra."""
        x = self._binned(self._without_baseline(intensities.double()))
        if self.settings.baseline != "none" and self.settings.intensity in ("sqrt", "log"):
            x = x.clamp(min=0.0)
        x = self._intensity(x)
        if self.settings.derivative:
            x = x @ self.get_buffer("derivative")
        if self.settings.scale != "none":
            x = (x - self.get_buffer("mean")) * self.get_buffer("factor")
        return x

    def _without_baseline(self, x: Tensor) -> Tensor:
        if self.settings.baseline == "none":
            return x
        if self.settings.baseline == "polynomial":
            basis = self.get_buffer("basis")
            left = x - (x @ basis.T) @ basis
        else:
            left = x - self._snip(x)
        largest, rest = x.abs().amax(dim=1, keepdim=True), left.abs().amax(dim=1, keepdim=True)
        return torch.where(rest <= _ROUNDING * largest, torch.zeros_like(left), left)

    def _snip(self, x: Tensor) -> Tensor:
        for p in range(self.half_window, 0, -1):
            middle = (x[:, : -2 * p] + x[:, 2 * p :]) * 0.5
            x = torch.cat([x[:, :p], torch.minimum(x[:, p:-p], middle), x[:, -p:]], dim=1)
        return x

    def _binned(self, x: Tensor) -> Tensor:
        size, length = self.settings.binning, x.shape[1]
        if size == 1:
            return x
        whole = length // size
        parts = [x[:, : whole * size].reshape(-1, whole, size).mean(dim=2)]
        if whole * size < length:
            parts.append(x[:, whole * size :].mean(dim=1, keepdim=True))
        return torch.cat(parts, dim=1)

    def _intensity(self, x: Tensor) -> Tensor:
        kind = self.settings.intensity
        if kind == "none":
            return x
        if kind in ("snv", "msc"):
            mean = x.mean(dim=1, keepdim=True)
            centred = x - mean
            deviation = (centred * centred).mean(dim=1, keepdim=True).sqrt()
            varies = deviation > _TINY * mean.abs()
            if kind == "snv":
                return torch.where(varies, centred / torch.where(varies, deviation, 1.0), 0.0)
            slope = (centred * self.get_buffer("shape")).sum(dim=1, keepdim=True) / self.size**2
            least = deviation * (LEAST_CORRELATION * x.shape[1] ** 0.5 / self.size)
            slope = torch.where(slope < 0, torch.minimum(slope, -least), torch.maximum(slope, least))
            return torch.where(varies, centred / torch.where(varies, slope, 1.0), 0.0) + self.level
        total = x.abs().sum(dim=1, keepdim=True)
        x = x / torch.where(total > 0, total, torch.ones_like(total))
        if kind == "sqrt":
            return x.sqrt()
        return torch.log(1 + x * self.left) if kind == "log" else x
