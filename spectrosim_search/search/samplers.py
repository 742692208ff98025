"""Samplers: how the next configuration is proposed.

A sampler is made for one trial number and seeded by (study seed, number) alone, so that a study that was
interrupted asks what it would have asked. Spaces here are conditional: TPE groups its parameters, Sobol points and
the Gaussian process fall back to a rule of their own for what only some trials have, which is said at each of them.
"""

from __future__ import annotations

import copy
import hashlib
import heapq
import importlib.util
import math
import warnings
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, cast

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import BaseSampler, CmaEsSampler, GPSampler, NSGAIISampler, RandomSampler, TPESampler
from optuna.study import Study as OptunaStudy
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from spectrosim_search.config.errors import MissingExtraError
from spectrosim_search.config.study import Dimension, Sampler
from spectrosim_search.search.pareto import front

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["FilteredSampler", "Generations", "SobolSampler", "make_sampler", "trial_seed"]

_BEST = 150
_LATEST = 450
_FINISHED = (TrialState.COMPLETE, TrialState.PRUNED)


def trial_seed(study_seed: int, number: int) -> int:
    """A 32-bit seed for one trial; neighbouring numbers and studies share nothing."""
    return int.from_bytes(hashlib.sha256(f"sampler/{study_seed}/{number}".encode()).digest()[:4], "big")


def make_sampler(
    sampler: Sampler,
    study_seed: int,
    number: int,
    dimensions: Sequence[Dimension] = (),
    hidden: Callable[[FrozenTrial], bool] | None = None,
) -> BaseSampler:
    """The sampler that asks for trial `number`.

    `dimensions` are needed by qmc only; tpe and gp do not learn from finished trials that are `hidden`. Raises
    MissingExtraError for cmaes without its package.

    - tpe: multivariate and grouped, so that conditional parameters are modelled with those they appear with;
      running trials count as poor (constant liar). Random below `startup` finished trials.
    - random: uniform on each dimension's own scale.
    - qmc: point `number` of a scrambled Sobol sequence over all dimensions, conditional ones included.
    - gp: Gaussian process over what all trials have; conditional parameters are drawn by TPE one by one. About .5 s
      an ask at 100 trials, 9 s at 1,000.
    - cmaes: the same over the numbers among them; choices are drawn by TPE. One objective only.
    - nsga2: children of the best finished trials of earlier generations (Deb et al. 2002); a generation has `startup`
      finished trials, the first is random. Pruned trials are nobody's parents, so it wants many trials.

    With several objectives TPE takes finished trials by non-domination and hypervolume (Ozaki et al. 2022) and pruned
    ones as worse than all of them, the Gaussian process takes the expected gain in hypervolume of finished trials.
    """
    seed = trial_seed(study_seed, number)
    with warnings.catch_warnings():
        # `group` has been marked experimental since Optuna 2.8; conditional spaces need it
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        if sampler.type == "random":
            return RandomSampler(seed=seed)
        if sampler.type == "qmc":
            return SobolSampler(study_seed, number, dimensions)
        if sampler.type == "tpe":
            tpe = TPESampler(
                n_startup_trials=sampler.startup, multivariate=True, group=True, constant_liar=True, seed=seed
            )
            return FilteredSampler(tpe, hidden=hidden)
        if sampler.type == "nsga2":
            return Generations(population_size=max(2, sampler.startup), seed=seed)
        one_by_one = TPESampler(n_startup_trials=sampler.startup, multivariate=False, seed=seed)
        if sampler.type == "gp":
            gp = GPSampler(
                seed=seed,
                n_startup_trials=sampler.startup,
                independent_sampler=one_by_one,
                warn_independent_sampling=False,
            )
            return FilteredSampler(gp, hidden=hidden)
        if importlib.util.find_spec("cmaes") is None:
            raise MissingExtraError("cmaes", "cmaes", "the sampler 'cmaes'")
        return CmaEsSampler(
            seed=seed,
            n_startup_trials=max(sampler.startup, 1),
            independent_sampler=FilteredSampler(one_by_one),  # its own state lies in the trials themselves
            warn_independent_sampling=False,
            consider_pruned_trials=False,
        )


class _Trials:
    """A study as a sampler sees it, with only some of its finished trials.

    Everything but the list of trials is the study's own. Samplers read that list through ``_get_trials``, which
    has no public form that spares a copy of each trial; a test holds that they still do.
    """

    def __init__(self, study: OptunaStudy, shown: list[FrozenTrial]) -> None:
        self._inner = study
        self._list = shown

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def _get_trials(
        self, deepcopy: bool = True, states: Sequence[TrialState] | None = None, use_cache: bool = False
    ) -> list[FrozenTrial]:
        del use_cache
        found = [trial for trial in self._list if states is None or trial.state in states]
        return copy.deepcopy(found) if deepcopy else found


class FilteredSampler(BaseSampler):
    """Shows its sampler the best and the latest trials only, once there are more than it can use.

    The time of an ask grows with the number of trials times the number of groups of conditional parameters (.17 s at
    2,000 trials of the study `transformer` if all are shown; docs/benchmarks.md has what is left). TPE models at most
    25 trials as good (a tenth of all), which are always among the best shown; the poor ones are a density that some
    hundred trials draw as well.
    """

    def __init__(
        self,
        sampler: BaseSampler,
        best: int = _BEST,
        latest: int = _LATEST,
        hidden: Callable[[FrozenTrial], bool] | None = None,
    ) -> None:
        self._sampler = sampler
        self._hidden = hidden
        self._best = best
        self._latest = latest
        self._view: tuple[int, OptunaStudy] | None = None

    def _shown(self, study: OptunaStudy, trial: FrozenTrial) -> OptunaStudy:
        """The view is taken once a trial, so that all its parameters are drawn from the same history."""
        if self._view is None or self._view[0] != trial.number:
            trials = study._get_trials(deepcopy=False, use_cache=True)
            shown = study
            if self._hidden is not None:
                trials = [t for t in trials if not (t.state.is_finished() and self._hidden(t))]
                shown = cast(OptunaStudy, _Trials(study, trials))
            finished = [t for t in trials if t.state in _FINISHED]
            if len(finished) > self._best + self._latest:
                kept = self._kept(finished, [d == StudyDirection.MAXIMIZE for d in study.directions])
                seen = [t for t in trials if t.number in kept or not t.state.is_finished()]
                shown = cast(OptunaStudy, _Trials(study, seen))
            self._view = (trial.number, shown)
        return self._view[1]

    def _kept(self, finished: list[FrozenTrial], maximise: Sequence[bool]) -> frozenset[int]:
        """The latest trials and the best of the others: those on the front of several objectives, then by the first."""
        sign = -1.0 if maximise[0] else 1.0
        leading: frozenset[int] = frozenset()
        if len(maximise) > 1:
            scored = [t for t in finished if t.state == TrialState.COMPLETE and t.values]
            leading = frozenset(scored[i].number for i in front([t.values for t in scored], maximise))

        def rank(trial: FrozenTrial) -> tuple[bool, bool, float, int]:
            value = trial.values[0] if trial.state == TrialState.COMPLETE and trial.values else None
            usable = value is not None and not math.isnan(value)
            place = sign * value if usable and value is not None else 0.0
            return (trial.number not in leading, not usable, place, trial.number)

        latest = sorted(trial.number for trial in finished)[-self._latest :] if self._latest else []
        before = latest[0] if latest else math.inf
        earlier = (trial for trial in finished if trial.number < before)
        return frozenset((*(t.number for t in heapq.nsmallest(self._best, earlier, key=rank)), *latest))

    def infer_relative_search_space(self, study: OptunaStudy, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """See Optuna's BaseSampler."""
        return self._sampler.infer_relative_search_space(self._shown(study, trial), trial)

    def sample_relative(
        self, study: OptunaStudy, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """See Optuna's BaseSampler."""
        return self._sampler.sample_relative(self._shown(study, trial), trial, search_space)

    def sample_independent(
        self, study: OptunaStudy, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """See Optuna's BaseSampler."""
        return self._sampler.sample_independent(self._shown(study, trial), trial, param_name, param_distribution)

    def before_trial(self, study: OptunaStudy, trial: FrozenTrial) -> None:
        """See Optuna's BaseSampler."""
        self._sampler.before_trial(self._shown(study, trial), trial)

    def after_trial(
        self, study: OptunaStudy, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None
    ) -> None:
        """See Optuna's BaseSampler; gets the study itself, as samplers write to it here."""
        self._sampler.after_trial(study, trial, state, values)

    def reseed_rng(self) -> None:
        """See Optuna's BaseSampler."""
        self._sampler.reseed_rng()


class Generations(NSGAIISampler):
    """NSGA-II whose parents always stand in the order of their trials, and whose first generation has the known good.

    Optuna hands parents over by rank when a generation is chosen and by number when it is read back, so that a driver
    that died in between would ask for other children. Trials whose values were all given have no generation there.
    """

    def get_population(self, study: OptunaStudy, generation: int) -> list[FrozenTrial]:
        """See Optuna's NSGAIISampler."""
        found = super().get_population(study, generation)
        if generation > 0:
            return found
        finished = study._get_trials(deepcopy=False, states=[TrialState.COMPLETE], use_cache=True)
        key = self._get_generation_key()
        return sorted([*found, *(t for t in finished if key not in t.system_attrs)], key=lambda trial: trial.number)

    def get_parent_population(self, study: OptunaStudy, generation: int) -> list[FrozenTrial]:
        """See Optuna's NSGAIISampler."""
        return sorted(super().get_parent_population(study, generation), key=lambda trial: trial.number)


class SobolSampler(BaseSampler):
    """Point `number` of a Sobol sequence over all dimensions, scrambled by the study seed (Owen 1998).

    Optuna's own QMC sampler learns its space from the first finished trial, so that whatever that trial did not
    have is drawn at random, and counts its points in the database. Here the space is known and the trial's number
    is the point's.
    """

    def __init__(self, study_seed: int, number: int, dimensions: Sequence[Dimension]) -> None:
        from spectrosim_search.search.space import distribution

        self._seed = trial_seed(study_seed, -1)
        self._number = number
        self._space = {dim.path: distribution(dim) for dim in dimensions}
        self._fallback = RandomSampler(seed=trial_seed(study_seed, number))

    def infer_relative_search_space(self, study: OptunaStudy, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """All dimensions; Optuna takes from the point what the trial asks for."""
        return {name: space for name, space in self._space.items() if not space.single()}

    def sample_relative(
        self, study: OptunaStudy, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """The point, mapped onto each dimension's own scale."""
        if not search_space:
            return {}
        point = self._point(len(search_space))
        return {name: _on_scale(space, float(u)) for (name, space), u in zip(search_space.items(), point, strict=True)}

    def _point(self, size: int) -> NDArray[np.float64]:
        from scipy.stats import qmc

        engine = qmc.Sobol(size, scramble=True, rng=self._seed)
        if self._number:
            engine.fast_forward(self._number)
        return cast("NDArray[np.float64]", engine.random(1)[0])

    def sample_independent(
        self, study: OptunaStudy, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """Parameters that are none of the study's dimensions."""
        return self._fallback.sample_independent(study, trial, param_name, param_distribution)

    def reseed_rng(self) -> None:
        """Nothing to do: the point is fixed by the trial's number."""


def _on_scale(space: BaseDistribution, u: float) -> bool | int | float | str:
    """Map u in [0, 1) onto a distribution: equal shares for choices and whole numbers, log scale where asked for."""
    if isinstance(space, CategoricalDistribution):
        chosen = space.choices[min(int(u * len(space.choices)), len(space.choices) - 1)]
        return chosen if chosen is not None else ""
    if isinstance(space, IntDistribution):
        if space.log:
            low, high = math.log(space.low - 0.5), math.log(space.high + 0.5)
            return min(max(round(math.exp(low + u * (high - low))), space.low), space.high)
        count = (space.high - space.low) // space.step + 1
        return space.low + space.step * min(int(u * count), count - 1)
    if not isinstance(space, FloatDistribution):
        raise TypeError(f"no scale for {space}")
    if space.step is not None:
        count = round((space.high - space.low) / space.step) + 1
        return min(space.low + space.step * min(int(u * count), count - 1), space.high)
    if space.log:
        low, high = math.log(space.low), math.log(space.high)
        return min(max(math.exp(low + u * (high - low)), space.low), space.high)
    return space.low + u * (space.high - space.low)
