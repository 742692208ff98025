"""Which parameters the search's scores depend on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import optuna

__all__ = ["parameter_importance"]

MINIMUM_TRIALS = 8
MINIMUM_SHARE = 0.25  # of the trials that must have set a parameter: fewer say little


def parameter_importance(
    study: optuna.Study,
    scores: Mapping[int, float] | None = None,
    leave_out: Callable[[optuna.trial.FrozenTrial], bool] | None = None,
) -> dict[str, float]:
    """Share of each parameter, largest first; empty below 8 trials.

    PED-ANOVA (Watanabe, Bansal and Hutter, IJCAI 2023).

    Pruned trials count with the mean over the cells they earned: leaving them out would ask what matters among
    the good ones only. `scores`, by trial number, are needed where a study has several objectives: importance is for
    the score. Trials to `leave_out` say nothing of most parameters: those screened before the search.
    """
    import optuna

    kept: list[tuple[optuna.trial.FrozenTrial, float]] = []
    for t in study.get_trials(deepcopy=False):
        if leave_out is not None and leave_out(t):
            continue
        if scores is not None:
            score = scores.get(t.number, float("nan"))
            if score == score and t.state in (optuna.trial.TrialState.COMPLETE, optuna.trial.TrialState.PRUNED):
                kept.append((t, score))
        elif t.state == optuna.trial.TrialState.COMPLETE and t.value is not None:
            kept.append((t, t.value))
        elif t.state == optuna.trial.TrialState.PRUNED and t.intermediate_values:
            last = t.intermediate_values[max(t.intermediate_values)]
            if last == last:
                kept.append((t, float(last)))
    if len(kept) < MINIMUM_TRIALS:
        return {}
    names = sorted({name for t, _ in kept for name in t.params})
    # a parameter must be present in all trials it is judged on, so conditional ones are judged among their own
    out: dict[str, float] = {}
    for name in names:
        having = [(t, value) for t, value in kept if name in t.params]
        needed = max(MINIMUM_TRIALS, MINIMUM_SHARE * len(kept))
        if len(having) < needed or len({str(t.params[name]) for t, _ in having}) < 2:
            continue
        part = optuna.create_study(direction="maximize")
        part.add_trials(  # with nothing but this parameter: a study copies what it is given, dozens of times here
            optuna.trial.create_trial(
                params={name: t.params[name]}, distributions={name: t.distributions[name]}, value=value
            )
            for t, value in having
        )
        raw = optuna.importance.PedAnovaImportanceEvaluator().evaluate(part, params=[name])
        out[name] = raw[name] * len(having) / len(kept)
    total = sum(out.values())
    if total <= 0:
        return {}
    return {k: v / total for k, v in sorted(out.items(), key=lambda kv: -kv[1])}
