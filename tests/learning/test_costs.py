"""What encoders cost: counts are exact, times are of the real engine, the page is renewed in place."""

from __future__ import annotations

import math

import pytest
import torch

from spectrosim_search.config import registry
from spectrosim_search.config.errors import ConfigurationError, InputError
from spectrosim_search.learning import costs
from spectrosim_search.learning.engine import parameter_count
from spectrosim_search.learning.published_costs import PUBLISHED

SMALL = {"encoder": {"width": 16, "out": 8}, "head": {"out": 8}}


def measured(*encoders: str, **options) -> list[costs.Cost]:
    chosen = costs.configurations(encoders, batch=4, settings=SMALL)
    return costs.measure_all(chosen, 60, seconds=0.0, **options)


def test_two_encoders():
    told: list[str] = []
    threads = torch.get_num_threads()
    found = measured("transformer", "peak-graph", note=told.append)
    assert [c.encoder for c in found] == told == ["transformer", "peak-graph"]
    assert torch.get_num_threads() == threads
    for cost, chosen in zip(found, costs.configurations(told, batch=4, settings=SMALL)):
        assert cost.parameters == parameter_count(chosen, 60)
        assert cost.megabytes == pytest.approx(4e-6 * cost.parameters)
        assert cost.precision == "fp32", "a width of 16 gains nothing from bfloat16"
        assert 0 < cost.inference_ms < cost.training_ms
        assert cost.note == ""


def test_without_names_all_encoders_are_chosen():
    chosen = costs.configurations()
    assert [c.encoder.type for c in chosen] == list(registry.names("learning.encoders"))
    assert {c.training.batch_size for c in chosen} == {32}


def test_a_stack_shares_its_time():
    chosen = costs.configurations(("transformer",), batch=4, settings=SMALL)[0]
    cost = costs.measure(chosen, 60, replicates=3, seconds=0.0, precision="fp64")
    assert cost.precision == "fp64"
    assert cost.parameters == parameter_count(chosen, 60)


def test_every_problem_at_once():
    with pytest.raises(ConfigurationError) as refused:
        costs.configurations(("transfomer",), head="mlpp", batch=1, settings={"hed": {"out": 3}})
    assert len(refused.value.problems) == 4
    assert "did you mean 'transformer'" in str(refused.value)


def test_unknown_device_is_refused():
    with pytest.raises(InputError, match="unknown device 'abacus'"):
        measured("transformer", device="abacus")


def test_an_encoder_that_cannot_take_the_channels_says_so(monkeypatch):
    from spectrosim_search.learning.encoders import transformer

    def refuse(settings, length):
        raise ConfigurationError([f"{length} channels are too few"])

    monkeypatch.setattr(transformer, "parameters", refuse)
    one, other = measured("transformer", "peak-graph")
    assert one.note == "60 channels are too few"
    assert math.isnan(one.training_ms)
    assert other.training_ms > 0
    assert "n/a: 60 channels are too few" in costs.markdown([one, other])


def test_published_figures_agree_with_each_other():
    """The chapter's megabytes are its parameters in float32; a slip of the pen in either would show."""
    for cited in PUBLISHED.values():
        assert cited.megabytes == pytest.approx(4e-6 * cited.parameters, abs=0.006)
    ours = costs.configurations(("one-token-transformer",))[0]
    assert parameter_count(ours, 2080) == pytest.approx(PUBLISHED["one-token-transformer"].parameters, rel=0.02)


def test_markdown_sets_published_figures_beside_ours():
    found = [
        costs.Cost("cnn", 1_234_567, 4.938, "fp32", 1234.5, 0.01234),
        costs.Cost("peak-graph", 10, 0.00004, "bf16", 0.5, 0.25),
    ]
    lines = costs.markdown(found, papers=True).splitlines()
    assert {line.count("|") for line in lines} == {12}
    assert lines[2] == "| cnn | 1,234,567 | 4.94 | 1,234 | 0.0123 | fp32 | CNN | 34,275,328 | 137 | 14.5 | 87.8 |"
    assert lines[3].endswith("| bf16 |  |  |  |  |  |")
    assert costs.markdown(found).splitlines()[2] == "| cnn | 1,234,567 | 4.94 | 1,234 | 0.0123 | fp32 |"


def test_a_page_is_renewed_between_its_marks():
    page = "# Models\n<!-- costs -->\nold\n<!-- /costs -->\nend\n"
    once = costs.renewed(page, "new")
    assert once == "# Models\n<!-- costs -->\nnew\n<!-- /costs -->\nend\n"
    assert costs.renewed(once, "new") == once
    with pytest.raises(InputError, match="<!-- costs -->"):
        costs.renewed("# Models\n", "new")
