"""What base models are filtered by, their removal from the list, and how fast downloads went."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_NEW = (
    sa.Column("family", sa.String(length=64), nullable=True),
    sa.Column("stage", sa.String(length=32), nullable=True),
    sa.Column("lifecycle", sa.String(length=32), nullable=True),
    sa.Column("modality", sa.String(length=32), nullable=True),
    sa.Column("trainable", sa.Boolean(), nullable=True),
    sa.Column("search_text", sa.String(length=512), nullable=True),
    sa.Column("delete_time_ms", sa.BigInteger(), nullable=True),
    # 0: stored by a version that knew none of these; the next start fills them in.
    sa.Column("definition_version", sa.Integer(), nullable=False, server_default="0"),
)


def upgrade() -> None:
    for column in _NEW:
        op.add_column("registry_base_models", column)
    op.create_index("registry_base_models_by_family", "registry_base_models", ["project", "family", "id"], unique=False)
    op.create_table(
        "registry_downloads",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("base_model_id", sa.String(length=36), nullable=False),
        sa.Column("byte_count", sa.BigInteger(), nullable=False),
        sa.Column("seconds", sa.Float(), nullable=False),
        sa.Column("end_time_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )


def downgrade() -> None:
    op.drop_table("registry_downloads")
    op.drop_index("registry_base_models_by_family", table_name="registry_base_models")
    for column in _NEW:
        op.drop_column("registry_base_models", column.name)
