"""Seals of jobs, and an index of the audit log by what an event is about."""

import sqlalchemy as sa
from alembic import op

revision = "0011_unseen_changes"
down_revision = "0009_acknowledged"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add them. `flask init` seals the jobs, as a migration has no keys."""
    empty = sa.text("x''" if op.get_bind().dialect.name == "sqlite" else "''")
    op.add_column(
        "outbox", sa.Column("sealed_check", sa.LargeBinary, nullable=False, server_default=empty)
    )
    with op.batch_alter_table("outbox") as changed:
        changed.alter_column("sealed_check", existing_type=sa.LargeBinary, server_default=None)
    op.create_index("ix_audit_subject", "audit", ["subject"])


def downgrade() -> None:
    """Take them away."""
    op.drop_index("ix_audit_subject", "audit")
    op.drop_column("outbox", "sealed_check")
