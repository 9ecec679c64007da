"""tunesmith.registry.v1.RegistryService: its calls, one noun a file."""

from tunesmith.registry.v1 import registry_service_pb2_grpc

from services.chassis.database import Database
from services.registry.base_models import BaseModels
from services.registry.ingest.intake import Limits
from services.registry.rpc.base_models import BaseModelCalls
from services.registry.rpc.datasets import DatasetCalls
from services.registry.shelf import Shelf


class RegistryServicer(BaseModelCalls, DatasetCalls, registry_service_pb2_grpc.RegistryServiceServicer):
    """Base models and datasets."""

    def __init__(self, database: Database, base_models: BaseModels, dataset_shelf: Shelf, limits: Limits) -> None:
        BaseModelCalls.__init__(self, database, base_models)
        DatasetCalls.__init__(self, database, dataset_shelf, base_models.shelf, limits)
