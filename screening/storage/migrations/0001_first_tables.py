"""The first tables: drafts, screenings, the editions they were made under, and the key check."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = ("default",)
depends_on = None


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "key_checks",
        sa.Column("key_id", sa.String(16), nullable=False),
        sa.Column("sealed_check", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("key_id", name="pk_key_checks"),
    )
    op.create_table(
        "editions",
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("first_used_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_editions"),
    )
    op.create_table(
        "drafts",
        sa.Column("token_hash", sa.String(64), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sealed_draft", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("token_hash", name="pk_drafts"),
    )
    op.create_index("ix_drafts_expires_at", "drafts", ["expires_at"])
    op.create_table(
        "screenings",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("reference", sa.String(9), nullable=False),
        sa.Column("draft_hash", sa.String(64), nullable=False),
        sa.Column("submitted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("language", sa.String(16), nullable=False),
        sa.Column("edition_digest", sa.String(64), nullable=False),
        sa.Column("sealed_patient", sa.LargeBinary(), nullable=False),
        sa.Column("sealed_answers", sa.LargeBinary(), nullable=False),
        sa.Column("name_index", sa.LargeBinary(), nullable=False),
        sa.Column("birth_date_index", sa.LargeBinary(), nullable=False),
        sa.Column("visit_index", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_screenings"),
        sa.ForeignKeyConstraint(["edition_digest"], ["editions.digest"], name="fk_screenings_edition_digest_editions"),
        sa.UniqueConstraint("reference", name="uq_screenings_reference"),
        sa.UniqueConstraint("draft_hash", name="uq_screenings_draft_hash"),
    )
    for column in ("submitted_at", "name_index", "birth_date_index", "visit_index"):
        op.create_index(f"ix_screenings_{column}", "screenings", [column])


def downgrade() -> None:
    """Drop the tables."""
    for table in ("screenings", "drafts", "editions", "key_checks"):
        op.drop_table(table)
