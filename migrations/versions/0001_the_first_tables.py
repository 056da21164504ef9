"""The first tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
OWN = "school_id = nullif(current_setting('app.school_id', true), '')::uuid"
# Tables whose rows belong to one school: row-level security, failing closed.
SECURED = [
    "academic_year",
    "api_token",
    "audit_event",
    "blob",
    "change_set",
    "column_memory",
    "custom_field",
    "file",
    "gender",
    "guardian",
    "idempotency_key",
    "invitation",
    "search_entry",
    "search_word",
    "storage_task",
    "blob_location",
    "file_version",
    "roster_import",
    "school_class",
    "student",
    "enrollment",
    "roster_record",
    "roster_row",
    "student_guardian",
    "folder",
    "blob_derivative",
    "share",
    "retention_rule",
    "legal_hold",
    "storage_usage",
    "usage_day",
    "upload",
    "upload_part",
]
# The planner knows nothing of tables filled within one transaction, and only a table's owner may
# count it: when one has doubled since. Somebody else counting already is as good.
COUNT_ROSTER = """
CREATE OR REPLACE FUNCTION count_roster() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT
AS $$
BEGIN
    IF EXISTS (
        SELECT FROM pg_class
        WHERE oid IN ('student'::regclass, 'guardian'::regclass)
        AND pg_relation_size(oid) > 2 * relpages * current_setting('block_size')::bigint
    ) THEN
        ANALYZE (SKIP_LOCKED) student, guardian, student_guardian, enrollment, school_class,
            roster_record;
    END IF;
END
$$
"""


def upgrade() -> None:
    op.create_table(
        "login_attempt",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("name_hash", sa.String(length=64), nullable=False),
        sa.Column("address", sa.String(length=64), nullable=False),
        sa.Column("succeeded", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_login_attempt")),
    )
    op.create_index("ix_login_attempt_address", "login_attempt", ["address", "at"], unique=False)
    op.create_index("ix_login_attempt_name", "login_attempt", ["name_hash", "at"], unique=False)
    op.create_table(
        "platform_event",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("action", sa.String(length=60), nullable=False),
        sa.Column("entity", sa.String(length=40), nullable=False),
        sa.Column("entity_id", sa.Uuid(), nullable=True),
        sa.Column("actor_id", sa.Uuid(), nullable=True),
        sa.Column("actor_name", sa.String(length=200), nullable=False),
        sa.Column("request_id", sa.String(length=40), nullable=True),
        sa.Column("details", JSON, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_platform_event")),
    )
    op.create_index(
        "ix_platform_event_entity", "platform_event", ["entity", "entity_id", "id"], unique=False
    )
    op.create_table(
        "school",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("slug", sa.String(length=60), nullable=False),
        sa.Column("time_zone", sa.String(length=64), nullable=False),
        sa.Column("locale", sa.String(length=16), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("is_demo", sa.Boolean(), nullable=False),
        sa.Column("phone", sa.String(length=60), nullable=True),
        sa.Column("allows_links", sa.Boolean(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("status IN ('active', 'archived')", name=op.f("ck_school_status_known")),
        sa.CheckConstraint("length(name) BETWEEN 1 AND 200", name=op.f("ck_school_name_length")),
        sa.CheckConstraint(
            "slug = lower(slug) AND length(slug) BETWEEN 1 AND 60",
            name=op.f("ck_school_slug_shape"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_school")),
        sa.UniqueConstraint("slug", name=op.f("uq_school_slug")),
    )
    op.create_table(
        "user",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("email", sa.String(length=320), nullable=False),
        sa.Column("username", sa.String(length=60), nullable=True),
        sa.Column("password", sa.String(length=255), nullable=True),
        sa.Column("password_set_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("tokens_ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("display_name", sa.String(length=200), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("is_platform_admin", sa.Boolean(), nullable=False),
        sa.Column("confirmed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("fs_uniquifier", sa.String(length=64), nullable=False),
        sa.Column("locale", sa.String(length=16), nullable=True),
        sa.Column("time_zone", sa.String(length=64), nullable=True),
        sa.Column("theme", sa.String(length=8), nullable=False),
        sa.Column("density", sa.String(length=8), nullable=False),
        sa.Column("avatar_key", sa.String(length=200), nullable=True),
        sa.Column("last_login_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("current_login_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_login_ip", sa.String(length=64), nullable=True),
        sa.Column("current_login_ip", sa.String(length=64), nullable=True),
        sa.Column("login_count", sa.Integer(), nullable=True),
        sa.Column("tf_primary_method", sa.String(length=64), nullable=True),
        sa.Column("tf_totp_secret", sa.String(length=255), nullable=True),
        sa.Column("last_code_step", sa.Integer(), nullable=True),
        sa.Column("mf_recovery_codes", JSON, nullable=True),
        sa.Column("fs_webauthn_user_handle", sa.String(length=64), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "email LIKE '%_@_%' AND email = lower(email)", name=op.f("ck_user_email_shape")
        ),
        sa.CheckConstraint(
            "username IS NULL OR username = lower(username)", name=op.f("ck_user_username_lower")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_user")),
        sa.UniqueConstraint("email", name=op.f("uq_user_email")),
        sa.UniqueConstraint("fs_uniquifier", name=op.f("uq_user_fs_uniquifier")),
        sa.UniqueConstraint(
            "fs_webauthn_user_handle", name=op.f("uq_user_fs_webauthn_user_handle")
        ),
        sa.UniqueConstraint("username", name=op.f("uq_user_username")),
    )
    op.create_table(
        "academic_year",
        sa.Column("school_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("begins_on", sa.Date(), nullable=False),
        sa.Column("ends_on", sa.Date(), nullable=False),
        sa.Column("is_current", sa.Boolean(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("begins_on < ends_on", name=op.f("ck_academic_year_dates_in_order")),
        sa.ForeignKeyConstraint(
            ["school_id"],
            ["school.id"],
            name=op.f("fk_academic_year_school_id_school"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("school_id", "id", name=op.f("pk_academic_year")),
        sa.UniqueConstraint("school_id", "name", name=op.f("uq_academic_year_school_id_name")),
    )
    op.create_index(
        "uq_academic_year_current",
        "academic_year",
        ["school_id"],
        unique=True,
        sqlite_where=sa.text("is_current"),
        postgresql_where=sa.text("is_current"),
    )
    op.create_table(
        "api_token",
        sa.Column("school_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("secret_hash", sa.String(length=64), nullable=False),
        sa.Column("scopes", JSON, nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["school_id"],
            ["school.id"],
            name=op.f("fk_api_token_school_id_school"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["user.id"], name=op.f("fk_api_token_user_id_user"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("school_id", "id", name=op.f("pk_api_token")),
    )
    op.create_index(op.f("ix_api_token_user_id"), "api_token", ["user_id"], unique=False)
    op.create_table(
        "audit_event",
        sa.Column("school_id", sa.Uuid(), nullable=False),
        sa.Column("happened_on", sa.Date(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("action", sa.String(length=60), nullable=False),
        sa.Column("entity", sa.String(length=40), nullable=False),
        sa.Column("entity_id", sa.Uuid(), nullable=False),
        sa.Column("about_id", sa.Uuid(), nullable=True),
        sa.Column("actor_id", sa.Uuid(), nullable=True),
        sa.Column("actor_name", sa.String(length=200), nullable=False),
        sa.Column("request_id", sa.String(length=40), nullable=True),
        sa.Column("change_set_id", sa.Uuid(), nullable=True),
        sa.Column("before", JSON, nullable=True),
        sa.Column("after", JSON, nullable=True),
        sa.ForeignKeyConstraint(
            ["school_id"],
            ["school.id"],
            name=op.f("fk_audit_event_school_id_school"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("school_id", "happened_on", "id", name=op.f("pk_audit_event")),
    )
    op.create_index(
        "ix_audit_event_about",
        "audit_event",
        ["school_id", "about_id", "id"],
        unique=False,
        sqlite_where=sa.text("about_id IS NOT NULL"),
        postgresql_where=sa.text("about_id IS NOT NULL"),
    )
    op.create_index(
        "ix_audit_event_actor", "audit_event", ["school_id", "actor_id", "id"], unique=False
    )
    op.create_index(
        "ix_audit_event_change_set", "audit_event", ["school_id", "change_set_id"], unique=False
    )
    op.create_index(
        "ix_audit_event_entity",
        "audit_event",
        ["school_id", "entity", "entity_id", "id"],
        unique=False,
    )
    op.create_table(
        "blob",
        sa.Column("school_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=True),
        sa.Column("size_bytes", sa.BigInteger(), nullable=True),
        sa.Column("content_type", sa.String(length=127), nullable=True),
        sa.Column("envelope", sa.String(length=128), nullable=True),
        sa.Column("stored_bytes", sa.BigInteger(), nullable=True),
        sa.Column("stored_sha256", sa.String(length=64), nullable=True),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("scan_state", sa.String(length=16), nullable=False),
        sa.Column("scan_reason", sa.String(length=200), nullable=True),
        sa.Column("scan_engine", sa.String(length=80), nullable=True),
        sa.Column("scanned_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("sent_by", sa.Uuid(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "scan_state IN ('unscanned', 'held', 'clean', 'infected')",
            name=op.f("ck_blob_scan_state_known"),
        ),
        sa.CheckConstraint(
            "state IN ('pending', 'deleted') OR (sha256 IS NOT NULL AND size_bytes IS NOT NULL)",
            name=op.f("ck_blob_stored_is_known"),
        ),
        sa.CheckConstraint(
            "state IN ('pending', 'stored', 'deleting', 'deleted')",
            name=op.f("ck_blob_state_known"),
        ),
        sa.CheckConstraint(
            "(envelope IS NULL) = (stored_bytes IS NULL) AND (envelope IS NOT NULL OR stored_sha256 IS NULL)",
            name=op.f("ck_blob_sealed_is_known"),
        ),
        sa.CheckConstraint(
            "size_bytes IS NULL OR size_bytes >= 0", name=op.f("ck_blob_size_positive")
        ),
        sa.ForeignKeyConstraint(
            ["school_id"], ["school.id"], name=op.f("fk_blob_school_id_school"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("school_id", "id", name=op.f("pk_blob")),
    )
    op.create_index(
        "ix_blob_pending",
        "blob",
        ["state", "lease_until"],
        unique=False,
        sqlite_where=sa.text("state = 'pending'"),
        postgresql_where=sa.text("state = 'pending'"),
    )
    op.create_index("ix_blob_scan", "blob", ["school_id", "scan_state", "scanned_at"], unique=False)
    op.create_table(
        "change_set",
        sa.Column("school_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=60), nullable=False),
        sa.Column("title", sa.String(length=300), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("actor_id", sa.Uuid(), nullable=True),
        sa.Column("actor_name", sa.String(length=200), nullable=False),
        sa.Column("committed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("undo_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("undone_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("undone_by", sa.String(length=200), nullable=True),
        sa.Column("counts", JSON, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "state IN ('open', 'committed', 'undone')", name=op.f("ck_change_set_state_known")
        ),
        sa.ForeignKeyConstraint(
            ["school_id"],
            ["school.id"],
            name=op.f("fk_change_set_school_id_school"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("school_id", "id", name=op.f("pk_change_set")),
    )
    op.create_table(
        "column_memory",
        sa.Column("school_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("header", sa.String(length=300), nullable=False),
        sa.Column("target", sa.String(length=200), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["school_id"],
            ["school.id"],
            name=op.f("fk_column_memory_school_id_school"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("school_id", "id", name=op.f("pk_column_memory")),
        sa.UniqueConstraint("school_id", "header", name=op.f("uq_column_memory_school_id_header")),
    )
    op.create_table(
        "custom_field",
        sa.Column("school_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("label", sa.String(length=120), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("choices", JSON, nullable=False),
        sa.Column("help", sa.String(length=300), nullable=True),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("is_archived", sa.Boolean(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "kind IN ('text', 'number', 'date', 'yes_no', 'choice')",
            name=op.f("ck_custom_field_kind_known"),
        ),
        sa.ForeignKeyConstraint(
            ["school_id"],
            ["school.id"],
            name=op.f("fk_custom_field_school_id_school"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("school_id", "id", name=op.f("pk_custom_field")),
        sa.UniqueConstraint("school_id", "label", name=op.f("uq_custom_field_school_id_label")),
    )
    op.create_table(
        "folder",
        sa.Column("school_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("owner_kind", sa.String(length=16), nullable=False),
        sa.Column("owner_id", sa.Uuid(), nullable=False),
        sa.Column("parent_id", sa.Uuid(), nullable=True),
        sa.Column("name", sa.String(length=150), nullable=False),
        sa.Column(
            "sort_name",
            sa.String().with_variant(sa.String(collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column("trashed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("trashed_by_name", sa.String(length=200), nullable=True),
        sa.Column("trashed_with", sa.Uuid(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "owner_kind IN ('student', 'school', 'role', 'person')",
            name=op.f("ck_folder_owner_kind_known"),
        ),
        sa.CheckConstraint("length(name) BETWEEN 1 AND 150", name=op.f("ck_folder_name_length")),
        sa.ForeignKeyConstraint(
            ["school_id", "parent_id"],
            ["folder.school_id", "folder.id"],
            name=op.f("fk_folder_school_id_parent_id_folder"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["school_id"],
            ["school.id"],
            name=op.f("fk_folder_school_id_school"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("school_id", "id", name=op.f("pk_folder")),
    )
    op.create_index(
        "ix_folder_parent",
        "folder",
        ["school_id", "parent_id", "owner_kind", "owner_id", "sort_name", "id"],
        unique=False,
    )
    op.create_index(
        "ix_folder_trashed",
        "folder",
        ["school_id", "trashed_at"],
        unique=False,
        sqlite_where=sa.text("trashed_at IS NOT NULL"),
        postgresql_where=sa.text("trashed_at IS NOT NULL"),
    )
    op.create_index(
        "ix_folder_trashed_with",
        "folder",
        ["school_id", "trashed_with"],
        unique=False,
        sqlite_where=sa.text("trashed_with IS NOT NULL"),
        postgresql_where=sa.text("trashed_with IS NOT NULL"),
    )
    op.create_table(
        "file",
        sa.Column("school_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("owner_kind", sa.String(length=16), nullable=False),
        sa.Column("owner_id", sa.Uuid(), nullable=False),
        sa.Column("purpose", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=150), nullable=False),
        sa.Column(
            "sort_name",
            sa.String().with_variant(sa.String(collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column("current_version", sa.Integer(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("archived_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("folder_id", sa.Uuid(), nullable=True),
        sa.Column("trashed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("trashed_by_name", sa.String(length=200), nullable=True),
        sa.Column("trashed_with", sa.Uuid(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "owner_kind IN ('student', 'school', 'role', 'person')",
            name=op.f("ck_file_owner_kind_known"),
        ),
        sa.CheckConstraint("length(name) BETWEEN 1 AND 150", name=op.f("ck_file_name_length")),
        sa.ForeignKeyConstraint(
            ["school_id", "folder_id"],
            ["folder.school_id", "folder.id"],
            name=op.f("fk_file_school_id_folder_id_folder"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["school_id"], ["school.id"], name=op.f("fk_file_school_id_school"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("school_id", "id", name=op.f("pk_file")),
    )
    op.create_index(
        "ix_file_folder",
        "file",
        ["school_id", "folder_id", "owner_kind", "owner_id", "sort_name", "id"],
        unique=False,
    )
    op.create_index(
        "ix_file_folder_changed",
        "file",
        ["school_id", "folder_id", "owner_kind", "owner_id", "changed_at", "id"],
        unique=False,
    )
    op.create_index(
        "ix_file_folder_size",
        "file",
        ["school_id", "folder_id", "owner_kind", "owner_id", "size_bytes", "id"],
        unique=False,
    )
    op.create_index(
        "ix_file_owner",
        "file",
        ["school_id", "owner_kind", "owner_id", "archived_at"],
        unique=False,
    )
    op.create_index(
        "ix_file_trashed",
        "file",
        ["school_id", "trashed_at"],
        unique=False,
        sqlite_where=sa.text("trashed_at IS NOT NULL"),
        postgresql_where=sa.text("trashed_at IS NOT NULL"),
    )
    op.create_index(
        "ix_file_trashed_with",
        "file",
        ["school_id", "trashed_with"],
        unique=False,
        sqlite_where=sa.text("trashed_with IS NOT NULL"),
        postgresql_where=sa.text("trashed_with IS NOT NULL"),
    )
    op.create_table(
        "gender",
        sa.Column("school_id", sa.Uuid(), nullable=False),
        sa.Column("code", sa.String(length=10), nullable=False),
        sa.Column("label", sa.String(length=60), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["school_id"],
            ["school.id"],
            name=op.f("fk_gender_school_id_school"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("school_id", "code", name=op.f("pk_gender")),
    )
    op.create_table(
        "guardian",
        sa.Column("school_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=300), nullable=False),
        sa.Column(
            "sort_name",
            sa.String().with_variant(sa.String(collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column("phone", sa.String(length=60), nullable=True),
        sa.Column("email", sa.String(length=320), nullable=True),
        sa.Column("address", sa.String(length=500), nullable=True),
        sa.Column("language", sa.String(length=60), nullable=True),
        sa.Column("user_id", sa.Uuid(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("length(name) BETWEEN 1 AND 300", name=op.f("ck_guardian_name_length")),
        sa.ForeignKeyConstraint(
            ["school_id"],
            ["school.id"],
            name=op.f("fk_guardian_school_id_school"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["user.id"], name=op.f("fk_guardian_user_id_user"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("school_id", "id", name=op.f("pk_guardian")),
    )
    op.create_index("ix_guardian_sort", "guardian", ["school_id", "sort_name", "id"], unique=False)
    op.create_index("ix_guardian_user", "guardian", ["user_id"], unique=False)
    op.create_table(
        "idempotency_key",
        sa.Column("school_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.String(length=200), nullable=False),
        sa.Column("request_hash", sa.String(length=64), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("headers", JSON, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["school_id"],
            ["school.id"],
            name=op.f("fk_idempotency_key_school_id_school"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("school_id", "id", name=op.f("pk_idempotency_key")),
        sa.UniqueConstraint(
            "school_id", "user_id", "key", name=op.f("uq_idempotency_key_school_id_user_id_key")
        ),
    )
    op.create_table(
        "job",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=60), nullable=False),
        sa.Column("school_id", sa.Uuid(), nullable=True),
        sa.Column("user_id", sa.Uuid(), nullable=True),
        sa.Column("actor_name", sa.String(length=200), nullable=False),
        sa.Column("payload", JSON, nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("run_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("heartbeat_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("progress", sa.Double(), nullable=False),
        sa.Column("sentence", sa.String(length=300), nullable=False),
        sa.Column("result", JSON, nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "state IN ('waiting', 'running', 'done', 'failed')", name=op.f("ck_job_state_known")
        ),
        sa.CheckConstraint("progress BETWEEN 0 AND 1", name=op.f("ck_job_progress_range")),
        sa.ForeignKeyConstraint(
            ["school_id"], ["school.id"], name=op.f("fk_job_school_id_school"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_job")),
    )
    op.create_index("ix_job_school", "job", ["school_id", "id"], unique=False)
    op.create_index(
        "ix_job_unfinished",
        "job",
        ["state", "run_at"],
        unique=False,
        sqlite_where=sa.text("state IN ('waiting', 'running')"),
        postgresql_where=sa.text("state IN ('waiting', 'running')"),
    )
    op.create_table(
        "reconcile_run",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("provider", sa.String(length=40), nullable=False),
        sa.Column("mode", sa.String(length=16), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("stopped", JSON, nullable=True),
        sa.Column("counts", JSON, nullable=False),
        sa.Column("findings", JSON, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reconcile_run")),
    )
    op.create_index("ix_reconcile_run_started", "reconcile_run", ["started_at"], unique=False)
    op.create_table(
        "stray_object",
        sa.Column("provider", sa.String(length=40), nullable=False),
        sa.Column(
            "key",
            sa.String(length=200).with_variant(sa.String(length=200, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column("first_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("provider", "key", name=op.f("pk_stray_object")),
    )
    op.create_table(
        "restore_epoch",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("began_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reason", sa.String(length=40), nullable=False),
        sa.Column("cleared_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("cleared_by_name", sa.String(length=200), nullable=True),
        sa.CheckConstraint("length(reason) >= 1", name=op.f("ck_restore_epoch_reason_given")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_restore_epoch")),
    )
    op.create_table(
        "mail_message",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("school_id", sa.Uuid(), nullable=True),
        sa.Column("to_address", sa.String(length=320), nullable=False),
        sa.Column("subject", sa.String(length=300), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "state IN ('waiting', 'sent', 'failed')", name=op.f("ck_mail_message_state_known")
        ),
        sa.ForeignKeyConstraint(
            ["school_id"],
            ["school.id"],
            name=op.f("fk_mail_message_school_id_school"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mail_message")),
    )
    op.create_index("ix_mail_message_state", "mail_message", ["state", "id"], unique=False)
    op.create_table(
        "invitation",
        sa.Column("school_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("email", sa.String(length=320), nullable=False),
        sa.Column("display_name", sa.String(length=200), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("secret_hash", sa.String(length=64), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "role IN ('administrator', 'registrar', 'teacher', 'guardian', 'student')",
            name=op.f("ck_invitation_role_known"),
        ),
        sa.ForeignKeyConstraint(
            ["school_id"],
            ["school.id"],
            name=op.f("fk_invitation_school_id_school"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("school_id", "id", name=op.f("pk_invitation")),
        sa.UniqueConstraint("school_id", "email", name=op.f("uq_invitation_school_id_email")),
    )
    op.create_table(
        "membership",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("school_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "role IN ('administrator', 'registrar', 'teacher', 'guardian', 'student')",
            name=op.f("ck_membership_role_known"),
        ),
        sa.ForeignKeyConstraint(
            ["school_id"],
            ["school.id"],
            name=op.f("fk_membership_school_id_school"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["user.id"], name=op.f("fk_membership_user_id_user"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_membership")),
        sa.UniqueConstraint(
            "school_id", "user_id", "role", name=op.f("uq_membership_school_id_user_id_role")
        ),
    )
    op.create_index("ix_membership_user", "membership", ["user_id"], unique=False)
    op.create_table(
        "one_time_link",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("secret_hash", sa.String(length=64), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["user.id"], name=op.f("fk_one_time_link_user_id_user"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_one_time_link")),
        sa.UniqueConstraint("secret_hash", name=op.f("uq_one_time_link_secret_hash")),
    )
    op.create_index(op.f("ix_one_time_link_user_id"), "one_time_link", ["user_id"], unique=False)
    op.create_table(
        "search_entry",
        sa.Column("school_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("entity_id", sa.Uuid(), nullable=False),
        sa.Column(
            "words",
            sa.String().with_variant(sa.String(collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "kind IN ('student', 'guardian', 'class', 'file')",
            name=op.f("ck_search_entry_kind_known"),
        ),
        sa.ForeignKeyConstraint(
            ["school_id"],
            ["school.id"],
            name=op.f("fk_search_entry_school_id_school"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("school_id", "kind", "entity_id", name=op.f("pk_search_entry")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "search_word",
        sa.Column("school_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column(
            "word", sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=False
        ),
        sa.Column("entity_id", sa.Uuid(), nullable=False),
        sa.PrimaryKeyConstraint(
            "school_id", "kind", "word", "entity_id", name=op.f("pk_search_word")
        ),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "storage_task",
        sa.Column("school_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("operation", sa.String(length=16), nullable=False),
        sa.Column("provider", sa.String(length=40), nullable=False),
        sa.Column("key", sa.String(length=200), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_error", sa.String(length=500), nullable=True),
        sa.Column("details", JSON, nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["school_id"],
            ["school.id"],
            name=op.f("fk_storage_task_school_id_school"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("school_id", "id", name=op.f("pk_storage_task")),
        sa.UniqueConstraint(
            "school_id",
            "operation",
            "provider",
            "key",
            name=op.f("uq_storage_task_school_id_operation_provider_key"),
        ),
    )
    op.create_index("ix_storage_task_due", "storage_task", ["next_at"], unique=False)
    op.create_table(
        "webauthn",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("credential_id", sa.LargeBinary(length=1024), nullable=False),
        sa.Column("public_key", sa.LargeBinary(), nullable=False),
        sa.Column("sign_count", sa.Integer(), nullable=True),
        sa.Column("transports", JSON, nullable=True),
        sa.Column("backup_state", sa.Boolean(), nullable=False),
        sa.Column("device_type", sa.String(length=64), nullable=False),
        sa.Column("extensions", sa.String(length=255), nullable=True),
        sa.Column("create_datetime", sa.DateTime(timezone=True), nullable=False),
        sa.Column("lastuse_datetime", sa.DateTime(timezone=True), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("usage", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["user.id"], name=op.f("fk_webauthn_user_id_user"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webauthn")),
    )
    op.create_index(op.f("ix_webauthn_credential_id"), "webauthn", ["credential_id"], unique=True)
    op.create_index(op.f("ix_webauthn_user_id"), "webauthn", ["user_id"], unique=False)
    op.create_table(
        "blob_location",
        sa.Column("school_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("blob_id", sa.Uuid(), nullable=False),
        sa.Column("provider", sa.String(length=40), nullable=False),
        sa.Column(
            "key",
            sa.String(length=200).with_variant(sa.String(length=200, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("etag", sa.String(length=200), nullable=True),
        sa.Column("verified_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "state IN ('writing', 'present', 'missing', 'deleting')",
            name=op.f("ck_blob_location_state_known"),
        ),
        sa.ForeignKeyConstraint(
            ["school_id", "blob_id"],
            ["blob.school_id", "blob.id"],
            name=op.f("fk_blob_location_school_id_blob_id_blob"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["school_id"],
            ["school.id"],
            name=op.f("fk_blob_location_school_id_school"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("school_id", "id", name=op.f("pk_blob_location")),
        sa.UniqueConstraint(
            "school_id",
            "blob_id",
            "provider",
            name=op.f("uq_blob_location_school_id_blob_id_provider"),
        ),
    )
    op.create_index(
        "ix_blob_location_key", "blob_location", ["school_id", "provider", "key"], unique=False
    )
    op.create_index(
        "ix_blob_location_verified",
        "blob_location",
        ["school_id", "provider", "verified_at"],
        unique=False,
        sqlite_where=sa.text("state = 'present'"),
        postgresql_where=sa.text("state = 'present'"),
    )
    op.create_table(
        "file_version",
        sa.Column("school_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("file_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("blob_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=150), nullable=False),
        sa.Column("note", sa.String(length=300), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=True),
        sa.Column("created_by_name", sa.String(length=200), nullable=False),
        sa.Column("pruned_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("number >= 1", name=op.f("ck_file_version_number_from_one")),
        sa.ForeignKeyConstraint(
            ["school_id", "blob_id"],
            ["blob.school_id", "blob.id"],
            name=op.f("fk_file_version_school_id_blob_id_blob"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["school_id", "file_id"],
            ["file.school_id", "file.id"],
            name=op.f("fk_file_version_school_id_file_id_file"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["school_id"],
            ["school.id"],
            name=op.f("fk_file_version_school_id_school"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("school_id", "id", name=op.f("pk_file_version")),
        sa.UniqueConstraint(
            "school_id", "file_id", "number", name=op.f("uq_file_version_school_id_file_id_number")
        ),
    )
    op.create_index("ix_file_version_blob", "file_version", ["school_id", "blob_id"], unique=False)
    op.create_table(
        "roster_import",
        sa.Column("school_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("filename", sa.String(length=150), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("storage_key", sa.String(length=200), nullable=True),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("refusal", sa.Text(), nullable=True),
        sa.Column("encoding", sa.String(length=40), nullable=True),
        sa.Column("mapping", JSON, nullable=True),
        sa.Column("options", JSON, nullable=False),
        sa.Column("counts", JSON, nullable=False),
        sa.Column("job_id", sa.Uuid(), nullable=True),
        sa.Column("change_set_id", sa.Uuid(), nullable=True),
        sa.Column("created_by", sa.Uuid(), nullable=True),
        sa.Column("created_by_name", sa.String(length=200), nullable=False),
        sa.Column("committed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "state IN ('uploaded', 'reading', 'preview', 'committing', 'committed', 'undoing', 'undone', 'refused', 'discarded')",
            name=op.f("ck_roster_import_state_known"),
        ),
        sa.ForeignKeyConstraint(
            ["school_id", "change_set_id"],
            ["change_set.school_id", "change_set.id"],
            name=op.f("fk_roster_import_school_id_change_set_id_change_set"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["school_id"],
            ["school.id"],
            name=op.f("fk_roster_import_school_id_school"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("school_id", "id", name=op.f("pk_roster_import")),
    )
    op.create_index(
        "ix_roster_import_list", "roster_import", ["school_id", "created_at"], unique=False
    )
    op.create_table(
        "school_class",
        sa.Column("school_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("academic_year_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column(
            "sort_name",
            sa.String().with_variant(sa.String(collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column("grade_level", sa.String(length=60), nullable=True),
        sa.Column("is_archived", sa.Boolean(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "length(name) BETWEEN 1 AND 100", name=op.f("ck_school_class_name_length")
        ),
        sa.ForeignKeyConstraint(
            ["school_id", "academic_year_id"],
            ["academic_year.school_id", "academic_year.id"],
            name=op.f("fk_school_class_school_id_academic_year_id_academic_year"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["school_id"],
            ["school.id"],
            name=op.f("fk_school_class_school_id_school"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("school_id", "id", name=op.f("pk_school_class")),
        sa.UniqueConstraint(
            "school_id",
            "academic_year_id",
            "name",
            name=op.f("uq_school_class_school_id_academic_year_id_name"),
        ),
    )
    op.create_index(
        "ix_school_class_sort", "school_class", ["school_id", "sort_name", "id"], unique=False
    )
    op.create_table(
        "student",
        sa.Column("school_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("admission_number", sa.String(length=60), nullable=False),
        sa.Column("family_name", sa.String(length=300), nullable=False),
        sa.Column("given_name", sa.String(length=300), nullable=True),
        sa.Column("preferred_name", sa.String(length=300), nullable=True),
        sa.Column("family_name_first", sa.Boolean(), nullable=False),
        sa.Column(
            "sort_name",
            sa.String().with_variant(sa.String(collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column("birth_date", sa.Date(), nullable=True),
        sa.Column("gender_code", sa.String(length=10), nullable=True),
        sa.Column("grade_level", sa.String(length=60), nullable=True),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("email", sa.String(length=320), nullable=True),
        sa.Column("phone", sa.String(length=60), nullable=True),
        sa.Column("address", sa.String(length=500), nullable=True),
        sa.Column("town", sa.String(length=120), nullable=True),
        sa.Column("postcode", sa.String(length=20), nullable=True),
        sa.Column("medical_note", sa.Text(), nullable=True),
        sa.Column("custom", JSON, nullable=False),
        sa.Column("photo_file_id", sa.Uuid(), nullable=True),
        sa.Column("user_id", sa.Uuid(), nullable=True),
        sa.Column("archived_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("status_before_archive", sa.String(length=16), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "status IN ('joining', 'enrolled', 'left', 'archived')",
            name=op.f("ck_student_status_known"),
        ),
        sa.CheckConstraint(
            "length(admission_number) BETWEEN 1 AND 60", name=op.f("ck_student_number_length")
        ),
        sa.CheckConstraint(
            "length(family_name) BETWEEN 1 AND 300", name=op.f("ck_student_family_name_length")
        ),
        sa.ForeignKeyConstraint(
            ["school_id", "gender_code"],
            ["gender.school_id", "gender.code"],
            name=op.f("fk_student_school_id_gender_code_gender"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["school_id"],
            ["school.id"],
            name=op.f("fk_student_school_id_school"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["user.id"], name=op.f("fk_student_user_id_user"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("school_id", "id", name=op.f("pk_student")),
        sa.UniqueConstraint(
            "school_id", "admission_number", name=op.f("uq_student_school_id_admission_number")
        ),
    )
    op.create_index("ix_student_born", "student", ["school_id", "birth_date"], unique=False)
    op.create_index(
        "ix_student_list", "student", ["school_id", "status", "sort_name", "id"], unique=False
    )
    op.create_index("ix_student_sort", "student", ["school_id", "sort_name", "id"], unique=False)
    op.create_index("ix_student_user", "student", ["user_id"], unique=False)
    op.create_table(
        "enrollment",
        sa.Column("school_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("student_id", sa.Uuid(), nullable=False),
        sa.Column("class_id", sa.Uuid(), nullable=False),
        sa.Column("begins_on", sa.Date(), nullable=False),
        sa.Column("ends_on", sa.Date(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "ends_on IS NULL OR ends_on >= begins_on", name=op.f("ck_enrollment_dates_in_order")
        ),
        sa.ForeignKeyConstraint(
            ["school_id", "class_id"],
            ["school_class.school_id", "school_class.id"],
            name=op.f("fk_enrollment_school_id_class_id_school_class"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["school_id", "student_id"],
            ["student.school_id", "student.id"],
            name=op.f("fk_enrollment_school_id_student_id_student"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["school_id"],
            ["school.id"],
            name=op.f("fk_enrollment_school_id_school"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("school_id", "id", name=op.f("pk_enrollment")),
    )
    op.create_index(
        "ix_enrollment_class", "enrollment", ["school_id", "class_id", "ends_on"], unique=False
    )
    op.create_index(
        "ix_enrollment_student", "enrollment", ["school_id", "student_id"], unique=False
    )
    op.create_index(
        "uq_enrollment_open",
        "enrollment",
        ["school_id", "student_id"],
        unique=True,
        sqlite_where=sa.text("ends_on IS NULL"),
        postgresql_where=sa.text("ends_on IS NULL"),
    )
    op.create_table(
        "roster_record",
        sa.Column("school_id", sa.Uuid(), nullable=False),
        sa.Column("student_id", sa.Uuid(), nullable=False),
        sa.Column("import_id", sa.Uuid(), nullable=False),
        sa.Column("said", JSON, nullable=False),
        sa.Column("before", JSON, nullable=False),
        sa.ForeignKeyConstraint(
            ["school_id", "student_id"],
            ["student.school_id", "student.id"],
            name=op.f("fk_roster_record_school_id_student_id_student"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["school_id"],
            ["school.id"],
            name=op.f("fk_roster_record_school_id_school"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("school_id", "student_id", name=op.f("pk_roster_record")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "roster_row",
        sa.Column("school_id", sa.Uuid(), nullable=False),
        sa.Column("import_id", sa.Uuid(), nullable=False),
        sa.Column("line", sa.Integer(), nullable=False),
        sa.Column("outcome", sa.String(length=16), nullable=False),
        sa.Column("rank", sa.SmallInteger(), nullable=False),
        sa.Column("raw", JSON, nullable=False),
        sa.Column("repairs", JSON, nullable=False),
        sa.Column("values", JSON, nullable=False),
        sa.Column("problems", JSON, nullable=False),
        sa.Column("is_blocked", sa.Boolean(), nullable=False),
        sa.Column("is_left_out", sa.Boolean(), nullable=False),
        sa.Column("student_id", sa.Uuid(), nullable=True),
        sa.Column("changes", JSON, nullable=False),
        sa.Column("kept", JSON, nullable=False),
        sa.Column("take", JSON, nullable=False),
        sa.CheckConstraint(
            "outcome IN ('new', 'changed', 'unchanged', 'problem')",
            name=op.f("ck_roster_row_outcome_known"),
        ),
        sa.ForeignKeyConstraint(
            ["school_id", "import_id"],
            ["roster_import.school_id", "roster_import.id"],
            name=op.f("fk_roster_row_school_id_import_id_roster_import"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["school_id"],
            ["school.id"],
            name=op.f("fk_roster_row_school_id_school"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("school_id", "import_id", "line", name=op.f("pk_roster_row")),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_roster_row_outcome",
        "roster_row",
        ["school_id", "import_id", "outcome", "line"],
        unique=False,
    )
    op.create_index(
        "ix_roster_row_rank", "roster_row", ["school_id", "import_id", "rank", "line"], unique=False
    )
    op.create_table(
        "student_guardian",
        sa.Column("school_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("student_id", sa.Uuid(), nullable=False),
        sa.Column("guardian_id", sa.Uuid(), nullable=False),
        sa.Column("relationship", sa.String(length=60), nullable=True),
        sa.Column("emergency_order", sa.Integer(), nullable=False),
        sa.Column("has_custody", sa.Boolean(), nullable=False),
        sa.Column("may_be_contacted", sa.Boolean(), nullable=False),
        sa.Column("lives_with", sa.Boolean(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("emergency_order >= 1", name=op.f("ck_student_guardian_order_from_one")),
        sa.ForeignKeyConstraint(
            ["school_id", "guardian_id"],
            ["guardian.school_id", "guardian.id"],
            name=op.f("fk_student_guardian_school_id_guardian_id_guardian"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["school_id", "student_id"],
            ["student.school_id", "student.id"],
            name=op.f("fk_student_guardian_school_id_student_id_student"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["school_id"],
            ["school.id"],
            name=op.f("fk_student_guardian_school_id_school"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("school_id", "id", name=op.f("pk_student_guardian")),
        sa.UniqueConstraint(
            "school_id",
            "student_id",
            "guardian_id",
            name=op.f("uq_student_guardian_school_id_student_id_guardian_id"),
        ),
    )
    op.create_index(
        "ix_student_guardian_guardian",
        "student_guardian",
        ["school_id", "guardian_id"],
        unique=False,
    )
    op.create_table(
        "blob_derivative",
        sa.Column("school_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("blob_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("derived_id", sa.Uuid(), nullable=True),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("kind IN ('thumbnail')", name=op.f("ck_blob_derivative_kind_known")),
        sa.ForeignKeyConstraint(
            ["school_id", "blob_id"],
            ["blob.school_id", "blob.id"],
            name=op.f("fk_blob_derivative_school_id_blob_id_blob"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["school_id", "derived_id"],
            ["blob.school_id", "blob.id"],
            name=op.f("fk_blob_derivative_school_id_derived_id_blob"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["school_id"],
            ["school.id"],
            name=op.f("fk_blob_derivative_school_id_school"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("school_id", "id", name=op.f("pk_blob_derivative")),
        sa.UniqueConstraint(
            "school_id", "blob_id", "kind", name=op.f("uq_blob_derivative_school_id_blob_id_kind")
        ),
    )
    op.create_index(
        "ix_blob_derivative_derived", "blob_derivative", ["school_id", "derived_id"], unique=False
    )
    op.create_table(
        "share",
        sa.Column("school_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("target_kind", sa.String(length=16), nullable=False),
        sa.Column("target_id", sa.Uuid(), nullable=False),
        sa.Column("grantee_kind", sa.String(length=16), nullable=False),
        sa.Column("grantee_id", sa.Uuid(), nullable=True),
        sa.Column("grantee_role", sa.String(length=16), nullable=True),
        sa.Column("access", sa.String(length=8), nullable=False),
        sa.Column("token_sha256", sa.String(length=64), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=True),
        sa.Column("created_by_name", sa.String(length=200), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "(grantee_kind = 'person') = (grantee_id IS NOT NULL) AND (grantee_kind = 'role') = (grantee_role IS NOT NULL) AND (grantee_kind = 'link') = (token_sha256 IS NOT NULL)",
            name=op.f("ck_share_grantee_named"),
        ),
        sa.CheckConstraint("access IN ('view', 'edit')", name=op.f("ck_share_access_known")),
        sa.CheckConstraint(
            "grantee_kind <> 'link' OR (access = 'view' AND expires_at IS NOT NULL)",
            name=op.f("ck_share_link_limited"),
        ),
        sa.CheckConstraint(
            "grantee_kind IN ('person', 'role', 'link')", name=op.f("ck_share_grantee_kind_known")
        ),
        sa.CheckConstraint(
            "target_kind IN ('file', 'folder')", name=op.f("ck_share_target_kind_known")
        ),
        sa.ForeignKeyConstraint(
            ["school_id"],
            ["school.id"],
            name=op.f("fk_share_school_id_school"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("school_id", "id", name=op.f("pk_share")),
    )
    op.create_index("ix_share_person", "share", ["school_id", "grantee_id"], unique=False)
    op.create_index(
        "ix_share_target", "share", ["school_id", "target_kind", "target_id"], unique=False
    )
    op.create_index("ix_share_token", "share", ["token_sha256"], unique=True)
    op.create_table(
        "retention_rule",
        sa.Column("school_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("purpose", sa.String(length=40), nullable=False),
        sa.Column("most_versions", sa.Integer(), nullable=True),
        sa.Column("most_days", sa.Integer(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "most_days IS NULL OR most_days >= 1", name=op.f("ck_retention_rule_days_positive")
        ),
        sa.CheckConstraint(
            "most_versions IS NULL OR most_versions >= 1",
            name=op.f("ck_retention_rule_versions_positive"),
        ),
        sa.ForeignKeyConstraint(
            ["school_id"],
            ["school.id"],
            name=op.f("fk_retention_rule_school_id_school"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("school_id", "id", name=op.f("pk_retention_rule")),
        sa.UniqueConstraint(
            "school_id", "purpose", name=op.f("uq_retention_rule_school_id_purpose")
        ),
    )
    op.create_table(
        "legal_hold",
        sa.Column("school_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("target_kind", sa.String(length=16), nullable=False),
        sa.Column("target_id", sa.Uuid(), nullable=False),
        sa.Column("reason", sa.String(length=300), nullable=False),
        sa.Column("placed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("placed_by_name", sa.String(length=200), nullable=False),
        sa.Column("lifted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("lifted_by_name", sa.String(length=200), nullable=True),
        sa.CheckConstraint(
            "target_kind IN ('file', 'folder', 'student', 'school')",
            name=op.f("ck_legal_hold_target_kind_known"),
        ),
        sa.CheckConstraint(
            "length(reason) BETWEEN 1 AND 300", name=op.f("ck_legal_hold_reason_given")
        ),
        sa.ForeignKeyConstraint(
            ["school_id"],
            ["school.id"],
            name=op.f("fk_legal_hold_school_id_school"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("school_id", "id", name=op.f("pk_legal_hold")),
    )
    op.create_index(
        "ix_legal_hold_target",
        "legal_hold",
        ["school_id", "target_kind", "target_id"],
        unique=False,
    )
    op.create_table(
        "storage_usage",
        sa.Column("school_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("holder_kind", sa.String(length=16), nullable=False),
        sa.Column("holder_id", sa.Uuid(), nullable=False),
        sa.Column("used_bytes", sa.BigInteger(), nullable=False),
        sa.Column("limit_bytes", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "holder_kind IN ('school', 'person')", name=op.f("ck_storage_usage_holder_kind_known")
        ),
        sa.CheckConstraint(
            "limit_bytes IS NULL OR limit_bytes >= 0", name=op.f("ck_storage_usage_limit_positive")
        ),
        sa.CheckConstraint("used_bytes >= 0", name=op.f("ck_storage_usage_used_positive")),
        sa.ForeignKeyConstraint(
            ["school_id"],
            ["school.id"],
            name=op.f("fk_storage_usage_school_id_school"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("school_id", "id", name=op.f("pk_storage_usage")),
        sa.UniqueConstraint(
            "school_id",
            "holder_kind",
            "holder_id",
            name=op.f("uq_storage_usage_school_id_holder_kind_holder_id"),
        ),
    )
    op.create_table(
        "usage_day",
        sa.Column("school_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("used_bytes", sa.BigInteger(), nullable=False),
        sa.Column("files", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["school_id"],
            ["school.id"],
            name=op.f("fk_usage_day_school_id_school"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("school_id", "id", name=op.f("pk_usage_day")),
        sa.UniqueConstraint("school_id", "day", name=op.f("uq_usage_day_school_id_day")),
    )
    op.create_table(
        "upload",
        sa.Column("school_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("owner_kind", sa.String(length=16), nullable=False),
        sa.Column("owner_id", sa.Uuid(), nullable=False),
        sa.Column("folder_id", sa.Uuid(), nullable=True),
        sa.Column("replaces_id", sa.Uuid(), nullable=True),
        sa.Column("replaces_version", sa.Integer(), nullable=True),
        sa.Column("note", sa.String(length=300), nullable=True),
        sa.Column("purpose", sa.String(length=40), nullable=False),
        sa.Column("filename", sa.String(length=300), nullable=False),
        sa.Column("length_bytes", sa.BigInteger(), nullable=False),
        sa.Column("offset_bytes", sa.BigInteger(), nullable=False),
        sa.Column("room_bytes", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("file_id", sa.Uuid(), nullable=True),
        sa.Column("problem", JSON, nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "state IN ('open', 'finishing', 'kept', 'refused', 'ended')",
            name=op.f("ck_upload_state_known"),
        ),
        sa.CheckConstraint(
            "length_bytes >= 0 AND offset_bytes BETWEEN 0 AND length_bytes",
            name=op.f("ck_upload_offset_inside"),
        ),
        sa.CheckConstraint(
            "room_bytes BETWEEN 0 AND length_bytes", name=op.f("ck_upload_room_inside")
        ),
        sa.ForeignKeyConstraint(
            ["school_id"],
            ["school.id"],
            name=op.f("fk_upload_school_id_school"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("school_id", "id", name=op.f("pk_upload")),
    )
    op.create_index(
        "ix_upload_expires", "upload", ["school_id", "state", "expires_at"], unique=False
    )
    op.create_index("ix_upload_user", "upload", ["school_id", "user_id", "state"], unique=False)
    op.create_table(
        "upload_part",
        sa.Column("school_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("upload_id", sa.Uuid(), nullable=False),
        sa.Column("start_byte", sa.BigInteger(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=True),
        sa.Column("sha256", sa.String(length=64), nullable=True),
        sa.Column("provider", sa.String(length=40), nullable=False),
        sa.Column(
            "key",
            sa.String(length=200).with_variant(sa.String(length=200, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column("envelope", sa.String(length=128), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["school_id", "upload_id"],
            ["upload.school_id", "upload.id"],
            name=op.f("fk_upload_part_school_id_upload_id_upload"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["school_id"],
            ["school.id"],
            name=op.f("fk_upload_part_school_id_school"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("school_id", "id", name=op.f("pk_upload_part")),
    )
    op.create_index("ix_upload_part_key", "upload_part", ["provider", "key"], unique=False)
    op.create_index(
        "ix_upload_part_upload",
        "upload_part",
        ["school_id", "upload_id", "start_byte"],
        unique=False,
    )
    op.create_table(
        "storage_move",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("source", sa.String(length=40), nullable=False),
        sa.Column("target", sa.String(length=40), nullable=False),
        sa.Column("source_url", sa.String(length=500), nullable=False),
        sa.Column("target_url", sa.String(length=500), nullable=False),
        sa.Column("step", sa.String(length=16), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("switched_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("counts", JSON, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "step IN ('copying', 'comparing', 'soaking', 'deleting', 'done', 'rolling_back',"
            " 'rolled_back')",
            name=op.f("ck_storage_move_step_known"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_storage_move")),
    )
    if op.get_context().dialect.name == "postgresql":
        secure()
        op.execute(COUNT_ROSTER)


def secure() -> None:
    for table in SECURED:
        op.execute(f'ALTER TABLE "{table}" ENABLE ROW LEVEL SECURITY')
        op.execute(f'ALTER TABLE "{table}" FORCE ROW LEVEL SECURITY')
        op.execute(f'CREATE POLICY one_school ON "{table}" USING ({OWN}) WITH CHECK ({OWN})')


def downgrade() -> None:
    if op.get_context().dialect.name == "postgresql":
        op.execute("DROP FUNCTION count_roster()")
    op.drop_table("storage_move")
    op.drop_table("upload_part")
    op.drop_table("upload")
    op.drop_table("usage_day")
    op.drop_table("storage_usage")
    op.drop_table("legal_hold")
    op.drop_table("retention_rule")
    op.drop_table("share")
    op.drop_table("blob_derivative")
    op.drop_table("student_guardian")
    op.drop_table("roster_row")
    op.drop_table("roster_record")
    op.drop_table("enrollment")
    op.drop_table("student")
    op.drop_table("school_class")
    op.drop_table("roster_import")
    op.drop_table("file_version")
    op.drop_table("blob_location")
    op.drop_table("webauthn")
    op.drop_table("storage_task")
    op.drop_table("search_word")
    op.drop_table("search_entry")
    op.drop_table("one_time_link")
    op.drop_table("membership")
    op.drop_table("invitation")
    op.drop_table("mail_message")
    op.drop_table("restore_epoch")
    op.drop_table("stray_object")
    op.drop_table("reconcile_run")
    op.drop_table("job")
    op.drop_table("idempotency_key")
    op.drop_table("guardian")
    op.drop_table("gender")
    op.drop_table("file")
    op.drop_table("folder")
    op.drop_table("custom_field")
    op.drop_table("column_memory")
    op.drop_table("change_set")
    op.drop_table("blob")
    op.drop_table("audit_event")
    op.drop_table("api_token")
    op.drop_table("academic_year")
    op.drop_table("user")
    op.drop_table("school")
    op.drop_table("platform_event")
    op.drop_table("login_attempt")
