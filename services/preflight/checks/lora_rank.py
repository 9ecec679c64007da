"""The shape of a low-rank adapter: narrower than the model, and scaled as is usual."""

from collections.abc import Iterator

from tunesmith.preflight.v1.finding_pb2 import Finding

from services.chassis.knobs import set_paths
from services.preflight import form, methods
from services.preflight.checks.recommended_ranges import recommended
from services.preflight.facts import Facts
from services.preflight.findings import error, fix, note, put

RANK, ALPHA = "method.lora_config.rank", "method.lora_config.alpha"
# Alpha is usually so many times the rank.
USUAL_RATIO = 2
# A rank that is as wide as the model is no low rank; a quarter of it still is.
SENSIBLE_SHARE = 4


def check(facts: Facts) -> Iterator[Finding]:
    """LORA_RANK_TOO_LARGE, LORA_ALPHA_UNUSUAL."""
    if facts.configuration.method.type not in methods.LOW_RANK:
        return
    lora = facts.configuration.method.lora_config
    hidden = facts.base_model.architecture.hidden_size if facts.base_model is not None else 0
    rank = lora.rank
    if 0 < hidden <= rank:
        rank = max(1, min(hidden // SENSIBLE_SHARE, int(recommended(form.knobs()[RANK], hidden))))
        asked = form.value_at(facts.submitted, RANK) or lora.rank
        text = f"method.lora_config.rank is {asked}, and the model's hidden size is {hidden}: an adapter has to be narrower"
        yield error("LORA_RANK_TOO_LARGE", RANK, text, fix(f"Set rank to {rank}", put(RANK, rank)))
    elif RANK in set(set_paths(facts.submitted)):
        # What another check proposes for it; otherwise the two would go on correcting each other.
        rank = int(recommended(form.knobs()[RANK], rank))
    usual = USUAL_RATIO * rank
    if lora.alpha != usual:
        text = (
            f"method.lora_config.alpha is {lora.alpha} with rank {lora.rank}: the adapter is scaled by "
            f"{lora.alpha / lora.rank:g}, where {USUAL_RATIO} is usual"
        )
        yield note("LORA_ALPHA_UNUSUAL", ALPHA, text, fix(f"Set alpha to {usual}", put(ALPHA, usual)))
