"""What prescribers decided about two screenings: of the same person, or not."""

import sqlalchemy as sa
from alembic import op

revision = "0007_same_person"
down_revision = "0006_editions_in_force"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create their table. `flask init` indexes anew by what screenings are linked."""
    op.create_table(
        "same_person",
        sa.Column("id", sa.String(19), primary_key=True),
        *(
            sa.Column(
                name,
                sa.String(32),
                sa.ForeignKey("screenings.id", ondelete="CASCADE"),
                nullable=False,
            )
            for name in ("first_id", "second_id")
        ),
        sa.Column("is_same", sa.Boolean, nullable=False),
        sa.Column("decided_by", sa.String(120), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sealed_check", sa.LargeBinary, nullable=False),
    )
    op.create_index("ix_same_person_first_id", "same_person", ["first_id"])
    op.create_index("ix_same_person_second_id", "same_person", ["second_id"])


def downgrade() -> None:
    """Drop it."""
    op.drop_table("same_person")
