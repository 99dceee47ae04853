"""A recipe that cannot work is refused when it is made."""

from math import inf, nan

import pytest

from vcd.training.settings import (
    AugmentSettings,
    LossSettings,
    OptimizerSettings,
    TrainingSettings,
)


@pytest.mark.parametrize(
    ("kind", "given", "complaint"),
    [
        (TrainingSettings, {"steps": 0}, "steps must be at least 1, got 0"),
        (TrainingSettings, {"batch_photos": 1}, "batch_photos must be at least 2"),
        (TrainingSettings, {"chunk_views": 0}, "chunk_views must be at least 1"),
        (TrainingSettings, {"patience_epochs": 0}, "patience_epochs must be at least 1"),
        (TrainingSettings, {"twin_similarity": 1.5}, "twin_similarity must be at most 1.0"),
        (TrainingSettings, {"device": "tpu"}, "device must be auto, cpu or cuda, got 'tpu'"),
        (TrainingSettings, {"sizes_px": (64,)}, "1 sizes for 3 first steps"),
        (TrainingSettings, {"size_steps": (0, 9, 3)}, "size_steps must rise from 0"),
        (TrainingSettings, {"sizes_px": (4, 80, 90)}, "sizes_px must be at least 8"),
        (OptimizerSettings, {"name": "adam"}, "optimizer must be adamw, lars or sgd"),
        (OptimizerSettings, {"momentum": 1.0}, "momentum must be at most"),
        (OptimizerSettings, {"learning_rate": nan}, "learning_rate must be at most"),
        (OptimizerSettings, {"max_gradient_norm": 0.0}, "max_gradient_norm must be at least"),
        (OptimizerSettings, {"ema_decay": 1.0}, "ema_decay must be at most"),
        (LossSettings, {"temperature": 0.0}, "temperature must be at least"),
        (LossSettings, {"bank_rows": -1}, "bank_rows must be at least 0"),
        (AugmentSettings, {"mixup_probability": 1.1}, "mixup_probability must be at most 1.0"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_a_value_that_cannot_work_is_named(kind, given, complaint):
    with pytest.raises(ValueError, match=complaint):
        kind(**given)


def test_no_limit_of_gradients_is_a_limit():
    assert OptimizerSettings(max_gradient_norm=inf).max_gradient_norm == inf
