"""Verbs: what happens to schools, accounts, roles, links, tokens and tries to sign in."""

from school.accounts.service.attempts import (
    begin_attempt,
    check_second_step,
    note_second_step,
    note_success,
)
from school.accounts.service.invitations import (
    Offer,
    accept_invitation,
    is_invitation,
    open_invitation,
    take_back,
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
from school.accounts.service.people import (
    add_member,
    forget_person,
    make_user,
    note_password_set,
    set_password,
    tell_password_changed,
)
from school.accounts.service.profile import (
    end_other_sessions,
    remove_avatar,
    set_avatar,
    set_look,
    update_profile,
)
from school.accounts.service.reset import ask_for_reset_link
from school.accounts.service.schools import (
    archive_school,
    create_school,
    rename_school,
    restore_school,
)
from school.accounts.service.second_step import claim_code, remove_second_step
from school.accounts.service.tokens import create_token, revoke_token

__all__ = [
    "Offer",
    "accept_invitation",
    "add_member",
    "archive_school",
    "ask_for_reset_link",
    "begin_attempt",
    "check_second_step",
    "claim_code",
    "create_school",
    "create_token",
    "deactivate",
    "end_other_sessions",
    "forget_person",
    "invite",
    "is_invitation",
    "make_platform_admin",
    "make_sign_in_link",
    "make_user",
    "note_password_set",
    "note_second_step",
    "note_success",
    "open_invitation",
    "open_link",
    "reactivate",
    "remove_avatar",
    "remove_second_step",
    "rename_school",
    "restore_school",
    "revoke_token",
    "send_sign_in_link",
    "set_avatar",
    "set_look",
    "set_password",
    "set_roles",
    "take_back",
    "tell_password_changed",
    "update_profile",
    "use_link",
]
