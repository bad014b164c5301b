"""Which edition of the rule book is in force, and who approved it."""

import sqlalchemy as sa
from alembic import op

revision = "0006_editions_in_force"
down_revision = "0005_copies"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Create their tables. `flask init` puts the first edition in force."""
    op.create_table(
        "approvals",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column(
            "edition_digest", sa.String(64), sa.ForeignKey("editions.digest"), nullable=False
        ),
        sa.Column("person", sa.String(64), nullable=False),
        sa.Column("full_name", sa.String(120), nullable=False),
        sa.Column("role", sa.String(120), nullable=False),
        sa.Column("given_at", MOMENT, nullable=False),
        sa.Column("given_on", sa.Date, nullable=False),
        sa.Column("review_by", sa.Date, nullable=False),
        sa.Column("needed", sa.Integer, nullable=False),
        sa.Column("withdrawn_at", MOMENT),
        sa.Column("withdrawn_by", sa.String(120), nullable=False),
        sa.Column("withdrawn_why", sa.Text, nullable=False),
        sa.Column("sealed_check", sa.LargeBinary, nullable=False),
    )
    op.create_index("ix_approvals_edition_digest", "approvals", ["edition_digest"])
    op.create_table(
        "in_force",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column(
            "edition_digest", sa.String(64), sa.ForeignKey("editions.digest"), nullable=False
        ),
        sa.Column("from_at", MOMENT, nullable=False),
        sa.Column("added_at", MOMENT, nullable=False),
        sa.Column("sealed_check", sa.LargeBinary, nullable=False),
    )


def downgrade() -> None:
    """Drop them."""
    op.drop_table("in_force")
    op.drop_index("ix_approvals_edition_digest", "approvals")
    op.drop_table("approvals")
