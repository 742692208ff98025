import dataclasses

import pytest

from spectrosim_search.config.errors import InputError
from spectrosim_search.config.presets import PRESETS, preset, preset_names
from spectrosim_search.search.documents import load_preset


def test_presets_hold_the_papers_printed_settings() -> None:
    paper, chapter = load_preset("spectrosim-paper"), load_preset("spectrosim-chapter")
    assert paper.positives.source == "groups" and paper.augmentations == ()
    assert paper.objective["temperature"] == 0.07
    assert (paper.training.batch_size, paper.training.epochs) == (16, 100)
    assert chapter.positives.source == "views"
    assert [a.type for a in chapter.augmentations] == ["crop-pad", "flip", "jitter", "permutation", "scale", "shift"]
    assert chapter.optimiser.learning_rate == 1e-5
    assert (chapter.training.epochs, chapter.training.patience) == (100, 5)
    assert (chapter.encoder["dropout"], chapter.objective["label_smoothing"]) == (0.2, 0.1)
    assert [chapter.encoder[k] for k in ("width", "depth", "heads")] == [128, 4, 4]


def test_presets_use_the_patch_encoder_and_differ() -> None:
    found = [load_preset(name) for name in preset_names()]
    assert all(c.encoder.type == "transformer" and c.encoder["patch"] == 104 for c in found)
    assert len({c.identity for c in found}) == len(found) == 2


def test_a_copy_is_handed_out() -> None:
    document = preset("spectrosim-paper")
    document["encoder"]["width"] = 1
    assert PRESETS["spectrosim-paper"]["encoder"]["width"] == 128


def test_unknown_preset_names_the_nearest() -> None:
    with pytest.raises(InputError, match="did you mean 'spectrosim-paper'"):
        preset("spectrosim-papr")


def test_configurations_are_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        load_preset("spectrosim-paper").training.epochs = 3  # type: ignore[misc]  # the point of the test
