"""Seals of jobs, sealed names, and an index of the audit log by what an event is about."""

from collections.abc import Callable, Sequence

import sqlalchemy as sa
from alembic import op

from screening.storage import audit, outbox

revision = "0011_unseen_changes"
down_revision = "0010_credentials"
branch_labels = None
depends_on = None

Column = sa.ColumnClause[str]
OUTBOX = sa.table("outbox", sa.column("id"), sa.column("kind"))
AUDIT = sa.table("audit", *map(sa.column, ("number", "action", "subject", "detail")))
# what told the outcome of a screening
TOLD = {"delivered": AUDIT.c.detail, "overlooked told": AUDIT.c.subject}


def upgrade() -> None:
    """Add them; seal the kinds of jobs and what told an outcome. `flask init` seals the jobs."""
    empty = sa.text("x''" if op.get_bind().dialect.name == "sqlite" else "''")
    op.add_column(
        "outbox", sa.Column("sealed_check", sa.LargeBinary, nullable=False, server_default=empty)
    )
    with op.batch_alter_table("outbox") as changed:
        changed.alter_column("sealed_check", existing_type=sa.LargeBinary, server_default=None)
        changed.alter_column("kind", existing_type=sa.String(64), type_=sa.String(128))
    with op.batch_alter_table("audit") as changed:
        changed.alter_column("subject", existing_type=sa.String(64), type_=sa.String(128))
    op.create_index("ix_audit_subject", "audit", ["subject"])
    keys = op.get_context().opts["keys"]
    _replace_kinds(lambda kind: outbox.sealed_kind(keys(), kind))
    for action, column in TOLD.items():
        for number, text in _events(action, column):
            _replace(number, column, audit.sealed(keys(), number, text))


def downgrade() -> None:
    """Take them away; open what was sealed, as the release before reads it."""
    keys = op.get_context().opts["keys"]
    _replace_kinds(lambda kind: outbox.kind_of(keys(), kind))
    for action, column in {**TOLD, "delivery done": AUDIT.c.detail}.items():
        for number, text in _events(action, column):
            _replace(number, column, audit.unsealed(keys(), number, text))
    op.drop_index("ix_audit_subject", "audit")
    op.drop_column("outbox", "sealed_check")
    with op.batch_alter_table("outbox") as changed:
        changed.alter_column("kind", existing_type=sa.String(128), type_=sa.String(64))
    with op.batch_alter_table("audit") as changed:
        changed.alter_column("subject", existing_type=sa.String(128), type_=sa.String(64))


def _replace_kinds(new: Callable[[str], str]) -> None:
    for kind in op.get_bind().execute(sa.select(OUTBOX.c.kind).distinct()).scalars().all():
        op.execute(OUTBOX.update().where(OUTBOX.c.kind == kind).values(kind=new(kind)))


def _events(action: str, column: Column) -> Sequence[sa.Row[int, str]]:
    query = sa.select(AUDIT.c.number, column).where(AUDIT.c.action == action)
    return op.get_bind().execute(query).all()


def _replace(number: int, column: Column, text: str) -> None:
    op.execute(AUDIT.update().where(AUDIT.c.number == number).values({column.name: text}))
