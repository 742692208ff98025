"""An encoder up to the features that are read, with the blocks that stay as they are apart from those that train.

Beside what every encoder has (see ``learning/__init__``), one with blocks has ``blocks(settings)``,
``enter(settings, p, x)``, ``block(settings, p, h, number)``, ``read(settings, p, h, context)``,
``block_size(settings, length, number)``, ``references(settings)`` and a setting `regions`; tensors of block k start
with ``blockk.``. Any other encoder is one block.

Legend: R replicates, M views, L channels, T places, C features of a place, F features read.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from spectrosim_search.config import registry
from spectrosim_search.config.configuration import Component
from spectrosim_search.config.errors import ConfigurationError
from spectrosim_search.learning.components import settings_of
from spectrosim_search.learning.fitting import Fitting
from spectrosim_search.learning.layers import Context
from spectrosim_search.learning.layers_convolution import region_count, summarise
from spectrosim_search.learning.parameters import Parameter
from spectrosim_search.learning.randomness import Stream
from spectrosim_search.learning.stack import values_of

__all__ = ["Trunk"]


class Trunk:
    """The encoder of a configuration, read behind block `features` (counted from 1; 0: the embedding)."""

    def __init__(self, encoder: Component, length: int, features: int) -> None:
        """Prepare for spectra of `length` channels. Raises ConfigurationError where that block does not exist."""
        self._module = registry.load("learning.encoders", encoder.type)
        self._settings = settings_of("encoders", encoder)
        self._component = encoder
        in_blocks = hasattr(self._module, "blocks")
        self.blocks = int(self._module.blocks(self._settings)) if in_blocks else 1
        if features > (self.blocks if in_blocks else 0):
            have = f"has {self.blocks} blocks" if in_blocks else "has no blocks to read behind; use 0, its embedding"
            raise ConfigurationError([f"program.features is {features}, but encoder {encoder.type} {have}"])
        self._in_blocks = in_blocks
        self._last = features or self.blocks  # blocks that are computed
        self._read = features
        self._declared: dict[str, Parameter] = dict(self._module.parameters(self._settings, length))
        if features:
            places, width = self._module.block_size(self._settings, length, features - 1)
            self.size = 2 * width * region_count(places, self._settings.regions)
        else:
            self.size = int(self._module.outputs(self._settings, length))

    @property
    def depth(self) -> int:
        """Blocks that are computed."""
        return self._last

    def parameters(self, first: int = 0) -> dict[str, Parameter]:
        """Declare the tensors that training can change, of blocks from number `first` on; those not read left out."""
        return {n: p for n, p in self._used().items() if p.start != "fitted" and self._block_of(n) >= first}

    def fitted(self) -> dict[str, Parameter]:
        """Declare what is fitted on training spectra."""
        return {n: p for n, p in self._used().items() if p.start == "fitted"}

    def fit(self, fitting: Fitting) -> dict[str, Tensor]:
        """Return what the encoder fits, ``(1, *shape)`` by name."""
        if not self.fitted():
            return {}
        return {n: torch.from_numpy(v).unsqueeze(0) for n, v in self._module.fit(self._settings, fitting).items()}

    def _used(self) -> dict[str, Parameter]:
        if not self._read:
            return self._declared
        return {n: p for n, p in self._declared.items() if p.start == "fitted" or self._numbered(n) < self._last}

    def _numbered(self, name: str) -> int:
        """The number in a tensor's name; what is in no block comes behind all of them."""
        head = name.split(".", 1)[0].removeprefix("block")
        return int(head) if self._in_blocks and head.isdigit() else self.blocks

    def _block_of(self, name: str) -> int:
        return min(self._numbered(name), self._last - 1)

    def context(self, axis: Tensor, x: Tensor, stream: Stream | None, use: int, penalties: list[Tensor]) -> Context:
        """Return what a pass over spectra x ``(1, M, L)`` knows; axis ``(1, L)``."""
        values = values_of("encoders", [self._component], x.dtype, x.device)
        silent = frozenset(n for n, v in values.items() if not v.any())
        return Context(axis, values, stream, use, {}, x, penalties, silent)

    def lower(self, p: Mapping[str, Tensor], x: Tensor, first: int) -> Tensor:
        """Return what block number `first` reads of spectra x ``(1, M, L)``, reference rows in front of the M."""
        if not self._in_blocks:
            return x
        h: Tensor = self._module.enter(self._settings, p, x)
        for number in range(first):
            h = self._module.block(self._settings, p, h, number)
        return h

    @property
    def references(self) -> int:
        """Rows in front of what :meth:`lower` gives that belong to no spectrum of its own."""
        return int(self._module.references(self._settings)) if self._in_blocks else 0

    def upper(self, p: Mapping[str, Tensor], h: Tensor, first: int, context: Context) -> Tensor:
        """Return features ``(1, M, F)`` from what block number `first` reads, as :meth:`lower` gives it."""
        if not self._in_blocks:
            z: Tensor = self._module.forward(self._settings, p, h, context)
            return z
        for number in range(first, self._last):
            h = self._module.block(self._settings, p, h, number)
        h = h[:, self.references :]
        if self._read:
            return summarise(context.show(h), self._settings.regions)
        out: Tensor = self._module.read(self._settings, p, h, context)
        return out
