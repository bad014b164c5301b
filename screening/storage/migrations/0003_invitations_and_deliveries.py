"""Invitations, tablets, and jobs in the outbox that deliver to a channel."""

import sqlalchemy as sa
from alembic import op

revision = "0003_invitations_and_deliveries"
down_revision = "0002_summaries_and_outbox"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Create both tables, and let a job name a channel."""
    op.create_table(
        "invitations",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("token_hash", sa.String(64), nullable=False, unique=True),
        sa.Column("created_at", MOMENT, nullable=False, index=True),
        sa.Column("created_by", sa.String(64), nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.Column("tries", sa.Integer, nullable=False),
        sa.Column("opened_at", MOMENT),
        sa.Column("draft_hash", sa.String(64), unique=True),
        sa.Column("revoked_at", MOMENT),
        sa.Column("reminded_at", MOMENT),
        sa.Column("sealed_invitation", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "tablets",
        sa.Column("token_hash", sa.String(64), primary_key=True),
        sa.Column("begun_by", sa.String(64), nullable=False),
        sa.Column("ends_at", MOMENT, nullable=False),
        sa.Column("pin", sa.String(255), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("tries", sa.Integer, nullable=False),
        sa.Column("sent", sa.Boolean),
    )
    with op.batch_alter_table("outbox") as outbox:
        outbox.alter_column(
            "kind", type_=sa.String(64), existing_type=sa.String(16), existing_nullable=False
        )
        outbox.add_column(sa.Column("added_at", MOMENT))


def downgrade() -> None:
    """Drop them, with the jobs that older releases do not know."""
    op.execute("DELETE FROM outbox WHERE kind <> 'summary'")
    with op.batch_alter_table("outbox") as outbox:
        outbox.alter_column(
            "kind", type_=sa.String(16), existing_type=sa.String(64), existing_nullable=False
        )
        outbox.drop_column("added_at")
    op.drop_table("tablets")
    op.drop_table("invitations")
