"""Verbs: what happens to schools, accounts, roles, links, tokens and tries to sign in."""

from school.accounts.service.attempts import (
    begin_attempt,
    check_second_step,
    note_second_step,
    note_success,
)
from school.accounts.service.links import (
    make_sign_in_link,
    open_link,
    send_sign_in_link,
    use_link,
)
from school.accounts.service.members import (
    deactivate,
    invite,
    make_platform_admin,
    reactivate,
    set_roles,
)
from school.accounts.service.people import add_member, forget_person, make_user, set_password
from school.accounts.service.profile import (
    end_other_sessions,
    remove_avatar,
    set_avatar,
    set_look,
    update_profile,
)
from school.accounts.service.schools import (
    archive_school,
    create_school,
    rename_school,
    restore_school,
)
from school.accounts.service.tokens import create_token, revoke_token

__all__ = [
    "add_member",
    "archive_school",
    "begin_attempt",
    "check_second_step",
    "create_school",
    "create_token",
    "deactivate",
    "end_other_sessions",
    "forget_person",
    "invite",
    "make_platform_admin",
    "make_sign_in_link",
    "make_user",
    "note_second_step",
    "note_success",
    "open_link",
    "reactivate",
    "remove_avatar",
    "rename_school",
    "restore_school",
    "revoke_token",
    "send_sign_in_link",
    "set_avatar",
    "set_look",
    "set_password",
    "set_roles",
    "update_profile",
    "use_link",
]
