"""Printed summaries, and the outbox that they come from."""

import sqlalchemy as sa
from alembic import op

revision = "0002_summaries_and_outbox"
down_revision = "0001_first_tables"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Create both tables, with a job to print the summary of each stored screening."""
    op.create_table(
        "summaries",
        sa.Column(
            "screening_id",
            sa.String(32),
            sa.ForeignKey("screenings.id", ondelete="CASCADE"),
            primary_key=True,
        ),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("made_at", MOMENT, nullable=False),
        sa.Column("code", sa.LargeBinary, nullable=False, index=True),
        sa.Column("file", sa.LargeBinary, nullable=False, index=True),
        sa.Column("sealed_digest", sa.LargeBinary, nullable=False),
        sa.Column("sealed_pdf", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "outbox",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column(
            "screening_id",
            sa.String(32),
            sa.ForeignKey("screenings.id", ondelete="CASCADE"),
            nullable=False,
            index=True,
        ),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("due_at", MOMENT, nullable=False, index=True),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("lease", sa.String(32), nullable=False),
        sa.Column("failed", sa.Boolean, nullable=False),
        sa.Column("fault", sa.String(255), nullable=False),
        sa.UniqueConstraint("kind", "screening_id", "number"),
    )
    op.execute(
        "INSERT INTO outbox (kind, screening_id, number, due_at, attempts, lease, failed, fault) "
        "SELECT 'summary', id, entries, changed_at, 0, '', false, '' FROM screenings"
    )


def downgrade() -> None:
    """Drop them."""
    op.drop_table("outbox")
    op.drop_table("summaries")
