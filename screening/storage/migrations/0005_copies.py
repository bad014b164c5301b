"""Patients' copies of their answers, printed once."""

import sqlalchemy as sa
from alembic import op

revision = "0005_copies"
down_revision = "0004_clocks_and_checks"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create their table."""
    op.create_table(
        "copies",
        sa.Column(
            "screening_id",
            sa.String(32),
            sa.ForeignKey("screenings.id", ondelete="CASCADE"),
            primary_key=True,
        ),
        sa.Column("language", sa.String(16), primary_key=True),
        sa.Column("sealed_digest", sa.LargeBinary, nullable=False),
        sa.Column("sealed_pdf", sa.LargeBinary, nullable=False),
    )


def downgrade() -> None:
    """Drop it: a copy is printed again when it is asked for."""
    op.drop_table("copies")
