"""The labels of a dataset, in an order that is the same each time."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from services.chassis.errors import InvalidArgument
from workers.training.rows import RowError

# The widest published classifiers know some ten thousand.
MAX_LABELS = 10_000
_SHOWN_LABELS = 5


class Labels:
    """Names of labels by number, as a classifier's configuration has them."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = tuple(names)
        self._numbers = {name: number for number, name in enumerate(self.names)}

    @classmethod
    def of(cls, found: Iterable[str], known: Mapping[Any, str] | None, field_path: str) -> "Labels":
        """The labels of training rows: numbers by their size, words by the alphabet.

        A base model that classifies into the very same labels (`known`, its id2label) keeps its own order, and so what it has
        learnt of them. Raises InvalidArgument for rows from which no choice can be learnt.
        """
        distinct = set(found)
        if len(distinct) < 2:
            name = next(iter(distinct), "none")
            raise InvalidArgument(
                [(field_path, f"all rows have the label {name!r}, so there is nothing to tell apart; add rows of another one")]
            )
        if len(distinct) > MAX_LABELS:
            text = f"the rows have {len(distinct):,} different labels; at most {MAX_LABELS:,} are told apart, so group them"
            raise InvalidArgument([(field_path, text)])
        if known is not None and set(known.values()) == distinct and len(known) == len(distinct):
            return cls([known[number] for number in sorted(known)])
        whole_numbers = all(name.removeprefix("-").isdecimal() for name in distinct)
        return cls(sorted(distinct, key=lambda name: (int(name) if whole_numbers else 0, name)))

    def __len__(self) -> int:
        return len(self.names)

    def number(self, name: str) -> int:
        """Raises RowError for a label that no training row has."""
        if name not in self._numbers:
            shown = ", ".join(map(repr, self.names[:_SHOWN_LABELS])) + (", …" if len(self.names) > _SHOWN_LABELS else "")
            raise RowError(f"no training row has the label {name!r} (they have {shown})")
        return self._numbers[name]

    def configuration(self) -> dict[str, Any]:
        """What a model's configuration says of them; how many there are it counts itself."""
        return {
            "id2label": dict(enumerate(self.names)),
            "label2id": dict(self._numbers),
            "problem_type": "single_label_classification",
        }


def names_of(model: Any) -> list[str]:
    """The labels of a classifier, in the order of its outputs."""
    known: dict[int, str] = model.config.id2label
    return [known[number] for number in sorted(known)]
