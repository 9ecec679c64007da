"""What a job stores and what is exported of it loads where Tunesmith is not installed."""

import json
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.export.conftest import MakeExport, need
from tests.integration.training.conftest import Job, make_job, tiny_base

pytestmark = pytest.mark.integration
# Fixtures of the training tests, used here as they are.
__all__ = ["make_job", "tiny_base"]

PROGRAM = """
import json, sys
from pathlib import Path

base, adapter, merged, gguf_folder, packages = sys.argv[1:]
# The packages that the project installs from elsewhere are read from a file of paths, which an isolated Python would follow.
sys.path[:] = [path for path in sys.path if "site-packages" not in path] + packages.split(":")
for name in ("tunesmith", "workers", "services"):
    try:
        __import__(name)
    except ModuleNotFoundError:
        continue
    raise SystemExit(f"{name} is importable, so this proves nothing")

import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer
from gguf import GGUFReader, dequantize

torch.set_num_threads(1)
tokens = AutoTokenizer.from_pretrained(adapter)("The kettle sings", return_tensors="pt").input_ids
with torch.no_grad():
    two = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base), adapter).eval()(tokens).logits
    one = AutoModelForCausalLM.from_pretrained(merged).eval()(tokens).logits
    plain = AutoModelForCausalLM.from_pretrained(base).eval()(tokens).logits
same = AutoTokenizer.from_pretrained(merged)("The kettle sings", return_tensors="pt").input_ids
[path] = Path(gguf_folder).glob("*.gguf")
reader = GGUFReader(path)
embeddings = next(tensor for tensor in reader.tensors if tensor.name == "token_embd.weight")
values = torch.tensor(dequantize(embeddings.data, embeddings.tensor_type))
model = AutoModelForCausalLM.from_pretrained(merged)
print(json.dumps({
    "apart": (two - one).abs().max().item(),
    "moved": (two - plain).abs().max().item(),
    "tokens": bool((tokens == same).all()),
    "architecture": reader.get_field("general.architecture").contents(),
    "tensors": len(reader.tensors),
    "embeddings": (values - model.get_input_embeddings().weight).abs().max().item(),
}))
"""


def test_adapter_merged_model_and_gguf_load_elsewhere(
    make_job: Callable[..., Job], make_export: MakeExport, tiny_base: Path, tmp_path: Path
) -> None:
    need("gguf")
    import gguf

    job = make_job("TEXT", {"optimizer": {"learning_rate": 0.05}})
    job.run()
    adapter = job.sink.artifacts_folder / "adapter"
    merged = make_export("MERGED", adapter, tiny_base).run()
    file = make_export("GGUF", adapter, tiny_base, export={"gguf_type": "GGUF_TYPE_Q8_0"}).run()
    # Only what pip installed: not the paths of this checkout that its editable packages add.
    packages = {sysconfig.get_path("purelib"), str(Path(gguf.__file__).parent.parent)}
    given = [str(path) for path in (tiny_base, adapter, merged, file)]
    ran = subprocess.run(
        [sys.executable, "-I", "-S", "-c", PROGRAM, *given, ":".join(sorted(packages))],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={"HF_HUB_OFFLINE": "1", "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)},
    )
    assert ran.returncode == 0, ran.stderr[-2000:]
    told = json.loads(ran.stdout.splitlines()[-1])
    assert told["apart"] < 1e-4
    assert told["moved"] > 100 * told["apart"]
    assert told["tokens"]
    assert (told["architecture"], told["tensors"]) == ("llama", 20)
    assert told["embeddings"] < 0.01
