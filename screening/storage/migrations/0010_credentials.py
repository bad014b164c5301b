"""Ends of one-time passwords, former passwords, known browsers and passkeys."""

import sqlalchemy as sa
from alembic import op

revision = "0010_credentials"
down_revision = "0009_acknowledged"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create their tables. The rows of people stay as they are, and so do their seals."""
    op.create_table(
        "credentials",
        sa.Column("person_id", sa.Integer, sa.ForeignKey("people.id"), primary_key=True),
        sa.Column("one_time_until", sa.DateTime(timezone=True)),
        sa.Column("former_passwords", sa.JSON, nullable=False),
        sa.Column("browser_key", sa.String(32), nullable=False),
        sa.Column("sealed_check", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "passkeys",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("user_id", sa.Integer, sa.ForeignKey("people.id"), nullable=False, index=True),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("credential_id", sa.LargeBinary, nullable=False, unique=True),
        sa.Column("public_key", sa.LargeBinary, nullable=False),
        sa.Column("sign_count", sa.Integer, nullable=False),
        sa.Column("transports", sa.JSON),
        sa.Column("extensions", sa.Text),
        sa.Column("usage", sa.String(16), nullable=False),
        sa.Column("backup_state", sa.Boolean, nullable=False),
        sa.Column("device_type", sa.String(16), nullable=False),
        sa.Column("lastuse_datetime", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sealed_check", sa.LargeBinary, nullable=False),
    )


def downgrade() -> None:
    """Delete them. Passkeys are lost; passwords go on."""
    op.drop_table("passkeys")
    op.drop_table("credentials")
