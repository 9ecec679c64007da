"""What other services know, without asking them."""

from collections.abc import Sequence

from google.protobuf.json_format import ParseDict
from tunesmith.job.v1.job_pb2 import Job
from tunesmith.job.v1.residual_pb2 import Residual
from tunesmith.pool.v1.pool_pb2 import Pool
from tunesmith.registry.v1.base_model_pb2 import BaseModel
from tunesmith.registry.v1.dataset_pb2 import Dataset
from tunesmith.registry.v1.dataset_statistics_pb2 import DatasetStatistics
from tunesmith.registry.v1.recipe_pb2 import Recipe

from services.preflight.sources import Missing, Sources
from tests.unit.services.preflight.known import GPU_POOL, dataset


def _recipe(name: str, kind: str, defaults: dict[str, object], formats: Sequence[str] = ("ALPACA", "MESSAGES")) -> Recipe:
    values = {
        "id": kind.lower(),
        "display_name": name,
        "type": f"RECIPE_TYPE_{kind}",
        "modality": "MODALITY_TEXT",
        "defaults": defaults,
        "dataset_formats": [f"DATASET_FORMAT_{one}" for one in formats],
        "required_fields": ["model.base_model", "datasets.training_file_id"],
        "quantized_base_allowed": kind != "FULL",
        "active": True,
    }
    return ParseDict(values, Recipe())


_LORA = {"rank": 16, "alpha": 32, "dropout": 0.05, "trainable_modules": "all-linear"}
RECIPES = [
    _recipe(
        "QLoRA",
        "QLORA",
        {
            "model": {"precision": "MODEL_PRECISION_INT4", "double_quantization": True},
            "method": {"type": "TRAINING_METHOD_QLORA", "lora_config": _LORA},
        },
    ),
    _recipe("LoRA", "LORA", {"method": {"type": "TRAINING_METHOD_LORA", "lora_config": _LORA}}),
    _recipe("Full", "FULL", {"method": {"type": "TRAINING_METHOD_FULL"}}),
    _recipe(
        "DPO",
        "DPO",
        {"method": {"type": "TRAINING_METHOD_LORA", "lora_config": _LORA, "objective": "TRAINING_OBJECTIVE_DPO"}},
        ["PREFERENCE"],
    ),
]


class KnownSources(Sources):
    """Sources that know one model and one dataset, whatever they are asked for by."""

    def __init__(
        self,
        model: BaseModel | None,
        rows: Dataset | None = None,
        *,
        statistics: DatasetStatistics | None = None,
        pools: Sequence[Pool] = (GPU_POOL,),
        recipes: Sequence[Recipe] = tuple(RECIPES),
    ) -> None:
        self._model = model
        self._rows = rows if rows is not None else dataset()
        self._counted = statistics
        self._the_pools = pools
        self._the_recipes = recipes

    async def base_model(self, name: str) -> BaseModel:
        if self._model is None:
            raise Missing(f"there is no base model {name}")
        return self._model

    async def dataset(self, dataset_id: str) -> Dataset:
        return self._rows

    async def recipe(self, name: str) -> Recipe:
        return next(recipe for recipe in self._the_recipes if name in (recipe.id, recipe.display_name))

    async def recipes(self) -> list[Recipe]:
        return list(self._the_recipes)

    async def pools(self) -> list[Pool]:
        return list(self._the_pools)

    async def jobs(self) -> list[Job]:
        return []

    async def residuals(self) -> list[Residual]:
        return []

    async def statistics(self, dataset_id: str, base_model_id: str) -> DatasetStatistics | None:
        return self._counted
