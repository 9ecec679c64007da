"""Classification: which of a few labels a text or a picture has.

The base model keeps its body and gets a head of one output a label, unless it tells these very labels apart already. An adapter
is put beside the body, and the head is trained whole.
"""

from workers.providers.local.datasets import SHAPES, RowShape
from workers.training.attempt import Attempt
from workers.training.classification_trainer import make_trainer
from workers.training.classifier import adapted, known_labels, load_image_classifier, load_text_classifier
from workers.training.images import LabelledPictures, PictureReader, PictureRows, collate_pictures, patch_count, require_pillow
from workers.training.job_rows import TRAINING_PATH, VALIDATION_PATH, check_datasets, read_job_rows
from workers.training.labelled_texts import LabelledTexts, TextCollator, numbers
from workers.training.labels import Labels
from workers.training.trainer import fitting_arguments


def train(attempt: Attempt) -> None:
    """Train and store the result."""
    check_datasets(attempt.assignment)
    if SHAPES[attempt.assignment.training_dataset.format] is RowShape.IMAGE_LABEL:
        _train_on_pictures(attempt)
    else:
        _train_on_texts(attempt)


def _train_on_texts(attempt: Attempt) -> None:
    plan, sink = attempt.plan, attempt.sink
    attempt.stage("Reading the rows")
    training, validation = read_job_rows(attempt)
    labels = Labels.of((row["label"] for row in training), known_labels(attempt.inputs), TRAINING_PATH)

    attempt.stage(f"Loading {attempt.assignment.base_model.display_name}")
    classifier = load_text_classifier(attempt.inputs, plan, labels)
    tokenizer = classifier.processor

    attempt.stage("Preparing the data")
    fitting = fitting_arguments(plan, classifier.model, sink)
    max_length = min(fitting["max_length"], tokenizer.model_max_length)
    read = [
        LabelledTexts(rows, labels, tokenizer, max_length, path, sink)
        for rows, path in ((training, TRAINING_PATH), (validation, VALIDATION_PATH))
        if rows
    ]
    trainer = make_trainer(
        attempt,
        adapted(classifier, plan, text=True),
        read[0],
        read[1] if validation else None,
        TextCollator(tokenizer, fitting["pad_to_multiple_of"] and max_length),
        lambda batch: int(batch["attention_mask"].sum()),
    )
    attempt.train(trainer, tokenizer)


def _train_on_pictures(attempt: Attempt) -> None:
    require_pillow()
    assignment, inputs = attempt.assignment, attempt.inputs
    attempt.stage("Reading the rows")
    training = PictureRows(inputs.training_rows, assignment.training_dataset.format, TRAINING_PATH)
    validation = None
    if attempt.plan.evaluations and inputs.validation_rows is not None:
        validation = PictureRows(inputs.validation_rows, assignment.validation_dataset.format, VALIDATION_PATH)
    labels = Labels.of((row["label"] for row in training.others), known_labels(inputs), TRAINING_PATH)

    attempt.stage(f"Loading {assignment.base_model.display_name}")
    classifier = load_image_classifier(inputs, attempt.plan, labels)

    attempt.stage("Preparing the data")
    reader = PictureReader(classifier.processor)
    size = getattr(classifier.model.config, "patch_size", None)
    patch_size = size if isinstance(size, int) else None
    read = [
        LabelledPictures(rows, numbers(labels, rows.others, path), reader)
        for rows, path in ((training, TRAINING_PATH), (validation, VALIDATION_PATH))
        if rows is not None
    ]
    trainer = make_trainer(
        attempt,
        adapted(classifier, attempt.plan, text=False),
        read[0],
        read[1] if validation is not None else None,
        collate_pictures,
        lambda batch: patch_count(batch, patch_size),
    )
    attempt.train(trainer, classifier.processor)
