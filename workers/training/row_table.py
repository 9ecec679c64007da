"""Rows as a table for trl, with nothing added to them and nothing lost."""

from typing import Any

from datasets import Dataset, Features, Json, List, Value

from workers.training.rows import Row


def table_of(rows: list[Row]) -> Dataset:
    """A column for each name that any row has, None where a row has it not.

    Left to itself a table has the columns of its first row alone, and gives every message and every tool the keys of all others,
    which chat templates would print.
    """
    names = list(dict.fromkeys(name for row in rows for name in row))
    columns = {name: [row.get(name) for row in rows] for name in names}
    return Dataset.from_dict(columns, features=Features({name: _kind(values) for name, values in columns.items()}))


def _kind(values: list[Any]) -> Any:
    held = [value for value in values if value is not None]
    if all(isinstance(value, str) for value in held):
        return Value("string")
    return List(Json()) if all(isinstance(value, list) for value in held) else Json()
