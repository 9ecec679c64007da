"""What Unsloth's loader takes: `python tests/contract/unsloth_arguments.py > tests/golden_engines/unsloth.json`, where it is.

It is read and not imported: its module of models wants a GPU's compiler. `pip install --no-deps unsloth unsloth_zoo` is enough.
"""

import ast
import json
from importlib.metadata import distribution, version
from pathlib import Path

# Where its two functions are defined.
_FUNCTIONS = {
    "from_pretrained": ("unsloth/models/loader.py", "FastLanguageModel"),
    "get_peft_model": ("unsloth/models/llama.py", "FastLlamaModel"),
}


def names() -> dict[str, list[str]]:
    """Their arguments by name, without what they pass on."""
    found = {}
    for function, (path, owner) in _FUNCTIONS.items():
        tree = ast.parse(Path(str(distribution("unsloth").locate_file(path))).read_text(encoding="utf-8"))
        classes = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
        (defined,) = [node for node in classes[owner].body if isinstance(node, ast.FunctionDef) and node.name == function]
        found[function] = [each.arg for each in (*defined.args.args, *defined.args.kwonlyargs)]
    return found


if __name__ == "__main__":
    made_by = "python tests/contract/unsloth_arguments.py, where Unsloth is installed"
    print(json.dumps({"unsloth": version("unsloth"), "made_by": made_by, **names()}, indent=1))
