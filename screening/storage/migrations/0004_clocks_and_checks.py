"""Times of the machines' clocks, announcements before deletion, and seals of unsealed rows."""

import sqlalchemy as sa
from alembic import op

revision = "0004_clocks_and_checks"
down_revision = "0003_invitations_and_deliveries"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
CHECKED = ("invitations", "tablets", "sign_ins")


def upgrade() -> None:
    """Add the columns and the table.

    A migration has no keys: all people sign in again, and `flask init` seals the invitations.
    """
    op.create_table(
        "clocks",
        sa.Column("host", sa.String(64), primary_key=True),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("uptime", sa.Double, nullable=False),
        sa.Column("sealed_check", sa.LargeBinary, nullable=False),
    )
    op.add_column("screenings", sa.Column("announced_at", MOMENT))
    op.create_index("ix_screenings_announced_at", "screenings", ["announced_at"])
    empty = sa.text("x''" if op.get_bind().dialect.name == "sqlite" else "''")
    op.execute("DELETE FROM tablets")
    op.execute("DELETE FROM sign_ins")
    for table in CHECKED:
        op.add_column(
            table, sa.Column("sealed_check", sa.LargeBinary, nullable=False, server_default=empty)
        )
        with op.batch_alter_table(table) as changed:
            changed.alter_column("sealed_check", existing_type=sa.LargeBinary, server_default=None)


def downgrade() -> None:
    """Take them away."""
    for table in CHECKED:
        op.drop_column(table, "sealed_check")
    op.drop_index("ix_screenings_announced_at", "screenings")
    op.drop_column("screenings", "announced_at")
    op.drop_table("clocks")
