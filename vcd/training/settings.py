"""What a training run depends on; with the photographs and the seed it decides every weight.

Everything that changes over a run is stated in steps from its beginning, apart from the last
stretch, in which the learning rate falls. So a run can be made longer after the fact: it is the
run that it would have been.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf
from typing import Literal

__all__ = ["AugmentSettings", "LossSettings", "OptimizerSettings", "TrainingSettings"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AugmentSettings:
    """How the two views of a photograph are edited, and how strongly, over the run.

    Attributes:
        recipe: ``strong_blur`` and ``advanced`` are SSCD's, both views alike and at full strength
            from the first step; ``advanced_video`` adds stacked frames and pictures in pictures;
            ``copies`` is ours, for small budgets: what meets copies of videos, at a strength that
            rises. The other settings but ``mixup_probability`` belong to ``copies``.
        mixup_probability: share of the views that are mixed (mixup or cutmix, equally often) with
            another photograph of the batch; SSCD's ``advanced+mixup`` has 0.05.
        start_strength: strength of the edits at the first step, 0 none to 1 the full recipe.
            Full strength from the start learns nothing (docs/log.md).
        end_strength: strength after the ramp.
        ramp_steps: number of steps over which the strength rises; larger is gentler.
        ref_share: strength of the first view as a share of the strength of the second. A
            reference is seldom edited and a query is; 1.0 edits both alike, as published.
        alike_probability: share of the photographs whose two views are edited alike
            nevertheless, so that two edited copies of one thing are close as well.
        hard_share: share of the second views that get, instead of the recipe, one of the edits
            that are learned last. 0.0 while the others are still being learned.
    """

    recipe: Literal["copies", "strong_blur", "advanced", "advanced_video"] = "copies"
    mixup_probability: float = 0.0
    start_strength: float = 0.1
    end_strength: float = 1.0
    ramp_steps: int = 2000
    ref_share: float = 0.25
    alike_probability: float = 0.25
    hard_share: float = 0.0

    def __post_init__(self) -> None:
        shares = (
            "mixup_probability",
            "start_strength",
            "end_strength",
            "ref_share",
            "alike_probability",
            "hard_share",
        )
        _require(self, {"ramp_steps": (0, inf)} | dict.fromkeys(shares, (0.0, 1.0)))


@dataclass(frozen=True, slots=True, kw_only=True)
class LossSettings:
    """The two terms of the loss.

    Attributes:
        temperature: InfoNCE temperature; smaller looks harder at the nearest negatives. SSCD
            publishes 0.05.
        start_entropy: weight of the entropy term at the first step.
        end_entropy: its weight after the ramp; larger spreads strangers further apart, which is
            what one global threshold needs. SSCD publishes 30 for batches of 4,096.
        ramp_steps: number of steps over which the weight rises.
        bank_rows: descriptors of earlier steps kept as further negatives; 0 keeps none, which is
            what the bundled weights were trained with. A multiple of the views of a batch keeps
            whole batches, so that the number of processes changes nothing.
        bank_from_step: first step that uses the bank: early descriptors move too fast to be
            compared with, and a run that did so collapsed.
    """

    temperature: float = 0.05
    start_entropy: float = 0.5
    end_entropy: float = 5.0
    ramp_steps: int = 2000
    bank_rows: int = 0
    bank_from_step: int = 2000

    def __post_init__(self) -> None:
        limits = dict.fromkeys(("ramp_steps", "bank_rows", "bank_from_step"), (0, inf))
        weights = dict.fromkeys(("start_entropy", "end_entropy"), (0.0, 1e6))
        _require(self, {"temperature": (1e-3, 1e3)} | limits | weights)


@dataclass(frozen=True, slots=True, kw_only=True)
class OptimizerSettings:
    """The rule of the steps; the rate rises, stays, and falls to 0 on a half cosine, per step.

    Attributes:
        name: ``adamw``; ``lars``, with which SSCD is published for batches of thousands; ``sgd``.
        momentum: of ``lars`` and ``sgd``; larger remembers more steps.
        learning_rate: the rate between warm-up and fall, for the batch that the recipe has: nothing
            scales it. SSCD publishes 0.3 for every 256 photographs of a step with ``lars``.
        weight_decay: decay of matrices and kernels; gammas, betas and biases have none.
        decays_all: let gammas, betas and biases decay as well, as published for ``lars``, which
            then also adapts their rate.
        warmup_steps: number of steps over which the rate rises from 0.
        starts_at_zero: let the very first step have the rate 0 and the last of the warm-up the
            whole rate, as published; else the first step has its share already.
        decay_steps: number of last steps over which it falls to 0.
        max_gradient_norm: gradients longer than this are shortened to it; ``inf`` shortens none,
            as published.
        ema_decay: per step, how much of the averaged weights is kept; the average is what is
            measured and shipped. 0 switches it off.
    """

    name: Literal["adamw", "lars", "sgd"] = "adamw"
    momentum: float = 0.9
    learning_rate: float = 1e-3
    weight_decay: float = 0.05
    decays_all: bool = False
    warmup_steps: int = 150
    starts_at_zero: bool = False
    decay_steps: int = 800
    max_gradient_norm: float = 5.0
    ema_decay: float = 0.998

    def __post_init__(self) -> None:
        if self.name not in ("adamw", "lars", "sgd"):
            raise ValueError(f"optimizer must be adamw, lars or sgd, got {self.name!r}")
        limits = {
            "momentum": (0.0, 0.9999),
            "learning_rate": (0.0, 1e3),
            "weight_decay": (0.0, 1e3),
            "warmup_steps": (0, inf),
            "decay_steps": (0, inf),
            "max_gradient_norm": (1e-9, inf),
            "ema_decay": (0.0, 0.999999),
        }
        _require(self, limits)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingSettings:
    """One training run.

    Attributes:
        photos: folder that is searched for photographs, sub-folders included.
        start_from: weights to begin with instead of random ones: a checkpoint of a run, a name of
            ``vcd models list`` or a weights file.
        trunk: a name of the trunk table in ``vcd.descriptors.sscd``.
        dim: length of the descriptor.
        seed: decides initial weights, order and edits.
        steps: number of optimizer steps; may be raised to make a run longer, until its learning
            rate begins to fall.
        steps_per_epoch: steps between two measurements and checkpoints.
        batch_photos: photographs a batch, over all processes; each gives two views.
        sizes_px: side of the square input, stage by stage; small first is cheaper.
        size_steps: first step of each stage; the first is 0.
        input_px: side of the square input that the finished weights are used with.
        store_px: photographs are kept in memory with at most this short side.
        twin_similarity: a training photograph that is closer than this to another one, by the
            network that the run starts from, is left out: collections hold duplicates, and a
            duplicate that must be pushed away teaches the wrong thing. None keeps all.
        holdout_every: one photograph in this many, by hash of its name, is never trained on.
        chunk_views: views that go through the network at a time. None takes the whole batch at
            once; a number bounds memory by so many views while the loss still sees all of them
            (gradients are cached), which is exact where normalization does not mix samples.
        accumulate_batches: batches whose gradients are averaged into one step; unlike
            ``chunk_views`` each batch has a loss of its own.
        patience_epochs: epochs without a better micro-AP after which the run ends; None, never.
        compile_network: let ``torch.compile`` fuse the network's operations.
        bf16: run the network in bfloat16; faster on hardware that has it.
        device: where the network runs; ``auto`` takes a GPU when the machine has one.
        num_loaders: processes that make the edited views; 0 makes them in the training process.
        num_threads: threads of the network. Part of the recipe, for the order of a sum depends on
            it. More are faster on a quiet machine and many times slower on a busy one.
        augment: how the views are edited.
        loss: the terms of the loss.
        optimizer: how weights follow gradients.
    """

    photos: str = ""
    start_from: str = ""
    trunk: str = "resnet18_w48"
    dim: int = 256
    seed: int = 1
    steps: int = 5000
    steps_per_epoch: int = 250
    batch_photos: int = 128
    sizes_px: tuple[int, ...] = (80, 112, 128)
    size_steps: tuple[int, ...] = (0, 1500, 3000)
    input_px: int = 160
    store_px: int = 176
    twin_similarity: float | None = None
    holdout_every: int = 6
    chunk_views: int | None = None
    accumulate_batches: int = 1
    patience_epochs: int | None = None
    compile_network: bool = False
    bf16: bool = True
    device: Literal["auto", "cpu", "cuda"] = "auto"
    num_loaders: int = 1
    num_threads: int = 1
    augment: AugmentSettings = field(default_factory=AugmentSettings)
    loss: LossSettings = field(default_factory=LossSettings)
    optimizer: OptimizerSettings = field(default_factory=OptimizerSettings)

    def __post_init__(self) -> None:
        if len(self.sizes_px) != len(self.size_steps) or not self.sizes_px:
            raise ValueError(f"{len(self.sizes_px)} sizes for {len(self.size_steps)} first steps")
        if self.size_steps[0] != 0 or sorted(self.size_steps) != list(self.size_steps):
            raise ValueError(f"size_steps must rise from 0, got {self.size_steps}")
        if min(self.sizes_px) < 8:
            raise ValueError(f"sizes_px must be at least 8, got {self.sizes_px}")
        if self.device not in ("auto", "cpu", "cuda"):
            raise ValueError(f"device must be auto, cpu or cuda, got {self.device!r}")
        positive = (
            "dim",
            "steps",
            "steps_per_epoch",
            "chunk_views",
            "accumulate_batches",
            "patience_epochs",
            "num_threads",
        )
        least = dict.fromkeys(positive, 1) | {"seed": 0, "num_loaders": 0}
        least |= {"batch_photos": 2, "holdout_every": 2, "input_px": 8, "store_px": 8}
        limits = {name: (value, inf) for name, value in least.items()}
        _require(self, limits | {"twin_similarity": (0.0, 1.0)})


def _require(settings: object, limits: Mapping[str, tuple[float, float]]) -> None:
    """Refuse a number outside of its limits, both of them allowed; nan is outside of all."""
    for name, (least, most) in limits.items():
        value = getattr(settings, name)
        if value is None:
            continue
        if value < least:
            raise ValueError(f"{name} must be at least {least}, got {value}")
        if not value <= most:
            raise ValueError(f"{name} must be at most {most}, got {value}")
