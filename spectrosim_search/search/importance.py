"""Which parameters the search's scores depend on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import optuna

__all__ = ["parameter_importance"]

MINIMUM_TRIALS = 8
MINIMUM_SHARE = 0.25  # of the trials that must have set a parameter: fewer say little


def parameter_importance(study: optuna.Study, scores: Mapping[int, float] | None = None) -> dict[str, float]:
    """Share of each parameter, largest first; empty below 8 trials.

    PED-ANOVA (Watanabe, Bansal and Hutter, IJCAI 2023).

    Pruned trials count with the mean over the cells they earned: leaving them out would ask what matters among
    the good ones only. `scores`, by trial number, are needed where a study has several objectives: importance is for
    the score.
    """
    import optuna

    kept: list[optuna.trial.FrozenTrial] = []
    for t in study.get_trials(deepcopy=False):
        if scores is not None:
            score = scores.get(t.number, float("nan"))
            if score == score and t.state in (optuna.trial.TrialState.COMPLETE, optuna.trial.TrialState.PRUNED):
                kept.append(optuna.trial.create_trial(params=t.params, distributions=t.distributions, value=score))
        elif t.state == optuna.trial.TrialState.COMPLETE and t.value is not None:
            kept.append(t)
        elif t.state == optuna.trial.TrialState.PRUNED and t.intermediate_values:
            last = t.intermediate_values[max(t.intermediate_values)]
            if last == last:
                kept.append(
                    optuna.trial.create_trial(params=t.params, distributions=t.distributions, value=float(last))
                )
    if len(kept) < MINIMUM_TRIALS:
        return {}
    view = optuna.create_study(direction="maximize")
    view.add_trials(kept)
    names = sorted({name for t in kept for name in t.params})
    # a parameter must be present in all trials it is judged on, so conditional ones are judged among their own
    out: dict[str, float] = {}
    for name in names:
        having = [t for t in kept if name in t.params]
        needed = max(MINIMUM_TRIALS, MINIMUM_SHARE * len(kept))
        if len(having) < needed or len({str(t.params[name]) for t in having}) < 2:
            continue
        part = optuna.create_study(direction="maximize")
        part.add_trials(having)
        raw = optuna.importance.PedAnovaImportanceEvaluator().evaluate(part, params=[name])
        out[name] = raw[name] * len(having) / len(kept)
    total = sum(out.values())
    if total <= 0:
        return {}
    return {k: v / total for k, v in sorted(out.items(), key=lambda kv: -kv[1])}
