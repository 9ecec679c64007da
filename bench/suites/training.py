"""Training of a Llama of 34 million parameters beside plain trl scripts."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from bench.figures import Bar, Better, Figure
from bench.interleave import Arm
from bench.suite import Plan, Suite
from bench.training import arms
from bench.training.cases import EQUAL, QUICK_ROW_COUNT, ROW_COUNT, SILENT, write_model, write_rows
from bench.training.recommended import recommended


@contextmanager
def prepare(quick: bool) -> Iterator[Plan]:
    """A model and rows that all arms read; what we recommend is what the advisers say of them."""
    with tempfile.TemporaryDirectory(prefix="tst-") as name:
        folder = Path(name)
        rows = write_rows(folder, QUICK_ROW_COUNT if quick else ROW_COUNT)
        ours = recommended(write_model(folder / "base", rows))
        said = f"{ours.precision}, {', '.join(ours.optimizations)}, {ours.batch_size} × {ours.gradient_accumulation}"
        yield Plan(
            [
                Arm("equal", partial(arms.job, folder, EQUAL)),
                Arm("equal_script", partial(arms.script, folder, equal=True)),
                Arm("recommended", partial(arms.job, folder, ours)),
                Arm("default_script", partial(arms.script, folder, equal=False)),
                Arm("silent", partial(arms.job, folder, SILENT)),
            ],
            versions={"recommended settings": said},
        )


def _beside(title: str, ours: str, theirs: str, value: str, better: Better, *bars: Bar) -> Figure:
    return Figure(title, "", f"{ours}.{value}", better, bars, beside=(f"{theirs}.{value}",))


def _peak(title: str, arm: str) -> Figure:
    return Figure(f"peak memory, {title}", "MiB", f"{arm}.peak_mib", Better.LOWER)


def _rate(title: str, arm: str) -> Figure:
    return Figure(f"tokens without padding, {title}", "/s", f"{arm}.tokens_per_s", Better.HIGHER)


SUITE = Suite(
    name="training",
    title="Training: a Llama of 34 million parameters with LoRA on 160 Alpaca rows, as a job and as plain trl scripts",
    prepare=prepare,
    distributions=("torch", "transformers", "peft", "trl"),
    figures=(
        _beside("tokens/s, equal flags, job / script", "equal", "equal_script", "tokens_per_s", Better.HIGHER, Bar(at_least=1.0)),
        _beside("last loss, equal flags, job / script", "equal", "equal_script", "last_loss_ratio", Better.LOWER),
        _beside(
            "tokens/s, what we recommend / trl's defaults",
            "recommended",
            "default_script",
            "tokens_per_s",
            Better.HIGHER,
            Bar(at_least=1.4),
        ),
        _beside(
            "peak memory, what we recommend / trl's defaults",
            "recommended",
            "default_script",
            "peak_mib",
            Better.LOWER,
            Bar(at_most=1.0),
        ),
        _beside("training, figures told / untold", "equal", "silent", "training_s", Better.LOWER, Bar(at_most=1.01)),
        _beside(
            "tokens trained on, what we recommend / trl's defaults",
            "recommended",
            "default_script",
            "tokens_count",
            Better.HIGHER,
        ),
        _rate("what we recommend", "recommended"),
        _rate("trl's defaults", "default_script"),
        _rate("equal flags, job", "equal"),
        _rate("equal flags, script", "equal_script"),
        _peak("what we recommend", "recommended"),
        _peak("trl's defaults", "default_script"),
        _peak("equal flags, job", "equal"),
        _peak("equal flags, script", "equal_script"),
    ),
)
