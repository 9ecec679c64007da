"""What is seen of a model's layers: their groups, norms and histograms."""

import math

import pytest
import torch
from torch import nn

from workers.training.histograms import BINS, MOST_LAYERS, SAMPLE, histograms, layer_name
from workers.training.layer_groups import MOST_GROUPS, group_names
from workers.training.norms import MOST_POINTS, GroupNorms, steps_between

PARTS = ("self_attn.q_proj", "mlp.up_proj", "input_layernorm")
LLAMA = [
    "model.embed_tokens.weight",
    *(f"model.layers.{layer}.{part}.weight" for layer in range(12) for part in PARTS),
    "model.norm.weight",
    "lm_head.weight",
]

GROUPS = {
    "model.embed_tokens.weight": "embeddings",
    "model.layers.3.mlp.up_proj.weight": "layer_03",
    "model.layers.11.input_layernorm.weight": "layer_11",
    "model.norm.weight": "other",
    "lm_head.weight": "head",
}


def test_a_group_is_a_layer_or_what_lies_around_them() -> None:
    groups = group_names(LLAMA)
    assert {name: groups[name] for name in GROUPS} == GROUPS
    assert len(set(groups.values())) == 15


@pytest.mark.parametrize(
    ("name", "group"),
    [
        ("base_model.model.model.layers.0.self_attn.q_proj.lora_A.default.weight", "layer_0"),
        ("transformer.h.0.attn.c_attn.weight", "layer_0"),
        ("vit.encoder.layer.0.attention.attention.query.weight", "layer_0"),
        ("model.layers.0.mlp.experts.7.up_proj.weight", "layer_0"),
        ("transformer.wte.weight", "embeddings"),
        ("vit.embeddings.cls_token", "embeddings"),
        ("prompt_encoder.default.embedding.weight", "prompt"),
        ("prompt_encoder.default.mlp_head.0.weight", "prompt"),
        ("classifier.weight", "head"),
        ("score.weight", "head"),
        ("transformer.ln_f.weight", "other"),
    ],
)
def test_names_of_many_families_are_known(name: str, group: str) -> None:
    assert group_names([name]) == {name: group}


def test_two_stacks_are_told_apart() -> None:
    groups = group_names(
        ["encoder.block.0.layer.0.k.weight", "decoder.block.1.layer.0.k.weight", "decoder.block.0.layer.1.k.weight"]
    )
    assert list(groups.values()) == ["encoder_layer_0", "decoder_layer_1", "decoder_layer_0"]


@pytest.mark.parametrize("layers", [48, 49, 80, 126, 1000])
def test_a_large_model_is_folded_into_equal_stretches(layers: int) -> None:
    names = ["model.embed_tokens.weight", "lm_head.weight", *(f"model.layers.{layer}.mlp.weight" for layer in range(layers))]
    groups = group_names(names)
    stretches = {group for group in groups.values() if group.startswith("layer")}
    assert len(set(groups.values())) <= MOST_GROUPS
    assert len(stretches) >= (MOST_GROUPS - 2) // 2
    sizes = [list(groups.values()).count(group) for group in sorted(stretches)]
    assert set(sizes[:-1]) == {max(sizes)}
    assert groups[f"model.layers.{layers - 1}.mlp.weight"] == max(stretches)


def layered() -> nn.ModuleDict:
    torch.manual_seed(3)
    return nn.ModuleDict({"embed": nn.Embedding(7, 5), "layers": nn.ModuleList([nn.Linear(5, 5) for _ in range(3)])})


def test_norms_are_those_of_all_numbers_of_a_group() -> None:
    model = layered()
    for parameter in model.parameters():
        parameter.grad = torch.randn_like(parameter)
    # Nothing went through it.
    model["embed"].weight.grad = None
    norms = GroupNorms(dict(model.named_parameters()))
    norms.take_gradients()
    layers = list(enumerate(model["layers"]))
    expected = {f"gradient_norm/layer_{number}": flat_norm([one.grad for one in layer.parameters()]) for number, layer in layers}
    expected |= {f"weight_norm/layer_{number}": flat_norm(layer.parameters()) for number, layer in layers}
    # What becomes of them afterwards, as by clipping, is not what is told.
    for parameter in model.parameters():
        parameter.grad = None
    expected["weight_norm/embeddings"] = flat_norm([model["embed"].weight])
    assert norms.values() == pytest.approx(expected, rel=1e-6)
    # Told once.
    assert {key.partition("/")[0] for key in norms.values()} == {"weight_norm"}


def flat_norm(tensors: object) -> float:
    return float(torch.cat([tensor.detach().reshape(-1) for tensor in tensors]).norm())  # type: ignore[attr-defined]


def test_bfloat16_is_added_up_in_float32() -> None:
    weights = torch.full((100_000,), 0.01, dtype=torch.bfloat16)
    value = GroupNorms({"layers.0.weight": weights}).values()["weight_norm/layer_0"]
    assert value == pytest.approx(float(weights[0]) * math.sqrt(100_000), rel=1e-4)


def test_norms_cost_less_than_a_hundredth_of_a_step() -> None:
    model = [torch.zeros(1000, 1000) for _ in range(30)]
    adapter = [torch.zeros(8, 64) for _ in range(28)]
    # An adapter of a model of 30 million, at every step.
    assert steps_between(adapter, [*model, *adapter], 500, 100) == 1
    # All of it, with so few tokens that reading every weight is dear: now and then.
    few = steps_between(model, model, 100, 100)
    assert few > 10
    assert steps_between(model, model, 4000, 100) == 1
    operations = (2 * 30_000_000 * 50 + 2 * 30 * 500_000) / few
    assert operations <= 0.01 * (4 * 30_000_000 * 100 + 40 * 30 * 500_000)
    # A model of which nothing is large has steps that are spent on handing over tensors.
    assert 2 <= steps_between(adapter, adapter, 10, 100) <= 10
    # No series gets longer than anybody looks at.
    assert steps_between(adapter, [*model, *adapter], 500, 1_000_000) == 1_000_000 // MOST_POINTS


def test_a_histogram_counts_every_weight() -> None:
    torch.manual_seed(1)
    weights = torch.randn(300, 200)
    (found,) = histograms({"model.layers.0.q_proj.weight": weights}, 7)
    assert (found.layer, found.step, len(found.counts), sum(found.counts)) == ("model.layers.0.q_proj", 7, BINS, 60_000)
    edges = [float(weights.min()), float(weights.max())]
    assert [found.minimum, found.maximum] == pytest.approx(edges)
    expected = torch.histc(weights.double(), BINS, *edges).tolist()
    # Where a weight lies on an edge, rounding decides.
    assert sum(abs(ours - theirs) for ours, theirs in zip(found.counts, expected, strict=True)) <= 4
    assert found.norm == pytest.approx(float(weights.norm()), rel=1e-6)
    assert (found.mean, found.standard_deviation) == pytest.approx((float(weights.mean()), float(weights.std())), abs=1e-4)


def test_a_large_layer_is_counted_by_a_sample_that_is_the_same_each_time() -> None:
    torch.manual_seed(1)
    weights = {"head.weight": torch.randn(1000, 1000, dtype=torch.bfloat16)}
    (first,), (second,) = histograms(weights, 1), histograms(weights, 1)
    assert first == second
    assert SAMPLE / 2 < sum(first.counts) <= SAMPLE
    # What is cheap is exact.
    assert first.maximum == float(weights["head.weight"].max())


def test_weights_that_are_all_equal_or_no_numbers() -> None:
    weights = {"a.weight": torch.zeros(4, 4), "b.weight": torch.tensor([1.0, math.nan]), "c.weight": torch.empty(0)}
    (found,) = histograms(weights, 0)
    assert (found.layer, found.minimum, found.maximum, found.counts[0], found.norm) == ("a", 0, 1, 16, 0)


def test_a_model_of_very_many_layers_shows_an_even_choice() -> None:
    weights = {f"layers.{number}.weight": torch.ones(1) for number in range(2 * MOST_LAYERS + 1)}
    found = histograms(weights, 0)
    assert len(found) <= MOST_LAYERS
    assert found[-1].layer == f"layers.{2 * MOST_LAYERS - 1 - (2 * MOST_LAYERS - 1) % 3}"


@pytest.mark.parametrize(
    ("parameter", "layer"),
    [
        ("base_model.model.model.layers.0.q_proj.lora_A.default.weight", "model.layers.0.q_proj.lora_A"),
        ("model.layers.0.q_proj.weight", "model.layers.0.q_proj"),
        ("transformer.h.0.attn.c_attn.bias", "transformer.h.0.attn.c_attn.bias"),
        ("prompt_encoder.default.embedding.weight", "prompt_encoder.embedding"),
        (f"{'x' * 300}.weight", "x" * 256),
    ],
)
def test_a_layer_is_named_as_in_the_model(parameter: str, layer: str) -> None:
    assert layer_name(parameter) == layer
