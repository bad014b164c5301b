"""An index of the screenings that are announced, from which the inbox counts them."""

from alembic import op

revision = "0012_announced"
down_revision = "0011_unseen_changes"
branch_labels = None
depends_on = None

BEFORE = "ix_screenings_announced_at"
NOW = "ix_screenings_announced"


def upgrade() -> None:
    """Put it in place of the index by time alone."""
    op.drop_index(BEFORE, "screenings")
    op.create_index(NOW, "screenings", ["announced_at", "changed_at", "acknowledged_at", "status"])


def downgrade() -> None:
    """Put the index by time alone back."""
    op.drop_index(NOW, "screenings")
    op.create_index(BEFORE, "screenings", ["announced_at"])
