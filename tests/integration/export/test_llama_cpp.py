"""llama.cpp itself loads what is exported, cuts texts into the same tokens, and computes the same probabilities.

Runs where xllamacpp is installed (pip install xllamacpp), which carries llama.cpp; the project does without it.
"""

import importlib.util
import json
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

from tests.conftest import FOREIGN_ENGINE
from tests.integration.export.conftest import MakeExport, need
from tests.integration.export.models import CONFIGURATIONS, byte_level, sentence_piece, write_adapter, write_base
from tests.integration.export.test_gguf import SENTENCE_PIECE

pytestmark = pytest.mark.integration
TEXT = "The kettle sings when é the 12345 water's hot. <eos> She  wrote\n\nit twice 日本"
MESSAGES = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}, {"role": "user", "content": "c"}]
# GELU is looked up in a table of 16 bits there.
TOLERANCE = {"gemma2": 0.02, "gemma3": 0.02, "gpt2": 0.02}


@contextmanager
def serving(path: Path) -> Iterator[str]:
    """llama.cpp's server with a file, on loopback and in float32; its address."""
    if importlib.util.find_spec("xllamacpp") is None:
        pytest.skip(f"{FOREIGN_ENGINE}xllamacpp is not installed; pip install xllamacpp")
    import xllamacpp

    settings = xllamacpp.CommonParams()
    settings.model.path = str(path)
    settings.n_ctx, settings.n_parallel, settings.cpuparams.n_threads = 128, 1, 1
    settings.warmup, settings.use_jinja, settings.verbosity = False, True, 0
    settings.flash_attn_type = xllamacpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED
    settings.cache_type_k = settings.cache_type_v = xllamacpp.ggml_type.GGML_TYPE_F32
    server = xllamacpp.Server(settings)
    yield server.listening_address
    del server


def asked(address: str, **body: Any) -> Any:
    path = body.pop("path")
    request = urllib.request.Request(f"{address}/{path}", json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


@pytest.mark.parametrize("architecture", CONFIGURATIONS)
def test_llama_cpp_agrees(make_export: MakeExport, tmp_path: Path, architecture: str) -> None:
    need("gguf")
    cut = sentence_piece() if architecture in SENTENCE_PIECE else byte_level()
    base = write_base(tmp_path / "base", CONFIGURATIONS[architecture](), cut)
    adapter = write_adapter(tmp_path / "adapter", base)
    [path] = make_export("GGUF", adapter, base, export={"gguf_type": "GGUF_TYPE_F32"}).run().glob("*.gguf")
    tokenizer = AutoTokenizer.from_pretrained(base)
    model = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base), str(adapter)).eval()
    tokens = tokenizer(TEXT)["input_ids"]
    with serving(path) as address:
        assert asked(address, path="tokenize", content=TEXT, add_special=True, parse_special=True)["tokens"] == tokens
        said = asked(address, path="apply-template", messages=MESSAGES)["prompt"]
        assert said == tokenizer.apply_chat_template(MESSAGES, tokenize=False, add_generation_prompt=True)
        tried = 0
        for length in (7, 20, 33):
            seen = tokens[:length]
            answer = asked(address, path="completion", prompt=seen, n_predict=1, n_probs=400, temperature=0, cache_prompt=False)
            with torch.no_grad():
                expected = torch.log_softmax(model(torch.tensor([seen])).logits[0, -1], -1)
            # None are told where the answer ends at once.
            for told in answer.get("completion_probabilities", []):
                for one in told["top_logprobs"]:
                    assert one["logprob"] == pytest.approx(expected[one["id"]].item(), abs=TOLERANCE.get(architecture, 1e-3))
                    tried += 1
        assert tried > 300
