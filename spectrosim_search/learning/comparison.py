"""How two embeddings are compared: by cosine, by distance, or by the odds that they are of one group; on a sphere or
not; and to whom else they are similar.

A cosine throws the distance from the mean away. That is right where the size of a spectrum says nothing, and wrong
where a spectrum far from all others is better evidence. So the comparison is a choice of its own, made after training:
the objective goes on acting on cosines.

``plda`` is the log likelihood ratio of a pair under the two-covariance model: an embedding is mean + y + e, where
y ~ N(0, B) is its group's and e ~ N(0, W) its own (Ioffe 2006; Brümmer and de Villiers 2010). W is the covariance
within groups, shrunk towards its mean diagonal; B follows from the covariance M between group means weighted by size,
E[M] = W + n0 B, n0 = (N - Σ n_g² / N) / (G - 1) (Searle 1971). ``euclidean`` is minus the squared distance.

Both are fitted on the embeddings of the replicate's own training spectra each time it is scored, and brought to the
scale of cosines: an increasing straight line gives the training pairs of different groups the mean and the deviation
of their cosines about the training mean. So similarities of networks and of models that compare in different ways can
be averaged, and none outweighs the others because its unit is smaller. Cosines about the origin would not do: where a
network's embeddings all point one way they hardly differ. Pairs of one group take no part in it: a network that has
learnt its training groups by heart would set the scale by what it remembers. A straight line changes no rank, so the
AUC of a model alone is what it would be without.

In the coordinates t of the fit both similarities are ``t·t' + own + own'``, where own = offset - Σ weight t² is a
spectrum's own term. What is compared is therefore a row ``(t, own)``, of one number more than the embedding has.

Spectra may have heavier tails than a normal distribution expects: one saturated or badly placed spectrum is far from
all others along axes on which its group says nothing, and in a ratio such distances weigh more than all else. With
`comparison_rounds` above 0 embeddings are put on a sphere first: centred, whitened by their covariance within groups
(shrunk by `comparison_rounds_shrinkage`) and divided by their length, so many times (spherical nuisance
normalisation, Bousquet et al. 2012; with one round the length normalisation that made Gaussian PLDA as good as
heavy-tailed ones, Garcia-Romero and Espy-Wilson 2011). Division changes the covariance, and the next round meets what
it has become. The comparison is fitted on what comes out.

A spectrum that is like everything is weak evidence: its similarities are high whoever the other is, which ranks its
pairs too high. With `comparison_neighbours` k above 0 the mean similarity μ of a spectrum with the k training groups
nearest to it is taken off, s - w (μ + μ') / 2: cross-domain similarity local scaling (Conneau et al. 2018, section
2.3, where w is 1 and the neighbours are words), in the verification of speakers the mean of adaptive symmetric score
normalisation (Matějka et al. 2017). A group stands for its spectra by the row of their mean embedding. -w μ / 2 goes
into the own term, so that the form of the row stays; w is the setting `comparison_locality`. Neighbours are looked for
among training groups alone: what a spectrum is compared with may not depend on the other spectra that are judged.
The scale stays: what is taken off lowers the pairs of a model all alike, and changes their spread little.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spectrosim_search.config.configuration import Configuration
from spectrosim_search.config.errors import DataError
from spectrosim_search.learning.parameters import Parameter, fitted

__all__ = ["Comparison", "compared_rows", "declared", "joined_rows", "pair_similarity"]

_SCALED_BY = 256  # training spectra whose pairs set the scale at most, spread evenly
_COHORT = 256  # training groups among which neighbours are looked for at most, spread evenly
_NOBODY = -1e30  # own term of places in the cohort that no group takes: no similarity is as low
_FLOOR = 1e-12  # smallest variance, as a share of the mean one, that whitening divides by


def declared(configuration: Configuration, size: int) -> dict[str, Parameter]:
    """Declare the fitted tensors of the comparison of embeddings of `size` numbers; none for the cosine alone."""
    training, out = configuration.training, dict[str, Parameter]()
    if training.comparison != "cosine":
        out |= {"mean": fitted(size), "projection": fitted(size, size), "weight": fitted(size), "offset": fitted(1)}
    if rounds := training.comparison_rounds:
        out |= {"centres": fitted(rounds, size), "whitenings": fitted(rounds, size, size)}
    if training.comparison_neighbours:
        out |= {"cohort": fitted(_COHORT, size + 1), "locality": fitted(1)}
    return out


def compared_rows(p: Mapping[str, Tensor], z: Tensor, neighbours: int = 0) -> Tensor:
    """Return rows ``(R, V, D + 1)``, the own term last, of embeddings z ``(R, V, D)``, in the type of the constants.

    neighbours: training groups whose mean similarity is taken off; 0 even where `p` has a cohort: none.
    """
    rows = _plain_rows(p, _on_sphere(p, z))
    if not neighbours:
        return rows
    cohort = p["cohort"]
    similarity = rows[..., :-1] @ cohort[..., :-1].transpose(1, 2) + rows[..., -1:] + cohort[..., -1].unsqueeze(1)
    near = similarity.topk(min(neighbours, _COHORT), dim=-1).values
    somebody = near > _NOBODY / 2  # a training set may have fewer groups than neighbours are asked for
    mean = torch.where(somebody, near, 0.0).sum(dim=-1) / somebody.sum(dim=-1)
    own = rows[..., -1] - p["locality"] * mean / 2
    return torch.cat([rows[..., :-1], own.unsqueeze(-1)], dim=-1)


def _on_sphere(p: Mapping[str, Tensor], z: Tensor) -> Tensor:
    """Embeddings ``(R, V, D)`` after all rounds; as they are where `p` has none."""
    if "centres" not in p:
        return z
    z = z.to(p["centres"].dtype)
    for centre, white in zip(p["centres"].unbind(1), p["whitenings"].unbind(1)):
        z = _unit((z - centre.unsqueeze(1)) @ white)
    return z


def _unit(x: Tensor) -> Tensor:
    return torch.nn.functional.normalize(x, dim=-1, eps=1e-8)


def _plain_rows(p: Mapping[str, Tensor], z: Tensor) -> Tensor:
    """Rows before anything is taken off for neighbours; of the cosine unit vectors, whose own terms are 0."""
    if "projection" not in p:
        t = _unit(z.to(next(iter(p.values())).dtype))
        return torch.cat([t, torch.zeros_like(t[..., :1])], dim=-1)
    t = (z.to(p["mean"].dtype) - p["mean"].unsqueeze(1)) @ p["projection"]
    own = p["offset"].unsqueeze(1) - (t.square() * p["weight"].unsqueeze(1)).sum(dim=-1, keepdim=True)
    return torch.cat([t, own], dim=-1)


def joined_rows(rows: Tensor, members: int) -> Tensor:
    """Return rows of ensembles ``(T, V, E·D + 1)`` from those of their networks ``(T·E, V, D + 1)``.

    The similarity of two joined rows is the mean of the networks' similarities.
    """
    if members == 1:
        return rows
    several = rows.view(-1, members, *rows.shape[1:])
    vectors = several[..., :-1].permute(0, 2, 1, 3).flatten(2) / members**0.5
    return torch.cat([vectors, several[..., -1:].mean(dim=1)], dim=-1)


def pair_similarity(left: Tensor, right: Tensor, own: bool) -> Tensor:
    """Return the similarity of what is compared, row by row ``(…, D)`` → ``(…)``; own: rows end with own terms."""
    if not own:
        return torch.nn.functional.cosine_similarity(left, right, dim=-1)
    out: Tensor = (left[..., :-1] * right[..., :-1]).sum(dim=-1) + left[..., -1] + right[..., -1]
    return out


class Comparison:
    """What the places of a stack need to fit their comparison: training rows and groups, padded to one length."""

    def __init__(
        self,
        configurations: Sequence[Configuration],
        rows: Sequence[NDArray[np.int64]],
        groups: Sequence[NDArray[np.int64]],
        device: torch.device,
    ) -> None:
        """Take of each place the rows ``(n,)`` of its training spectra and a group code for each.

        Places differ in how much is taken off for neighbours and in shrinkages, in nothing else. Raises DataError where
        there is but one training group or, for plda and rounds, no group of two spectra.
        """
        self._kind = configurations[0].training.comparison
        self._rounds = configurations[0].training.comparison_rounds
        self._neighbours = configurations[0].training.comparison_neighbours
        locality = [c.training.comparison_locality for c in configurations]
        self._locality = torch.tensor(locality, dtype=torch.float64, device=device).unsqueeze(1)
        shrinkage = [c.training.comparison_shrinkage for c in configurations]
        self._shrinkage = torch.tensor(shrinkage, dtype=torch.float64, device=device)
        pulls = [c.training.comparison_rounds_shrinkage for c in configurations]
        self._pull = torch.tensor(pulls, dtype=torch.float64, device=device)
        width = max(r.shape[0] for r in rows)
        table, codes, scaled, cohort = [], [], [], []
        for own, group in zip(rows, groups):
            kinds, code = np.unique(group, return_inverse=True)
            if kinds.size < 2:
                raise DataError(f"comparison '{self._named()}' is fitted on training groups: at least two are needed")
            if (self._kind == "plda" or self._rounds) and kinds.size == code.size:
                raise DataError(f"comparison '{self._named()}' needs a training group of two spectra; use 'cosine'")
            fill = width - own.size
            table.append(np.concatenate([own, np.full(fill, own[0])]))
            codes.append(np.concatenate([code, np.full(fill, -1)]))
            some = np.linspace(0, own.size - 1, min(own.size, _SCALED_BY)).round().astype(np.int64)
            scaled.append(np.concatenate([some, np.full(min(width, _SCALED_BY) - some.size, -1)]))
            met = np.linspace(0, kinds.size - 1, min(kinds.size, _COHORT)).round().astype(np.int64)
            cohort.append(np.concatenate([met, np.full(_COHORT - met.size, -1)]))
        self.rows = torch.from_numpy(np.stack(table)).to(device)  # (R, n)
        self._codes = torch.from_numpy(np.stack(codes)).to(device)  # (R, n), -1 behind a place's own
        self._cohort = torch.from_numpy(np.stack(cohort)).to(device)  # (R, 256) codes of groups, -1 behind them
        places = torch.from_numpy(np.stack(scaled)).to(device)  # (R, ≤ 256) places in a row's own, -1 behind them
        self._scaled, known = places.clamp(min=0), places >= 0
        scaled_codes = self._codes.gather(1, self._scaled)
        different = (scaled_codes.unsqueeze(1) != scaled_codes.unsqueeze(2)) & known.unsqueeze(1) & known.unsqueeze(2)
        self._different = different.double()  # (R, ≤ 256, ≤ 256), 1 where the scale is set by a pair

    def keep(self, places: list[int]) -> None:
        """Drop all places but those."""
        for name in ("rows", "_codes", "_cohort", "_scaled", "_different", "_shrinkage", "_pull", "_locality"):
            setattr(self, name, getattr(self, name)[places])

    def fit(self, z: Tensor) -> dict[str, Tensor]:
        """Return the constants, float64 ``(R, …)``, from embeddings z ``(R, n, D)`` of the training rows.

        NaN in places where an embedding is not finite.
        """
        sound = torch.isfinite(z).flatten(1).all(dim=1)
        x = torch.where(sound[:, None, None], z, 0.0).double()
        sphere: dict[str, Tensor] = {}
        if self._rounds:
            sphere, x = self._sphere(x)
        p: dict[str, Tensor] = {}
        if self._kind != "cosine":
            p = _plda(x, self._codes, self._shrinkage) if self._kind == "plda" else _distance(x, self._codes)
            p = self._scale(p, x)
        if self._neighbours:
            p |= {"cohort": self._met(p, x), "locality": self._locality}
        p |= sphere
        return {n: torch.where(sound.view(-1, *[1] * (v.dim() - 1)), v, torch.nan) for n, v in p.items()}

    def _named(self) -> str:
        rounds = f" after {self._rounds} rounds" if self._rounds else ""
        return self._kind + rounds + (f" less {self._neighbours} neighbours" if self._neighbours else "")

    def _sphere(self, x: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        """Constants of the rounds, and the training embeddings ``(R, n, D)`` after them."""
        centres, whitenings = [], []
        for _ in range(self._rounds):
            centre, centred = _centred(x, self._codes)
            white = _whitening(_within(centred, self._codes), self._pull)
            centres.append(centre)
            whitenings.append(white)
            x = _unit((x - centre.unsqueeze(1)) @ white)
        return {"centres": torch.stack(centres, dim=1), "whitenings": torch.stack(whitenings, dim=1)}, x

    def _met(self, p: dict[str, Tensor], x: Tensor) -> Tensor:
        """Rows ``(R, 256, D + 1)`` of the training groups among which neighbours are looked for."""
        if self._kind == "cosine":  # the mean direction: a long embedding is no more of a neighbour than a short one
            x = _unit(x)
        means = _group_means(x, self._codes)[0]
        index = self._cohort.clamp(min=0).unsqueeze(-1).expand(-1, -1, x.shape[2])
        rows = _plain_rows(p or {"cohort": x}, means.gather(1, index))
        nobody = (self._cohort < 0).unsqueeze(-1)
        own = torch.where(nobody, _NOBODY, rows[..., -1:])
        return torch.cat([torch.where(nobody, 0.0, rows[..., :-1]), own], dim=-1)

    def _scale(self, p: dict[str, Tensor], x: Tensor) -> dict[str, Tensor]:
        """Bring pairs of different groups to the mean and deviation of their cosines about the training mean."""
        some = x.gather(1, self._scaled.unsqueeze(-1).expand(-1, -1, x.shape[2]))
        unit = _unit(some - p["mean"].unsqueeze(1))
        row = _plain_rows(p, some)
        found = row[..., :-1] @ row[..., :-1].transpose(1, 2) + row[..., -1:] + row[..., -1:].transpose(1, 2)
        mean, deviation = _moments(found, self._different)
        wanted, spread = _moments(unit @ unit.transpose(1, 2), self._different)
        usable = (deviation > 0) & (spread > 0)
        slope = torch.where(usable, spread / torch.where(usable, deviation, 1.0), 1.0)
        half = (wanted - slope * mean) / 2  # of the intercept; each of the two spectra brings one
        return {
            **p,
            "projection": p["projection"] * slope.sqrt()[:, None, None],
            "offset": p["offset"] * slope[:, None] + half[:, None],
        }


def _moments(values: Tensor, kept: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation ``(R,)`` of the finite values ``(R, m, m)`` whose `kept` is 1 and not 0."""
    count = kept.sum(dim=(1, 2)).clamp(min=1)
    mean = (values * kept).sum(dim=(1, 2)) / count
    square = ((values - mean[:, None, None]) * kept).square().sum(dim=(1, 2)) / count
    return mean, square.sqrt()


def _centred(x: Tensor, codes: Tensor) -> tuple[Tensor, Tensor]:
    """Mean ``(R, D)`` of the rows with a code, and their distances from it ``(R, n, D)``, 0 behind them."""
    known = (codes >= 0).unsqueeze(-1)
    mean = torch.where(known, x, 0.0).sum(dim=1) / known.sum(dim=1)
    return mean, torch.where(known, x - mean.unsqueeze(1), 0.0)


def _group_means(x: Tensor, codes: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Means ``(R, G + 1, D)`` of groups, their sizes ``(R, G + 1)`` and for each row ``(R, n)`` where its mean stands.

    What lies behind a place's own rows has the last place, a group of nobody: mean and size are 0.
    """
    groups = int(codes.max()) + 1
    known = codes >= 0
    index = torch.where(known, codes, groups)
    several = index.unsqueeze(-1).expand(-1, -1, x.shape[2])
    count = x.new_zeros(x.shape[0], groups + 1).scatter_add_(1, index, known.to(x.dtype))
    sums = x.new_zeros(x.shape[0], groups + 1, x.shape[2])
    sums.scatter_add_(1, several, torch.where(known.unsqueeze(-1), x, 0.0))
    return sums / count.clamp(min=1).unsqueeze(-1), count, index


def _within(centred: Tensor, codes: Tensor) -> Tensor:
    """Covariance within groups ``(R, D, D)``, pooled."""
    middle, count, index = _group_means(centred, codes)
    residual = centred - middle.gather(1, index.unsqueeze(-1).expand(-1, -1, centred.shape[2]))
    free = count.sum(dim=1) - (count > 0).sum(dim=1)
    return residual.transpose(1, 2) @ residual / free[:, None, None]


def _distance(x: Tensor, codes: Tensor) -> dict[str, Tensor]:
    """Constants of -|u - v|² = 2 u·v - |u|² - |v|²."""
    mean, _ = _centred(x, codes)
    eye = torch.eye(x.shape[2], dtype=x.dtype, device=x.device).expand(x.shape[0], -1, -1)
    return {
        "mean": mean,
        "projection": eye * 2**0.5,
        "weight": torch.full_like(mean, 0.5),
        "offset": torch.zeros_like(mean[:, :1]),
    }


def _plda(x: Tensor, codes: Tensor, shrinkage: Tensor) -> dict[str, Tensor]:
    """Constants of the log likelihood ratio.

    With W the identity and B = diag(ψ), a direction gives a pair (u, v) log(1 + ψ) - ½ log(1 + 2ψ) + w u v
    - ½ w ψ / (1 + ψ) (u² + v²), w = ψ / (1 + 2ψ); directions with ψ ≤ 0, along which groups differ no more than their
    spectra do within, give nothing.
    """
    mean, centred = _centred(x, codes)
    middle, count, _ = _group_means(centred, codes)
    total, kinds = count.sum(dim=1), (count > 0).sum(dim=1)
    white = _whitening(_within(centred, codes), shrinkage)
    middle = middle @ white
    moment = (middle * count.unsqueeze(-1)).transpose(1, 2) @ middle / (kinds - 1)[:, None, None]
    usual = (total - count.square().sum(dim=1) / total) / (kinds - 1)
    value, turn = torch.linalg.eigh(moment)
    psi = ((value - 1) / usual.unsqueeze(1)).clamp(min=0)
    return {
        "mean": mean,
        "projection": white @ turn * (psi / (1 + 2 * psi)).sqrt().unsqueeze(1),
        "weight": 0.5 * psi / (1 + psi),
        "offset": 0.5 * (psi.log1p() - 0.5 * (2 * psi).log1p()).sum(dim=1, keepdim=True),
    }


def _whitening(within: Tensor, shrinkage: Tensor) -> Tensor:
    """Inverse symmetric root of the shrunk covariance, as :func:`spectrosim_search.learning.metric.whitening`."""
    eye = torch.eye(within.shape[1], dtype=within.dtype, device=within.device)
    size = within.diagonal(dim1=1, dim2=2).mean(dim=1)[:, None, None]
    share = shrinkage[:, None, None]
    value, vector = torch.linalg.eigh(torch.where(size > 0, (1 - share) * within + share * size * eye, eye))
    root = value.clamp(min=_FLOOR * torch.where(size > 0, size, 1.0).squeeze(-1)).rsqrt()
    white: Tensor = (vector * root.unsqueeze(1)) @ vector.transpose(1, 2)
    return white
