"""What Axolotl's schema allows: `python tests/contract/axolotl_schema.py > tests/golden_engines/axolotl.json`, where it is there.

A payload is held against that file wherever Axolotl is not, which is nearly everywhere: it wants a GPU's wheels. The schema alone
takes `pip install --no-deps axolotl addict pillow torchao` beside this project's own packages. With `--validate` it reads
payloads as JSON from standard input, by name, and writes what the schema itself says of each: an empty text if it takes it.
"""

import contextlib
import json
import sys
from importlib.metadata import version
from itertools import product
from typing import Any

from pydantic.json_schema import GenerateJsonSchema

HOW = "python tests/contract/axolotl_schema.py, where Axolotl is installed"


class _Names(GenerateJsonSchema):
    """A member of an enum that JSON has no value for is written by its name."""

    def enum_schema(self, schema: Any) -> Any:
        """The schema of an enum."""
        return {"enum": [each.value if isinstance(each.value, str) else each.name for each in schema["members"]]}


def fields() -> dict[str, Any]:
    """What every field takes: its JSON types, and its values where they are listed."""
    from axolotl.integrations.liger.args import LigerArgs
    from axolotl.utils.schemas.config import AxolotlInputConfig

    found: dict[str, Any] = {}
    # Some fields have two names, and either is taken.
    for model, by_alias in product((AxolotlInputConfig, LigerArgs), (False, True)):
        schema = model.model_json_schema(by_alias, schema_generator=_Names)
        found |= {name: _taken(field, schema.get("$defs", {})) for name, field in schema["properties"].items()}
    return dict(sorted(found.items()))


def _taken(field: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    taken: dict[str, Any] = {"types": set(), "values": set(), "items": {}, "keys": {}}
    _add(field, definitions, taken)
    if "any text" in taken["types"]:
        taken |= {"types": taken["types"] - {"any text"} | {"string"}, "values": set()}
    return {name: sorted(value) if isinstance(value, set) else value for name, value in taken.items() if value}


def _add(field: dict[str, Any], definitions: dict[str, Any], taken: dict[str, Any]) -> None:
    if "$ref" in field:
        _add(definitions[field["$ref"].rpartition("/")[2]], definitions, taken)
    for choice in (*field.get("anyOf", ()), *field.get("allOf", ())):
        _add(choice, definitions, taken)
    if "const" in field or "enum" in field:
        taken["values"] |= {str(value) for value in [field.get("const"), *field.get("enum", ())] if value is not None}
        taken["types"].add("string")
    elif "type" in field:
        taken["types"].add("any text" if field["type"] == "string" else field["type"])
    if field.get("type") == "array":
        items = field.get("items", {})
        for choice in items.get("anyOf", [items]):
            target = definitions.get(choice.get("$ref", "").rpartition("/")[2])
            if target:
                names = target.get("properties", {})
                taken["items"][target["title"]] = {name: _taken(inner, definitions) for name, inner in names.items()}
    elif "properties" in field:
        taken["keys"] |= {name: _taken(inner, definitions) for name, inner in field["properties"].items()}


def validate(payloads: dict[str, Any]) -> dict[str, str]:
    """What Axolotl's own validation says of each payload, on a machine as most are that train."""
    from axolotl.integrations.base import PluginManager
    from axolotl.utils.config import validate_config
    from axolotl.utils.dict import DictDefault

    said = {}
    for name, payload in payloads.items():
        try:
            configuration = DictDefault(payload)
            for plugin in payload.get("plugins", ()):
                PluginManager.get_instance().register(plugin)
            validate_config(configuration, capabilities=_CAPABILITIES, env_capabilities={"torch_version": "2.11.0"})
            said[name] = ""
        except Exception as error:
            said[name] = f"{type(error).__name__}: {error}"
    return said


# One recent GPU, which is what its checks ask for.
_CAPABILITIES = {"bf16": True, "fp8": True, "tf32": True, "n_gpu": 1, "n_node": 1, "compute_capability": "sm_90"}


if __name__ == "__main__":
    with contextlib.redirect_stdout(sys.stderr):
        asked = json.load(sys.stdin) if "--validate" in sys.argv else None
        answer = json.dumps(validate(asked)) if asked is not None else ""
        known = fields() if asked is None else {}
    if asked is not None:
        print(answer)
    else:
        rows = ",\n".join(f"  {json.dumps(name)}: {json.dumps(taken)}" for name, taken in known.items())
        print(f'{{\n "axolotl": "{version("axolotl")}",\n "made_by": {json.dumps(HOW)},\n "fields": {{\n{rows}\n }}\n}}')
