"""A trained model made ready to be asked: its parameters in place, spectra in, what similarity compares out."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spectrosim_search.config.configuration import Configuration
from spectrosim_search.config.errors import InputError
from spectrosim_search.learning.model import Model
from spectrosim_search.learning.precision import Precision, compute_dtype
from spectrosim_search.learning.stack import values_of

__all__ = ["Network"]


class Network:
    """One model, or the networks of one ensemble, over spectra of one axis."""

    def __init__(
        self,
        configuration: Configuration,
        parameters: Mapping[str, NDArray[np.float32]],
        axis: NDArray[np.float64],
        device: torch.device,
        precision: Precision = "fp32",
    ) -> None:
        """Take parameters as :class:`~spectrosim_search.learning.tasks.ReplicateResult` gives them; axis ``(L,)``.

        Raises InputError where they do not fit the configuration and the number of channels.
        """
        self.members = members = configuration.training.members
        self.device = device
        self.own = configuration.training.own_terms
        self.model = model = Model(configuration, axis.shape[0])
        flat, fitted, compared = model.blank(members)
        for name, view in model.named(flat, fitted, compared).items():
            given = parameters.get(name)
            shape = tuple(view.shape[1:] if members == 1 else view.shape)
            if given is None or tuple(given.shape) != shape:
                found = "missing" if given is None else f"of shape {tuple(given.shape)}"
                raise InputError(f"model parameter '{name}' is {found}, expected {shape} for {axis.shape[0]} channels")
            view.copy_(torch.from_numpy(np.asarray(given, dtype=np.float32)))
        flat, fitted = flat.to(device), fitted.to(device)
        self._compared = compared.to(device, torch.float64)  # own terms and products nearly cancel: no digit is lost
        split = model.encoder.size
        self._encoder = model.encoder.views(flat[:, :split].to(compute_dtype(precision, device, model.width)))
        self._encoder |= model.fitted.views(fitted)
        self._head = model.head.views(flat[:, split : model.network])
        self._values: dict[str, dict[str, Tensor]] = {
            "encoders": values_of("encoders", [configuration.encoder] * members, torch.float32, device),
            "heads": values_of("heads", [configuration.head] * members, torch.float32, device),
        }
        where = torch.from_numpy(np.asarray(axis, dtype=np.float64)).to(device, torch.float32)
        self._axis = where.expand(members, -1)

    def tensor(self, spectra: NDArray[np.floating]) -> Tensor:
        """Spectra ``(N, L)`` on the network's device, in float32."""
        return torch.from_numpy(np.ascontiguousarray(spectra, dtype=np.float32)).to(self.device)

    def __call__(self, x: Tensor, tokens: list[Tensor] | None = None) -> Tensor:
        """What similarity compares, ``(N, D)``, of spectra x ``(N, L)``; can be differentiated by x.

        D is the sum over an ensemble's networks, and one more where `own` says that rows end with an own term. tokens:
        takes the encoder's tokens ``(members, N, T, features)`` along the axis as they are before they are pooled;
        stays empty where the encoder has none.
        """
        outputs = self.model.forward(
            self._encoder, self._head, x.expand(self.members, -1, -1), self._axis, self._values, tokens=tokens
        )
        return self.model.compared(self.model.similar(outputs), self._compared, self.members)[0].float()
