"""What invitations are found by that have their appointment on a day."""

import sqlalchemy as sa
from alembic import op

revision = "0008_appointment_days"
down_revision = "0007_same_person"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add it. `flask init` fills it in, as a migration has no keys."""
    op.add_column("invitations", sa.Column("appointment_day", sa.LargeBinary))
    op.create_index("ix_invitations_appointment_day", "invitations", ["appointment_day"])


def downgrade() -> None:
    """Take it away."""
    op.drop_index("ix_invitations_appointment_day", "invitations")
    op.drop_column("invitations", "appointment_day")
