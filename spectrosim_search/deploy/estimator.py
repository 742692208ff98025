"""The contrastive model as a scikit-learn estimator, for notebooks and pipelines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from spectrosim_search.config.configuration import Configuration
from spectrosim_search.config.errors import DataError, InputError, RunError

__all__ = ["SpectroSim"]


class SpectroSim(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):  # type: ignore[misc]  # untyped library
    """Embeds spectra so that those of one group are more similar than those of two.

    Trains one network for `epochs` epochs on everything it is given; how many epochs, and every other knob, is what a
    search or scikit-learn's own model selection is for (cross-validate with grouped folds, or the score says nothing).

    Parameters
    ----------
    encoder : name of an encoder, e.g. ``"transformer"``
    encoder_parameters : dict of its settings other than the defaults, or None
    head, head_parameters : the projection head likewise
    temperature : of the NT-Xent loss
    augmentations : dict of augmentation name → dict of its settings; None: jitter and scale with their defaults
    positives : "groups", "views" (label-free) or "both"; None: "both" where groups are given, else "views"
    intensity, derivative, scale : preprocessing, as in :class:`~spectrosim_search.config.configuration.Preprocessing`;
    None for
        intensity: "sqrt", or "snv" where an intensity is negative
    preprocessing_parameters : dict of its other settings (baseline, binning, window, ...), or None
    learning_rate, weight_decay, batch_size, epochs : training
    similarity : "head" or "encoder", what is embedded and compared
    comparison : "cosine", "euclidean" or "plda", how embeddings are compared (the last two are fitted on the groups)
    comparison_rounds : times that embeddings are whitened within groups and brought to length one first; 0: none
    comparison_neighbours : nearest training groups whose mean similarity is taken off a similarity; 0: none
    device : "cpu" or "cuda"
    random_state : seed of initialisation, order and views

    Attributes
    ----------
    embedding_ : float32 ``(N, D)`` embedding of the training spectra: unit rows, or with another comparison than cosine
        rows that end with a spectrum's own term (:mod:`spectrosim_search.deploy.embedding`)
    configuration_ : the complete configuration
    n_features_in_, feature_names_in_ : as everywhere in scikit-learn
    """

    def __init__(
        self,
        *,
        encoder: str = "transformer",
        encoder_parameters: dict[str, Any] | None = None,
        head: str = "linear",
        head_parameters: dict[str, Any] | None = None,
        temperature: float = 0.1,
        augmentations: dict[str, dict[str, Any]] | None = None,
        positives: Literal["groups", "views", "both"] | None = None,
        intensity: Literal["none", "tic", "sqrt", "log", "snv", "msc"] | None = None,
        derivative: int = 0,
        scale: Literal["none", "centre", "pareto", "standard"] = "standard",
        preprocessing_parameters: dict[str, Any] | None = None,
        learning_rate: float = 1e-3,
        weight_decay: float = 0.01,
        batch_size: int = 16,
        epochs: int = 30,
        similarity: Literal["head", "encoder"] = "head",
        comparison: Literal["cosine", "euclidean", "plda"] = "cosine",
        comparison_rounds: int = 0,
        comparison_neighbours: int = 0,
        device: str = "cpu",
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.encoder = encoder
        self.encoder_parameters = encoder_parameters
        self.head = head
        self.head_parameters = head_parameters
        self.temperature = temperature
        self.augmentations = augmentations
        self.positives = positives
        self.intensity = intensity
        self.derivative = derivative
        self.scale = scale
        self.preprocessing_parameters = preprocessing_parameters
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.batch_size = batch_size
        self.epochs = epochs
        self.similarity = similarity
        self.comparison = comparison
        self.comparison_rounds = comparison_rounds
        self.comparison_neighbours = comparison_neighbours
        self.device = device
        self.random_state = random_state

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float32"]  # embeddings are float32 whatever comes in
        return tags

    def fit(self, X: ArrayLike, y: ArrayLike | None = None, groups: ArrayLike | None = None) -> Self:
        """Train on spectra ``(N, L)``, N ≥ 2.

        `groups` ``(N,)`` says which spectra belong together; where it is None, `y` is taken for it, and without either
        the positives are two views of one spectrum. Raises DataError (a ValueError) for one spectrum or groups of
        another length, ConfigurationError listing every parameter that is wrong, RunError where training diverges.
        """
        from spectrosim_search.learning.engine import train_stack
        from spectrosim_search.learning.tasks import ReplicateTask, TrainingData
        from spectrosim_search.spectra import preprocessing

        x = validate_data(self, X, dtype=np.float32, ensure_min_samples=2, ensure_min_features=1)
        codes = _codes(y if groups is None else groups, len(x))
        self.configuration_ = self._configuration(bool((x < 0).any()), labelled=codes is not None)
        self._state = preprocessing.fit(self.configuration_.preprocessing, x)
        # ``validate_data`` knows no axis: channels count from 0, which is what positions mean to this encoder
        self._axis = self._state.axis(np.arange(x.shape[1], dtype=np.float64))
        prepared = self._state.transform(x)
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        task = ReplicateTask(
            key="fit",
            configuration=self.configuration_,
            seed=seed,
            data="fit",
            train=np.arange(len(x), dtype=np.int64),
            halves=None,
            epochs=self.epochs,
            return_parameters=True,
        )
        data = TrainingData(prepared, self._axis, np.arange(len(x), dtype=np.int64) if codes is None else codes)
        result = train_stack([task], {"fit": data}, device=self.device)[0]
        if result.status == "diverged":
            raise RunError(f"training diverged ({result.reason}): lower learning_rate or scale the spectra")
        self._parameters = dict(result.parameters)
        self.embedding_ = self._embed(prepared)
        self._n_features_out = self.embedding_.shape[1]
        return self

    def transform(self, X: ArrayLike) -> NDArray[np.float32]:
        """Embed spectra ``(N, L)`` → float32 ``(N, D)``, rows as `embedding_`; :meth:`score_pairs` compares them."""
        check_is_fitted(self)
        x = validate_data(self, X, dtype=np.float32, reset=False)
        return self._embed(self._state.transform(x))

    def fit_transform(
        self, X: ArrayLike, y: ArrayLike | None = None, groups: ArrayLike | None = None
    ) -> NDArray[np.float32]:
        """Train and return the embedding of the training spectra."""
        return self.fit(X, y, groups).embedding_

    def score_pairs(
        self, X: ArrayLike, pairs: ArrayLike | Sequence[tuple[int, int]] | None = None
    ) -> NDArray[np.float32]:
        """Similarities ``(P,)`` of pairs of rows ``(P, 2)`` of X; None: every two rows once, in the order of
        ``triu_indices``.

        Raises InputError where `pairs` is not two columns of rows of X.
        """
        from spectrosim_search.deploy.embedding import row_similarity

        z = self.transform(X)
        if pairs is None:
            left, right = np.triu_indices(len(z), k=1)
        else:
            table = np.asarray(pairs)
            if table.size == 0:
                return np.empty(0, np.float32)
            if table.ndim != 2 or table.shape[1] != 2 or table.dtype.kind not in "iu":
                raise InputError(
                    f"pairs have shape {table.shape} and type {table.dtype}; two columns of row numbers are needed"
                )
            if table.min() < 0 or table.max() >= len(z):
                raise InputError(f"pairs name rows outside 0 to {len(z) - 1}")
            left, right = table[:, 0], table[:, 1]
        return row_similarity(z, left, right, self.configuration_.training.own_terms)

    def _embed(self, prepared: NDArray[np.float32]) -> NDArray[np.float32]:
        from spectrosim_search.deploy.embedding import unit_rows
        from spectrosim_search.learning.engine import embed

        rows = embed(self.configuration_, self._parameters, prepared, self._axis, device=self.device)
        return rows if self.configuration_.training.own_terms else unit_rows(rows)

    def _configuration(self, negative: bool, labelled: bool) -> Configuration:
        """The complete configuration; ConfigurationError lists every parameter that is wrong."""
        from spectrosim_search.search.documents.configurations import configuration_from_mapping

        source = self.positives or ("both" if labelled else "views")
        if source == "groups" and not labelled:
            raise DataError("positives='groups' needs groups: give fit(X, groups=...) or y")
        intensity = self.intensity or ("snv" if negative else "sqrt")
        augmentations = {"jitter": {}, "scale": {}} if self.augmentations is None else self.augmentations
        objective = {"type": "nt-xent", "temperature": self.temperature}
        return configuration_from_mapping(
            {
                "preprocessing": {
                    **(self.preprocessing_parameters or {}),
                    "intensity": intensity,
                    "derivative": self.derivative,
                    "scale": self.scale,
                },
                "encoder": {"type": self.encoder, **(self.encoder_parameters or {})},
                "head": {"type": self.head, **(self.head_parameters or {})},
                "objective": objective,
                "augmentations": augmentations,
                "positives": {"source": source},
                "optimiser": {"learning_rate": self.learning_rate, "weight_decay": self.weight_decay},
                "training": {
                    "batch_size": self.batch_size,
                    "epochs": self.epochs,
                    "similarity": self.similarity,
                    "comparison": self.comparison,
                    "comparison_rounds": self.comparison_rounds,
                    "comparison_neighbours": self.comparison_neighbours,
                },
            },
            "SpectroSim",
        )


def _codes(groups: ArrayLike | None, n: int) -> NDArray[np.int64] | None:
    """Whole numbers from groups of any kind."""
    if groups is None:
        return None
    values = np.asarray(groups)
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.shape != (n,):
        raise DataError(f"groups have shape {values.shape} for {n} spectra")
    return np.unique(values, return_inverse=True)[1].astype(np.int64)
