"""The trainer, its arguments, and what is done with it."""

from typing import Any

from tunesmith.registry.v1 import base_model_pb2

from workers.providers.local.plan import TrainingPlan
from workers.providers.local.script import model, trainers
from workers.providers.local.script.code import Code, call, lines

# What the job does itself instead, or what a person who looks on wants otherwise.
_OTHERWISE = ("save_strategy", "report_to", "disable_tqdm")
# Constants at the top of the script, by the argument that takes them.
_CONSTANTS = {"seed": Code("SEED")}
# Where the longest row ends; a batch that is padded to it all is padded to the same.
_LENGTHS = ("max_length", "pad_to_multiple_of")
_WITHIN_DOCUMENTS = '    model.set_attn_implementation("within_documents")'
_NO_REFERENCE = Code("NoReference(model.config)")


def configuration(plan: TrainingPlan, reporting: dict[str, Any], *, pairs: bool) -> str:
    """Statements that leave `config`."""
    given: dict[str, Any] = {"output_dir": Code("arguments.output"), "use_cpu": Code("not torch.cuda.is_available()")}
    if pairs:
        # Of the model's own dropout, which would make the likelihoods that are compared random.
        given["disable_dropout"] = True
    given |= {name: _argument(name, value) for name, value in plan.trainer.items() if value is not None}
    given = {name: value for name, value in given.items() if name not in _OTHERWISE}
    given |= _saving(plan.checkpoints) | _evaluating(plan.evaluations) | reporting
    return call("DPOConfig" if pairs else "SFTConfig", given, 1, "config = ")


def trainer(plan: TrainingPlan, base_model: base_model_pb2.BaseModel, class_name: str, *, pairs: bool) -> str:
    """Statements that leave `trainer`."""
    given: dict[str, Any] = {"model": Code("model")}
    reference_free = bool(plan.objective.get("reference_free"))
    frozen = pairs and plan.adapter is None and not reference_free
    if frozen or (pairs and reference_free):
        given["ref_model"] = Code("reference") if frozen else _NO_REFERENCE
    given |= {"args": Code("config"), "train_dataset": Code("read_rows(arguments.training_file)")}
    if plan.evaluations:
        given["eval_dataset"] = Code("read_rows(arguments.validation_file)")
    given["processing_class"] = Code("tokenizer")
    if plan.adapter is not None:
        given["peft_config"] = Code("adapter" if plan.adapter.get("prompt_tuning_init") == "TEXT" else "ADAPTER")
    return lines(
        model.from_pretrained("reference", plan, base_model) if frozen else None,
        _WITHIN_DOCUMENTS if trainers.packs(plan) and "attn_implementation" not in plan.weights else None,
        call(class_name, given, 1, "trainer = "),
        # trl gives the first one the forward pass of a language model.
        f"    trainer.ref_model = {_NO_REFERENCE}" if pairs and reference_free else None,
    )


def training(plan: TrainingPlan) -> str:
    """Statements that train and store the result."""
    evaluate = "    trainer.evaluate()" if plan.evaluations == 1 else None
    to_dtype = None
    if plan.adapter is None and plan.weights["dtype"] != plan.saved_dtype:
        to_dtype = f"    trainer.model.to(torch.{plan.saved_dtype})"
    return lines(
        "    trainer.train()",
        evaluate,
        to_dtype,
        "    trainer.save_model()",
        "    # trainer_state.json has every step's figures.",
        "    trainer.save_state()",
    )


def differences(plan: TrainingPlan) -> list[str]:
    """What it does otherwise around the steps."""
    found = []
    if plan.checkpoints > 1:
        found.append(
            f"Checkpoints are transformers' own, with pickled optimiser states, one every {_share(plan.checkpoints)} of the run "
            "rounded up to whole steps."
        )
    if plan.evaluations > 1:
        found.append(
            f"Evaluations come every {_share(plan.evaluations)} of the run rounded up to whole steps; where that doesn't come "
            "out even, at other steps than the job's."
        )
    if plan.patience is not None or plan.keeps_best:
        found.append("It runs to the end and keeps what stands there; the job stops early, or keeps what was best.")
    if plan.trainer["lr_scheduler_type"] == "polynomial" and plan.trainer["warmup_steps"]:
        found.append("A warm-up over the whole run, which the job shortens by a step, ends the script: lower warmup_steps.")
    if plan.trainer.get("use_liger_kernel"):
        found.append("It wants liger-kernel and a GPU; where these are not, take use_liger_kernel out, as the job did.")
    return found


def _argument(name: str, value: Any) -> Any:
    if name in _LENGTHS:
        return Code("longest(model)")
    return _CONSTANTS.get(name, value)


def _saving(checkpoints: int) -> dict[str, Any]:
    if checkpoints < 2:
        # The last one stands at the end of the run: it is the result.
        return {"save_strategy": "no"}
    return {"save_strategy": "steps", "save_steps": Code(f"1 / {checkpoints}")}


def _evaluating(evaluations: int) -> dict[str, Any]:
    # One alone is at the end, after the training.
    return {"eval_strategy": "steps", "eval_steps": Code(f"1 / {evaluations}")} if evaluations > 1 else {}


def _share(count: int) -> str:
    return f"1/{count}"
