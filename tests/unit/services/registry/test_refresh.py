"""A home of an earlier version goes on: what is new about its models is found from their files."""

from pathlib import Path

from sqlalchemy import create_engine, text
from tunesmith.registry.v1 import base_model_pb2

from services.chassis.database import Database
from services.chassis.ids import new_id
from services.chassis.migrations import migrate
from services.registry.service import build
from tests.fakes.inquiries import with_profile
from tests.fakes.server import running
from tests.unit.services.registry.conftest import House, RegistryServiceStub
from tests.unit.services.registry.models import LLAMA_PARAMETERS, TEMPLATE, write_model

README = "---\nlicense: apache-2.0\n---\n# Tiny\n"


def store_as_before(house: House, model: base_model_pb2.BaseModel) -> None:
    """A row as the first version wrote it."""
    engine = create_engine(house.settings.database())
    columns = "id, project, owner, display_name, hub_repo, job_id, artifact_set_id, definition, create_time_ms"
    values = {"id": model.id, "name": model.display_name, "repo": model.hub_repo or None, "definition": model.SerializeToString()}
    with engine.begin() as connection:
        given = ":id, 'default', 'local', :name, :repo, NULL, NULL, :definition, 7000"
        connection.execute(text(f"INSERT INTO registry_base_models ({columns}) VALUES ({given})"), values)
    engine.dispose()


async def test_models_of_the_first_version_get_what_is_new(house: House, home: Path) -> None:
    house.settings = house.settings.model_copy(update={"home": home / "old"})
    house.settings.home.mkdir()
    database = Database(house.settings.database())
    migrate(database.engine, "registry", "0001")
    imported = base_model_pb2.BaseModel(
        id=new_id(), project="default", owner="local", display_name="Tiny", hub_repo="me/tiny", family="llama", trainable=True,
        parameter_count=LLAMA_PARAMETERS, cache_status=base_model_pb2.CACHE_STATUS_CACHED, size_bytes=1, chat_template=TEMPLATE,
        stage=base_model_pb2.STAGE_INSTRUCT, files=[base_model_pb2.BaseModelFile(path="config.json", size_bytes=1, sha256="0")],
    )  # fmt: skip
    imported.create_time.FromMilliseconds(7000)
    folder = write_model(house.settings.home / "models" / imported.id)
    (folder / "README.md").write_text(README)
    gone = base_model_pb2.BaseModel()
    gone.CopyFrom(imported)
    gone.id, gone.hub_repo, gone.display_name = new_id(), "", "Gone"
    named = base_model_pb2.BaseModel(id=new_id(), display_name="hub", hub_repo="me/hub", trainable=True)
    for model in (imported, gone, named):
        store_as_before(house, model)
    database.close()

    house.inquiries.answer = with_profile(LLAMA_PARAMETERS)
    async with running(await build(house.settings), f"unix:{home}/second") as channel:
        second = House(RegistryServiceStub(channel), house.jobs, house.inquiries, house.settings, house.imports)
        model = await second.profiled(imported.id)
        assert model.profile_status == base_model_pb2.PROFILE_STATUS_READY
        assert (model.license, model.lifecycle, model.has_chat_template) == ("apache-2.0", base_model_pb2.LIFECYCLE_STAGING, True)
        assert (model.download_bytes, model.architecture.tied_embeddings) == (0, False)
        assert model.configuration_json == (folder / "config.json").read_text()
        assert (model.stage, model.files, model.size_bytes) == (imported.stage, imported.files, imported.size_bytes)
        assert model.create_time == imported.create_time
        assert await second.listed(family="llama", stage=base_model_pb2.STAGE_INSTRUCT, search="tiny") == ["me/tiny"]
        # One whose files are gone, and one that never had any, keep what was known.
        assert (await second.get(gone.id)).parameter_count == LLAMA_PARAMETERS
        assert (await second.get("me/hub")).lifecycle == base_model_pb2.LIFECYCLE_STAGING
        assert len(await second.listed(lifecycle=base_model_pb2.LIFECYCLE_STAGING)) == 3


def test_the_newest_tables_can_be_taken_back_and_forth(tmp_path: Path) -> None:
    from alembic import command
    from alembic.config import Config

    from services.chassis.migrations import SERVICES

    database = Database(f"sqlite:///{tmp_path}/db")
    migrate(database.engine, "registry", "0002")
    config = Config()
    config.set_main_option("script_location", str(SERVICES / "registry" / "migrations"))
    with database.engine.begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "0001")
    migrate(database.engine, "registry")
    database.close()
