"""How much is computed for a token."""

import pytest

from services.preflight.estimate.batch import batch_of
from services.preflight.estimate.flops import add_products
from services.preflight.estimate.operations import Operations
from services.preflight.estimate.parameters import parameters_of
from services.preflight.estimate.workload import Workload
from tests.unit.services.preflight.speed.runs import run


def operations(workload: Workload) -> Operations:
    made = Operations()
    add_products(workload, batch_of(workload), made)
    return made


def a_token(workload: Workload) -> float:
    """FLOPs of products inside the layers, by weight and token."""
    head = workload.architecture.vocabulary_size
    inside = sum(product.flops for product in operations(workload).products if head not in (product.m, product.n, product.k))
    return inside / batch_of(workload).all_tokens / workload.architecture.layer_linear_parameters


def test_full_training_costs_six_operations_a_weight() -> None:
    assert a_token(run("FULL")) == pytest.approx(6, rel=1e-9)


def test_checkpointing_costs_two_more() -> None:
    assert a_token(run("FULL", "FP32", "GRADIENT_CHECKPOINTING")) == pytest.approx(8, rel=1e-9)


def test_adapters_cost_four_and_six_for_their_own_weights() -> None:
    workload = run("LORA", "FP32", "GRADIENT_CHECKPOINTING")
    share = parameters_of(workload).adapter / workload.architecture.layer_linear_parameters
    assert a_token(workload) == pytest.approx(6 + 8 * share, rel=1e-9)


def test_nothing_goes_back_beyond_the_first_adapters() -> None:
    # Of eight layers, the first's queries, keys and values have no way back.
    lora = run("LORA")
    linears, total = lora.architecture.linears, lora.architecture.layer_linear_parameters
    # Of the weights and of the adapter's first factor, one layer's.
    saved = sum(2 * (one.parameter_count + 16 * one.input_size) for one in linears if one.role in ("q", "k", "v"))
    assert a_token(lora) == pytest.approx(4 + 6 * parameters_of(lora).adapter / total - saved / total, rel=1e-9)


def test_the_output_layer_is_computed_twice_forward_where_the_loss_comes_in_parts() -> None:
    def head(method: str) -> float:
        workload = run(method)
        vocabulary, hidden = workload.architecture.vocabulary_size, workload.architecture.hidden_size
        of_it = [product for product in operations(workload).products if vocabulary in (product.m, product.n, product.k)]
        tokens = batch_of(workload).all_tokens - workload.batch_size
        return sum(product.flops for product in of_it) / tokens / vocabulary / hidden

    assert head("LORA") == pytest.approx(6)
    assert head("FULL") == pytest.approx(8)


def test_attention_grows_with_the_square_of_the_length() -> None:
    short, long = operations(run(row_tokens=512)), operations(run(row_tokens=1024))
    assert long.attention_flops == pytest.approx(4 * short.attention_flops)
    # 4 · S² · width forward and two and a half times that back, for 4 rows of 512 tokens in 8 layers of width 1024.
    assert short.attention_flops == pytest.approx(3.5 * 4 * 4 * 512**2 * 1024 * 8)


def test_dropout_on_scores_writes_them_down_on_a_processor() -> None:
    made = operations(run("FULL", name="gpt2"))
    assert made.attention_flops == 0
    assert any((product.m, product.n, product.k) == (256, 256, 64) for product in made.products)
