"""What an exported model says about itself: how to load it, and what it was made from."""

import yaml
from tunesmith.config.v1 import export_configuration_pb2
from tunesmith.job.v1 import artifact_pb2

from workers.export.work import Work

Format = export_configuration_pb2.ExportFormat

_USE: dict[Format, str] = {
    export_configuration_pb2.EXPORT_FORMAT_MERGED: """\
```python
from transformers import {loader}, {processor}

model = {loader}.from_pretrained("path/to/this/folder")
processor = {processor}.from_pretrained("path/to/this/folder")
```""",
    export_configuration_pb2.EXPORT_FORMAT_GGUF: """\
```
llama-cli -m {file}
```

With Ollama: a file named `Modelfile` with the line `FROM ./{file}`, then `ollama create {name} -f Modelfile`.""",
    export_configuration_pb2.EXPORT_FORMAT_ONNX: """\
```python
import onnxruntime

session = onnxruntime.InferenceSession("path/to/this/folder/model.onnx")
logits = session.run(["logits"], {inputs})[0]
```""",
}
_WHAT: dict[Format, str] = {
    export_configuration_pb2.EXPORT_FORMAT_MERGED: "A merged model",
    export_configuration_pb2.EXPORT_FORMAT_GGUF: "A GGUF file",
    export_configuration_pb2.EXPORT_FORMAT_ONNX: "An ONNX graph",
}
_LIBRARIES: dict[Format, str] = {
    export_configuration_pb2.EXPORT_FORMAT_MERGED: "transformers",
    export_configuration_pb2.EXPORT_FORMAT_GGUF: "gguf",
    export_configuration_pb2.EXPORT_FORMAT_ONNX: "onnx",
}
# Where what the card of the trained weights says of the training begins.
_TRAINING = "\n## Loss\n"


def render(work: Work) -> str:
    """The README.md of an export, as the hub reads it, with what the card of the trained weights says of the training."""
    form = work.assignment.export.format
    title = _plain(work.title)
    sections = [
        f"---\n{_front_matter(work)}---",
        f"# {title}",
        f"{_WHAT[form]}, made with Tunesmith out of what was trained on {_plain(work.assignment.base_model.display_name)}.",
        f"## Use\n\n{_use(work)}",
        f"## Exported from\n\n{_lineage(work)}",
    ]
    return "\n\n".join(sections) + "\n" + _training(work)


def _front_matter(work: Work) -> str:
    base, form = work.assignment.base_model, work.assignment.export.format
    facts: dict[str, object] = {"library_name": _LIBRARIES[form], "tags": ["tunesmith", _LIBRARIES[form]]}
    if base.hub_repo:
        facts |= {"base_model": base.hub_repo}
    if base.license:
        facts |= {"license": base.license}
    return yaml.safe_dump(facts, sort_keys=False, allow_unicode=True)


def _use(work: Work) -> str:
    file = next((path.name for path in sorted(work.folder.glob("*.gguf"))), "")
    images = (work.folder / "preprocessor_config.json").is_file()
    inputs = '{"pixel_values": pixel_values}' if images else '{"input_ids": input_ids, "attention_mask": attention_mask}'
    loader = "AutoModelForImageClassification" if images else _loader(work)
    return _USE[work.assignment.export.format].format(
        loader=loader,
        processor="AutoImageProcessor" if images else "AutoTokenizer",
        file=file,
        name=file.partition(".")[0].lower(),
        inputs=inputs,
    )


def _loader(work: Work) -> str:
    config = work.folder / "config.json"
    classifier = config.is_file() and "ForSequenceClassification" in config.read_text(encoding="utf-8")
    return "AutoModelForSequenceClassification" if classifier else "AutoModelForCausalLM"


def _lineage(work: Work) -> str:
    source, base = work.assignment.export_source, work.assignment.base_model
    kind = artifact_pb2.ArtifactKind.Name(source.kind).removeprefix("ARTIFACT_KIND_").lower()
    revision = f", revision `{base.revision}`" if base.revision else ""
    rows = [
        ("Job", f"`{work.assignment.lease.job_id}`"),
        ("What", f"{source.name} ({kind}), saved at step {source.step}"),
        ("Trained by job", f"{_plain(source.job.display_name)}, `{source.job.id}`"),
        ("Base model", f"{_plain(base.display_name)}, `{base.hub_repo or base.id}`{revision}"),
    ]
    return "\n".join(["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows)])


def _training(work: Work) -> str:
    card = work.inputs.source / "README.md"
    _, heading, rest = card.read_text(encoding="utf-8").partition(_TRAINING) if card.is_file() else ("", "", "")
    return heading + rest


def _plain(name: str) -> str:
    """A name someone typed, on one line and with nothing in it that Markdown reads as a table's edge."""
    return " ".join(name.split()).replace("|", "/")
