"""A GGUF file holds the merged model: its values, its tokenizer, and all that a forward pass takes."""

import itertools
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from tokenizers import pre_tokenizers
from transformers import AutoModelForCausalLM, BertConfig, Gemma2Config, PreTrainedTokenizerFast
from tunesmith.config.v1 import export_configuration_pb2
from tunesmith.job.v1 import artifact_pb2
from tunesmith.worker.v1 import worker_service_pb2

from services.chassis.errors import FailedPrecondition
from tests.integration.export.conftest import MakeExport, need
from tests.integration.export.models import (
    CONFIGURATIONS,
    TINY,
    UNUSED,
    VOCABULARY_SIZE,
    byte_level,
    sentence_piece,
    write_adapter,
    write_base,
)
from tests.integration.training.conftest import CHAT_TEMPLATE

pytestmark = pytest.mark.integration
TOKENS = torch.arange(3, 36)
SENTENCE_PIECE = ("mistral", "gemma2", "gemma3")
# Of the largest value of 32, half a step of 1/127, the scale being rounded to 11 bits.
Q8_0_ERROR = 0.5 / 127 + 2**-11
ERRORS = {"F32": 0.0, "F16": 2**-11, "BF16": 2**-8}


def written(folder: Path) -> Any:
    need("gguf")
    from tests.integration.export.gguf_forward import Model

    [path] = folder.glob("*.gguf")
    return Model(path)


def merged(base: Path, adapter: Path) -> Any:
    model = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base), str(adapter))
    return model.merge_and_unload().eval()


def logits(model: Any, tokens: torch.Tensor = TOKENS) -> torch.Tensor:
    with torch.no_grad():
        return model(tokens[None]).logits[0].float()


@pytest.mark.parametrize("architecture", CONFIGURATIONS)
def test_the_file_computes_what_the_model_computes(make_export: MakeExport, tmp_path: Path, architecture: str) -> None:
    need("gguf")
    tokenizer = sentence_piece() if architecture in SENTENCE_PIECE else byte_level()
    base = write_base(tmp_path / "base", CONFIGURATIONS[architecture](), tokenizer)
    adapter = write_adapter(tmp_path / "adapter", base)
    export = make_export("GGUF", adapter, base, export={"gguf_type": "GGUF_TYPE_F32"})
    file, model = written(export.run()), merged(base, adapter)
    expected = logits(model)
    assert torch.allclose(file.logits(TOKENS), expected, atol=2e-4), (file.logits(TOKENS) - expected).abs().max()
    assert set(map(int, file.types.values())) == {0}
    # Each value of the model is there once, whatever its place.
    stored = [tensor for name, tensor in file.tensors.items() if not name.startswith("rope_f")]
    own = {parameter.data_ptr(): parameter for parameter in model.parameters()}.values()
    assert sum(one.numel() for one in stored) == sum(one.numel() for one in own)
    assert export.sink.sets == {"gguf": (artifact_pb2.ARTIFACT_KIND_GGUF, 5)}
    assert [step for step, *_ in export.sink.steps][-1] == 95
    assert (len(export.sink.warnings) == 1) == (architecture == "mistral")


def test_all_architectures_that_are_offered_are_tried() -> None:
    need("gguf")
    from workers.export.gguf.architectures import ARCHITECTURES

    assert {make().model_type for make in CONFIGURATIONS.values()} == set(ARCHITECTURES)
    assert len(ARCHITECTURES) == 8


@pytest.mark.parametrize("form", ["F32", "F16", "BF16", "Q8_0"])
def test_values_are_those_of_the_model_as_the_type_holds_them(
    make_export: MakeExport, llama: Path, adapter: Path, form: str
) -> None:
    file = written(make_export("GGUF", adapter, llama, export={"gguf_type": f"GGUF_TYPE_{form}"}).run())
    weights = merged(llama, adapter).state_dict()
    matrices, vectors = 0, 0
    pairs = {"token_embd.weight": "model.embed_tokens.weight", "output_norm.weight": "model.norm.weight"}
    for layer in (0, 1):
        for theirs, ours in (
            *(("attn_q", "self_attn.q_proj"), ("attn_k", "self_attn.k_proj"), ("attn_v", "self_attn.v_proj")),
            *(("attn_output", "self_attn.o_proj"), ("attn_norm", "input_layernorm")),
            *(("ffn_gate", "mlp.gate_proj"), ("ffn_up", "mlp.up_proj"), ("ffn_down", "mlp.down_proj")),
            ("ffn_norm", "post_attention_layernorm"),
        ):
            pairs[f"blk.{layer}.{theirs}.weight"] = f"model.layers.{layer}.{ours}.weight"
    for theirs, ours in pairs.items():
        value, expected = file.tensors[theirs], weights[ours].float()
        if ".attn_q." in theirs or ".attn_k." in theirs:
            # Back from neighbours to halves of a head.
            value = value.view(-1, 8, 2, 64).transpose(1, 2).reshape(expected.shape)
        if expected.ndim == 1:
            vectors += 1
            assert file.types[theirs].name == "F32"
            assert torch.equal(value, expected)
            continue
        matrices += 1
        assert file.types[theirs].name == form
        if form == "Q8_0":
            blocks = (value - expected).reshape(-1, 32).abs().amax(1)
            assert (blocks <= Q8_0_ERROR * expected.reshape(-1, 32).abs().amax(1)).all()
        else:
            # The smallest numbers of F16 have fewer bits.
            assert ((value - expected).abs() <= ERRORS[form] * expected.abs() + (2**-25 if form == "F16" else 0)).all()
    assert (matrices, vectors) == (15, 5)
    assert len(file.tensors) == 15 + 5
    assert file.value("general.file_type") == {"F32": 0, "F16": 1, "BF16": 32, "Q8_0": 7}[form]
    difference = (file.logits(TOKENS) - logits(merged(llama, adapter))).abs().mean()
    assert difference < {"F32": 1e-4, "F16": 0.01, "BF16": 0.1, "Q8_0": 0.1}[form]


def test_f16_is_what_a_job_gets_that_names_no_type(make_export: MakeExport, llama: Path, adapter: Path) -> None:
    need("gguf")
    export = make_export("GGUF", adapter, llama)
    assert export.assignment.export.gguf_type == export_configuration_pb2.GGUF_TYPE_UNSPECIFIED
    assert written(export.run()).value("general.file_type") == 1


def test_rows_that_q8_0_does_not_divide_are_f16(make_export: MakeExport, tmp_path: Path) -> None:
    need("gguf")
    configuration = CONFIGURATIONS["llama"]()
    configuration.intermediate_size = 80
    base = write_base(tmp_path / "base", configuration, byte_level())
    file = written(make_export("GGUF", base, None, export={"gguf_type": "GGUF_TYPE_Q8_0"}).run())
    assert {name for name, kind in file.types.items() if kind.name == "F16"} == {f"blk.{n}.ffn_down.weight" for n in (0, 1)}


def test_what_the_file_says_of_the_model(make_export: MakeExport, tmp_path: Path) -> None:
    need("gguf")
    base = write_base(tmp_path / "base", CONFIGURATIONS["llama 3"](), byte_level())
    export = make_export("GGUF", base, None, export={"gguf_type": "GGUF_TYPE_F16"})
    folder = export.run()
    file = written(folder)
    own = {
        "vocab_size": VOCABULARY_SIZE + UNUSED,
        "context_length": 256,
        "embedding_length": 64,
        "block_count": 2,
        "feed_forward_length": 96,
        "attention.head_count": 4,
        "attention.head_count_kv": 2,
        "attention.key_length": 16,
        "attention.value_length": 16,
        "rope.dimension_count": 16,
        "rope.freq_base": 5e5,
    }
    assert {key: file.own(key) for key in own} == own
    assert file.own("attention.layer_norm_rms_epsilon") == pytest.approx(1e-6)
    said = {"general.type": "model", "general.name": "tiny-tuned", "general.license": "apache-2.0"}
    assert {key: file.value(key) for key in said} == said
    assert file.value("general.base_model.0.repo_url") == "https://huggingface.co/me/tiny"
    assert file.value("general.quantization_version") == 2
    assert [path.name for path in sorted(folder.iterdir())] == ["README.md", "tiny-tuned-F16.gguf"]
    assert "llama-cli -m tiny-tuned-F16.gguf" in (folder / "README.md").read_text()


def test_a_byte_level_tokenizer(make_export: MakeExport, llama: Path, adapter: Path) -> None:
    file = written(make_export("GGUF", adapter, llama).run())
    tokenizer = PreTrainedTokenizerFast.from_pretrained(llama)
    described = json.loads(tokenizer.backend_tokenizer.to_str())["model"]
    tokens = file.value("tokenizer.ggml.tokens")
    assert len(tokens) == VOCABULARY_SIZE + UNUSED
    assert tokens[:VOCABULARY_SIZE] == tokenizer.convert_ids_to_tokens(list(range(VOCABULARY_SIZE)))
    assert file.value("tokenizer.ggml.merges") == [" ".join(merge) for merge in described["merges"]]
    assert len(described["merges"]) > 100
    types = file.value("tokenizer.ggml.token_type")
    assert types == [3] * 5 + [1] * (VOCABULARY_SIZE - 5) + [5] * UNUSED
    expected = {
        "model": "gpt2",
        "pre": "gpt-2",
        "bos_token_id": 2,
        "eos_token_id": 1,
        "padding_token_id": 0,
        "add_bos_token": False,
        "add_eos_token": False,
        "add_space_prefix": False,
    }
    assert {key: file.value(f"tokenizer.ggml.{key}") for key in expected} == expected
    template = file.value("tokenizer.chat_template")
    assert "generation" not in template.replace("add_generation_prompt", "")
    messages = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
    plain = tokenizer.apply_chat_template(messages, tokenize=False, chat_template=template)
    assert plain == tokenizer.apply_chat_template(messages, tokenize=False, chat_template=CHAT_TEMPLATE)


def test_a_sentence_piece_tokenizer(make_export: MakeExport, tmp_path: Path) -> None:
    need("gguf")
    tokenizer = sentence_piece()
    base = write_base(tmp_path / "base", CONFIGURATIONS["llama"](), tokenizer)
    file = written(make_export("GGUF", base, None).run())
    tokens, types = file.value("tokenizer.ggml.tokens"), file.value("tokenizer.ggml.token_type")
    assert (file.value("tokenizer.ggml.model"), file.value("tokenizer.ggml.merges")) == ("llama", None)
    assert types[:6] == [3] * 5 + [2]
    assert types[6 : 6 + 256] == [6] * 256
    assert (file.value("tokenizer.ggml.add_bos_token"), file.value("tokenizer.ggml.add_space_prefix")) == (True, True)
    # Merging by score, as SentencePiece does, gives the tokenizer's own tokens.
    scores = file.value("tokenizer.ggml.scores")
    for text in ("She wrote the letter twice", "Copper turns green é"):
        assert _merged_by_score(text, tokens, scores) == tokenizer(text, add_special_tokens=False)["input_ids"]


def _merged_by_score(text: str, tokens: list[str], scores: list[float]) -> list[int]:
    numbers = {token: number for number, token in enumerate(tokens)}
    pieces = list("▁" + text.replace(" ", "▁"))
    while True:
        pairs = [(scores[numbers[a + b]], -n) for n, (a, b) in enumerate(itertools.pairwise(pieces)) if a + b in numbers]
        if not pairs:
            break
        at = -max(pairs)[1]
        pieces[at : at + 2] = [pieces[at] + pieces[at + 1]]
    found = []
    for piece in pieces:
        found += [numbers[piece]] if piece in numbers else [numbers[f"<0x{byte:02X}>"] for byte in piece.encode()]
    return found


QWEN2_SPLIT = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"


def _split(pattern: str) -> Any:
    from tokenizers import Regex

    plain = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    return pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(pattern), "isolated"), plain])


@pytest.mark.parametrize(
    ("pre_tokenizer", "name"),
    [
        (_split(QWEN2_SPLIT), "qwen2"),
        (_split(QWEN2_SPLIT.replace(r"|\p{N}|", r"|\p{N}{1,3}|")), "llama-bpe"),
        (pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel()]), "smollm"),
    ],
)
def test_the_way_to_split_texts_has_llama_cpp_s_name(pre_tokenizer: Any, name: str) -> None:
    need("gguf")
    from workers.export.gguf.vocabulary import pre_tokenizer as named

    assert named(json.loads(byte_level(pre_tokenizer).backend_tokenizer.to_str())) == name


def test_a_way_to_split_that_has_no_name_is_refused(make_export: MakeExport, tmp_path: Path) -> None:
    need("gguf")
    base = write_base(tmp_path / "base", CONFIGURATIONS["llama"](), byte_level(_split(r"[aeiou]+|.")))
    with pytest.raises(FailedPrecondition, match=r"splits texts in a way that llama\.cpp has no name for"):
        make_export("GGUF", base, None).run()


def test_an_unknown_architecture_is_refused_with_those_that_work(make_export: MakeExport, tmp_path: Path) -> None:
    need("gguf")
    BertConfig().save_pretrained(tmp_path)
    export = make_export("GGUF", tmp_path, None)
    with pytest.raises(FailedPrecondition, match=r"bert models can't be exported.*llama, mistral, qwen2, qwen3, gemma2"):
        export.run()
    assert export.sink.stages == []


def test_a_gemma_that_llama_cpp_would_scale_otherwise_is_refused(make_export: MakeExport, tmp_path: Path) -> None:
    need("gguf")
    configuration = Gemma2Config(**TINY, head_dim=16, query_pre_attn_scalar=99)
    base = write_base(tmp_path / "base", configuration, byte_level())
    with pytest.raises(FailedPrecondition, match=r"query_pre_attn_scalar is 99, where llama\.cpp takes 16"):
        make_export("GGUF", base, None).run()


def test_a_rotation_that_llama_cpp_lacks_is_refused(make_export: MakeExport, llama: Path, tmp_path: Path) -> None:
    need("gguf")
    base = shutil.copytree(llama, tmp_path / "base")
    settings = json.loads((base / "config.json").read_text())
    settings["rope_parameters"] = {"rope_type": "dynamic", "rope_theta": 1e4, "factor": 2.0}
    (base / "config.json").write_text(json.dumps(settings))
    with pytest.raises(FailedPrecondition, match="no rotation of type dynamic"):
        make_export("GGUF", base, None).run()


def test_a_stretched_model_stays_stretched(make_export: MakeExport, tmp_path: Path) -> None:
    need("gguf")
    configuration = CONFIGURATIONS["qwen2"]()
    configuration.rope_parameters = {"rope_type": "linear", "rope_theta": 1e4, "factor": 4.0}
    base = write_base(tmp_path / "base", configuration, byte_level())
    file = written(make_export("GGUF", base, None, export={"gguf_type": "GGUF_TYPE_F32"}).run())
    assert torch.allclose(file.logits(TOKENS), logits(AutoModelForCausalLM.from_pretrained(base)), atol=2e-4)
    assert (file.own("rope.scaling.type"), file.own("rope.scaling.factor")) == ("linear", 4.0)


def test_a_weight_that_f16_can_t_hold_is_refused(make_export: MakeExport, tmp_path: Path) -> None:
    need("gguf")
    base = write_base(tmp_path / "base", CONFIGURATIONS["llama"](), byte_level())
    model = AutoModelForCausalLM.from_pretrained(base)
    with torch.no_grad():
        model.model.layers[1].mlp.up_proj.weight[0, 0] = 1e5
    model.save_pretrained(base)
    with pytest.raises(FailedPrecondition, match=r"blk\.1\.ffn_up\.weight has 100000, which F16 can't hold"):
        make_export("GGUF", base, None, export={"gguf_type": "GGUF_TYPE_F16"}).run()
    written(make_export("GGUF", base, None, export={"gguf_type": "GGUF_TYPE_BF16"}).run())


def test_an_export_is_cancelled_between_tensors(make_export: MakeExport, llama: Path, adapter: Path) -> None:
    need("gguf")
    directives = dict.fromkeys(range(60, 100), worker_service_pb2.DIRECTIVE_CANCEL)
    sink = make_export("GGUF", adapter, llama, directives=directives).stopped()
    assert sink.stages[-1] == "Writing GGUF"
    assert sink.sets == {}
