"""The clinic's side: people, sign-ins, entries, search, audit; what a screening's list line needs."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
OLD_INDEXES = ("name_index", "birth_date_index", "visit_index")


def upgrade() -> None:
    """Create the tables. A screening of the release before cannot be carried over: its outcome was never sealed."""
    if op.get_bind().scalar(sa.text("SELECT count(*) FROM screenings")):
        raise RuntimeError(
            "there are screenings of a development release; hand them over with that release, then begin with a new "
            "instance folder"
        )
    for column in OLD_INDEXES:
        op.drop_index(f"ix_screenings_{column}", "screenings")
    with op.batch_alter_table("screenings") as table:
        for column in OLD_INDEXES:
            table.drop_column(column)
        table.add_column(sa.Column("status", sa.String(16), nullable=False))
        table.add_column(sa.Column("entries", sa.Integer(), nullable=False))
        table.add_column(sa.Column("changed_at", MOMENT, nullable=False))
        table.add_column(sa.Column("sealed_state", sa.LargeBinary(), nullable=False))
    op.create_index("ix_screenings_changed_at", "screenings", ["changed_at"])
    op.create_table(
        "entries",
        sa.Column("screening_id", sa.String(32), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("made_at", MOMENT, nullable=False),
        sa.Column("sealed_entry", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("screening_id", "number", name="pk_entries"),
        sa.ForeignKeyConstraint(
            ["screening_id"], ["screenings.id"], name="fk_entries_screening_id_screenings", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_entries_made_at", "entries", ["made_at"])
    op.create_table(
        "search",
        sa.Column("token", sa.LargeBinary(), nullable=False),
        sa.Column("screening_id", sa.String(32), nullable=False),
        sa.PrimaryKeyConstraint("token", "screening_id", name="pk_search"),
        sa.ForeignKeyConstraint(
            ["screening_id"], ["screenings.id"], name="fk_search_screening_id_screenings", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_search_screening_id", "search", ["screening_id"])
    op.create_table(
        "audit",
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("actor", sa.String(64), nullable=False),
        sa.Column("action", sa.String(32), nullable=False),
        sa.Column("subject", sa.String(64), nullable=False),
        sa.Column("detail", sa.String(200), nullable=False),
        sa.Column("mac", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_audit"),
    )
    op.create_index("ix_audit_action", "audit", ["action"])
    op.create_table(
        "audit_head",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("sealed_head", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_audit_head"),
    )
    op.create_table(
        "people",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("sign_in_name", sa.String(64), nullable=False),
        sa.Column("full_name", sa.String(120), nullable=False),
        sa.Column("role_names", sa.String(64), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("password", sa.String(255), nullable=False),
        sa.Column("password_is_one_time", sa.Boolean(), nullable=False),
        sa.Column("fs_uniquifier", sa.String(64), nullable=False),
        sa.Column("totp_required", sa.Boolean(), nullable=False),
        sa.Column("tf_primary_method", sa.String(16), nullable=True),
        sa.Column("tf_totp_secret", sa.String(255), nullable=True),
        sa.Column("tf_last_counter", sa.Integer(), nullable=True),
        sa.Column("mf_recovery_codes", sa.JSON(), nullable=True),
        sa.Column("sealed_check", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_people"),
        sa.UniqueConstraint("sign_in_name", name="uq_people_sign_in_name"),
        sa.UniqueConstraint("fs_uniquifier", name="uq_people_fs_uniquifier"),
    )
    op.create_table(
        "sign_ins",
        sa.Column("token_hash", sa.String(64), nullable=False),
        sa.Column("person_id", sa.Integer(), nullable=False),
        sa.Column("begun_at", MOMENT, nullable=False),
        sa.Column("seen_at", MOMENT, nullable=False),
        sa.Column("address", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("token_hash", name="pk_sign_ins"),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name="fk_sign_ins_person_id_people"),
    )
    op.create_index("ix_sign_ins_person_id", "sign_ins", ["person_id"])
    op.create_table(
        "attempts",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_attempts"),
    )
    op.create_index("ix_attempts_key", "attempts", ["key"])
    op.create_index("ix_attempts_at", "attempts", ["at"])


def downgrade() -> None:
    """Only where nothing was sent: a review must not be lost. Else restore the backup made before the upgrade."""
    if op.get_bind().scalar(sa.text("SELECT count(*) FROM screenings")):
        raise RuntimeError("there are screenings; restore the backup that was made before the upgrade")
    for table in ("attempts", "sign_ins", "people", "audit_head", "audit", "search", "entries"):
        op.drop_table(table)
    op.drop_index("ix_screenings_changed_at", "screenings")
    with op.batch_alter_table("screenings") as batch:
        for column in ("status", "entries", "changed_at", "sealed_state"):
            batch.drop_column(column)
        for column in OLD_INDEXES:
            batch.add_column(sa.Column(column, sa.LargeBinary(), nullable=False))
    for column in OLD_INDEXES:
        op.create_index(f"ix_screenings_{column}", "screenings", [column])
