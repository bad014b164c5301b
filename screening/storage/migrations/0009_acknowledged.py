"""When somebody acknowledged that a screening without a decision may be deleted."""

import sqlalchemy as sa
from alembic import op

revision = "0009_acknowledged"
down_revision = "0008_appointment_days"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add it: nothing that was announced has been acknowledged yet."""
    op.add_column("screenings", sa.Column("acknowledged_at", sa.DateTime(timezone=True)))


def downgrade() -> None:
    """Take it away."""
    op.drop_column("screenings", "acknowledged_at")
