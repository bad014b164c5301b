"""The first tables. Constraint names come from the naming convention of `tables.Base`."""

import sqlalchemy as sa
from alembic import op

revision = "0001_first_tables"
down_revision = None
branch_labels = ("default",)
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "key_checks",
        sa.Column("key_id", sa.String(16), primary_key=True),
        sa.Column("sealed_check", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "editions",
        sa.Column("digest", sa.String(64), primary_key=True),
        sa.Column("content", sa.Text, nullable=False),
        sa.Column("first_used_at", MOMENT, nullable=False),
    )
    op.create_table(
        "drafts",
        sa.Column("token_hash", sa.String(64), primary_key=True),
        sa.Column("expires_at", MOMENT, nullable=False, index=True),
        sa.Column("sealed_draft", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "screenings",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("reference", sa.String(9), nullable=False, unique=True),
        sa.Column("draft_hash", sa.String(64), nullable=False, unique=True),
        sa.Column("submitted_at", MOMENT, nullable=False, index=True),
        sa.Column("language", sa.String(16), nullable=False),
        sa.Column(
            "edition_digest", sa.String(64), sa.ForeignKey("editions.digest"), nullable=False
        ),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("entries", sa.Integer, nullable=False),
        sa.Column("changed_at", MOMENT, nullable=False, index=True),
        sa.Column("sealed_patient", sa.LargeBinary, nullable=False),
        sa.Column("sealed_answers", sa.LargeBinary, nullable=False),
        sa.Column("sealed_state", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "entries",
        sa.Column(
            "screening_id",
            sa.String(32),
            sa.ForeignKey("screenings.id", ondelete="CASCADE"),
            primary_key=True,
        ),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("made_at", MOMENT, nullable=False, index=True),
        sa.Column("sealed_entry", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "search",
        sa.Column("token", sa.LargeBinary, primary_key=True),
        sa.Column(
            "screening_id",
            sa.String(32),
            sa.ForeignKey("screenings.id", ondelete="CASCADE"),
            primary_key=True,
            index=True,
        ),
    )
    op.create_table(
        "audit",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("actor", sa.String(64), nullable=False),
        sa.Column("action", sa.String(32), nullable=False, index=True),
        sa.Column("subject", sa.String(64), nullable=False),
        sa.Column("detail", sa.String(200), nullable=False),
        sa.Column("mac", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "audit_head",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("sealed_head", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "people",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("sign_in_name", sa.String(64), nullable=False, unique=True),
        sa.Column("full_name", sa.String(120), nullable=False),
        sa.Column("role_names", sa.String(64), nullable=False),
        sa.Column("active", sa.Boolean, nullable=False),
        sa.Column("password", sa.String(255), nullable=False),
        sa.Column("password_is_one_time", sa.Boolean, nullable=False),
        sa.Column("fs_uniquifier", sa.String(64), nullable=False, unique=True),
        sa.Column("totp_required", sa.Boolean, nullable=False),
        sa.Column("tf_primary_method", sa.String(16)),
        sa.Column("tf_totp_secret", sa.String(255)),
        sa.Column("tf_last_counter", sa.Integer),
        sa.Column("mf_recovery_codes", sa.JSON),
        sa.Column("sealed_check", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "sign_ins",
        sa.Column("token_hash", sa.String(64), primary_key=True),
        sa.Column("person_id", sa.Integer, sa.ForeignKey("people.id"), nullable=False, index=True),
        sa.Column("begun_at", MOMENT, nullable=False),
        sa.Column("seen_at", MOMENT, nullable=False),
        sa.Column("address", sa.String(64), nullable=False),
    )
    op.create_table(
        "attempts",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("key", sa.LargeBinary, nullable=False, index=True),
        sa.Column("at", MOMENT, nullable=False, index=True),
    )


def downgrade() -> None:
    """Drop the tables."""
    for table in (
        "attempts",
        "sign_ins",
        "people",
        "audit_head",
        "audit",
        "search",
        "entries",
        "screenings",
        "drafts",
        "editions",
        "key_checks",
    ):
        op.drop_table(table)
