"""How a dataset's rows become what the trainer reads: the one conversion that the job needs."""

from tunesmith.registry.v1 import dataset_pb2

_SHAREGPT = '''\
ROLES = {
    "human": "user",
    "user": "user",
    "gpt": "assistant",
    "chatgpt": "assistant",
    "assistant": "assistant",
    "system": "system",
    "tool": "tool",
    "observation": "tool",
}


def to_message(turn):
    """A turn of ShareGPT as a message."""
    if turn["from"] == "function_call":
        call = {"type": "function", "function": json.loads(turn["value"])}
        return {"role": "assistant", "content": "", "tool_calls": [call]}
    return {"role": ROLES[turn["from"]], "content": turn["value"]}


def conversation(row):
    """A conversation of ShareGPT as messages."""
    messages = [to_message(turn) for turn in row["conversations"]]
    if row.get("system") and messages[0]["role"] != "system":
        messages.insert(0, {"role": "system", "content": row["system"]})
    return messages'''

_WITH_TOOLS = '''\
def with_tools(row, converted):
    """The same with the tools that a row names: a list, or the JSON of one."""
    tools = row.get("tools")
    if isinstance(tools, str):
        tools = json.loads(tools) if tools.strip() else None
    return converted | {"tools": tools} if tools else converted'''

_PREFERENCE = '''\
def convert(row):
    """A pair of answers to one prompt: all of it text, or all of it turns."""
    chosen, rejected = row["chosen"], row["rejected"]
    prompt = conversation(row) if row.get("conversations") is not None else row.get("prompt")
    if isinstance(chosen, str):
        if prompt is None:
            prompt, chosen, rejected = apart(chosen, rejected)
        if isinstance(prompt, list):
            chosen, rejected = ([{"role": "assistant", "content": answer}] for answer in (chosen, rejected))
        return with_tools(row, {"prompt": prompt, "chosen": chosen, "rejected": rejected})
    if isinstance(chosen, dict):
        chosen, rejected = [to_message(chosen)], [to_message(rejected)]
    most = min(len(chosen), len(rejected)) - 1
    shared = next((place for place in range(most) if chosen[place] != rejected[place]), most)
    prompt = [*before(prompt, chosen[:shared]), *chosen[:shared]]
    return with_tools(row, {"prompt": prompt, "chosen": chosen[shared:], "rejected": rejected[shared:]})


def before(prompt, shared):
    """The prompt's turns, unless both answers begin with them anyway."""
    if isinstance(prompt, str):
        said = any(turn.get("content") == prompt for turn in shared)
        prompt = [] if said else [{"role": "user", "content": prompt}]
    return [] if not prompt or shared[: len(prompt)] == prompt else prompt


def apart(chosen, rejected):
    """A prompt that both texts begin with, and what each says then; a space between them belongs to the answers."""
    ends = (place for place, pair in enumerate(zip(chosen, rejected)) if pair[0] != pair[1])
    end = next(ends, min(len(chosen), len(rejected)))
    if end and chosen[end - 1] == " ":
        end -= 1
    return chosen[:end], chosen[end:], rejected[end:]'''

# Each defines `convert`. A test compares them with the worker's own conversions.
CONVERSIONS: dict[dataset_pb2.DatasetFormat, tuple[str, ...]] = {
    dataset_pb2.DATASET_FORMAT_TEXT: (
        '''\
def convert(row):
    """A row of text, all of which is learnt."""
    return {"text": row["text"]}''',
    ),
    dataset_pb2.DATASET_FORMAT_PROMPT_COMPLETION: (
        _WITH_TOOLS,
        '''\
def convert(row):
    """A prompt and its completion: text, or messages."""
    converted = {"prompt": row["prompt"], "completion": row["completion"]}
    return with_tools(row, converted) if isinstance(row["prompt"], list) else converted''',
    ),
    dataset_pb2.DATASET_FORMAT_ALPACA: (
        '''\
ALPACA = "Below is an instruction that describes a task. Write a response that appropriately completes the request."
ALPACA_WITH_INPUT = (
    "Below is an instruction that describes a task, paired with an input that provides further context. "
    "Write a response that appropriately completes the request."
)


def convert(row):
    """An instruction as Alpaca's prompt, and its output."""
    context = row.get("input") or ""
    preamble = row.get("system") or (ALPACA_WITH_INPUT if context else ALPACA)
    middle = f"### Input:\\n{context}\\n\\n" if context else ""
    prompt = f"{preamble}\\n\\n### Instruction:\\n{row['instruction']}\\n\\n{middle}### Response:\\n"
    return {"prompt": prompt, "completion": row["output"]}''',
    ),
    dataset_pb2.DATASET_FORMAT_MESSAGES: (
        _WITH_TOOLS,
        '''\
def convert(row):
    """A conversation, and the tools that it may call."""
    return with_tools(row, {"messages": row["messages"]})''',
    ),
    dataset_pb2.DATASET_FORMAT_SHAREGPT: (
        _SHAREGPT,
        _WITH_TOOLS,
        '''\
def convert(row):
    """A conversation, and the tools that it may call."""
    return with_tools(row, {"messages": conversation(row)})''',
    ),
    dataset_pb2.DATASET_FORMAT_PREFERENCE: (_SHAREGPT, _WITH_TOOLS, _PREFERENCE),
}

_READ_ROWS = '''\
def read_rows(path):
    """The rows of a file of JSON lines, or of one JSON array, as a table."""
    text = Path(path).read_text(encoding="utf-8")
    if text.lstrip().startswith("["):
        rows = [convert(row) for row in json.loads(text)]
    else:
        rows = [convert(json.loads(line)) for line in text.split("\\n") if line.strip()]
    return Dataset.from_list(rows)'''

_READ_ANSWERED = """\
    # Only the assistant's turns count: a conversation without one teaches nothing.
    rows = [row for row in rows if any(turn["role"] == "assistant" for turn in row["messages"])]
"""

_AS_TABLE = '''\
def as_table(rows):
    """Rows with their messages as they are: a plain table would give each of them the keys of all others."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    columns = {name: [row.get(name) for row in rows] for name in names}
    features = {}
    for name, values in columns.items():
        text = all(value is None or isinstance(value, str) for value in values)
        features[name] = Value("string") if text else List(Json())
    return Dataset.from_dict(columns, features=Features(features))'''

# Whose rows are of text alone, so that a plain table does.
_OF_TEXT = (dataset_pb2.DATASET_FORMAT_TEXT, dataset_pb2.DATASET_FORMAT_ALPACA)
# The files that are read.
_JSON_SUFFIXES = (".json", ".jsonl", ".ndjson")


def imports(dataset_format: dataset_pb2.DatasetFormat) -> str:
    """What `reading` takes of the datasets library."""
    names = "Dataset" if dataset_format in _OF_TEXT else "Dataset, Features, Json, List, Value"
    return f"from datasets import {names}"


def reading(dataset_format: dataset_pb2.DatasetFormat, *, answers_only: bool) -> list[str]:
    """Functions that leave `read_rows`. Raises ValueError for a format that no script is written for."""
    if dataset_format not in CONVERSIONS:
        name = dataset_pb2.DatasetFormat.Name(dataset_format).removeprefix("DATASET_FORMAT_")
        raise ValueError(f"no script reads rows of {name}; download the job's result instead")
    read = _READ_ROWS
    if answers_only:
        read = read.replace("    return Dataset", f"{_READ_ANSWERED}    return Dataset")
    if dataset_format in _OF_TEXT:
        return [*CONVERSIONS[dataset_format], read]
    return [*CONVERSIONS[dataset_format], _AS_TABLE, read.replace("Dataset.from_list(rows)", "as_table(rows)")]


def difference(dataset: dataset_pb2.Dataset) -> str | None:
    """What a person has to do before the script can read a dataset's file; None if nothing."""
    if not dataset.filename or dataset.filename.lower().endswith(_JSON_SUFFIXES):
        return None
    return f"The script reads JSON lines, and the dataset was uploaded as {dataset.filename}: write its rows as JSON lines first."
