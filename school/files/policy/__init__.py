"""Who may see and change a file: whoever its owner's domain says and whoever it is shared with,
narrowed by its purpose.
"""

from school.files.policy.files import Rights as Rights
from school.files.policy.files import check_archive as check_archive
from school.files.policy.files import check_delete as check_delete
from school.files.policy.files import check_edit as check_edit
from school.files.policy.files import check_trashed as check_trashed
from school.files.policy.files import check_version as check_version
from school.files.policy.files import check_view as check_view
from school.files.policy.files import may_view_beside as may_view_beside
from school.files.policy.files import rights_on as rights_on
from school.files.policy.files import seen_versions as seen_versions
from school.files.policy.lists import seen_files as seen_files
from school.files.policy.lists import seen_trash as seen_trash
from school.files.policy.owners import Condition as Condition
from school.files.policy.owners import Owner as Owner
from school.files.policy.owners import OwnerCard as OwnerCard
from school.files.policy.owners import card_of as card_of
from school.files.policy.owners import may_add as may_add
from school.files.policy.owners import may_see_trash as may_see_trash
from school.files.policy.owners import owner_named as owner_named
from school.files.policy.owners import register_owner as register_owner
from school.files.policy.owners import titles_of as titles_of
from school.files.policy.places import Standing as Standing
from school.files.policy.places import check_add as check_add
from school.files.policy.places import check_fill as check_fill
from school.files.policy.places import check_moves as check_moves
from school.files.policy.places import check_owner as check_owner
from school.files.policy.places import check_trash as check_trash
from school.files.policy.places import may_fill as may_fill
from school.files.policy.places import standing_in as standing_in
from school.files.policy.places import trail_in as trail_in
from school.files.policy.purposes import PURPOSE_PERMISSIONS as PURPOSE_PERMISSIONS
from school.files.policy.purposes import closed_to as closed_to
from school.files.policy.purposes import may_view_archived as may_view_archived
from school.files.policy.purposes import may_view_purpose as may_view_purpose
from school.files.policy.shares import shared_access as shared_access
from school.files.policy.things import check_delete_folder as check_delete_folder
from school.files.policy.things import check_history as check_history
from school.files.policy.things import check_share as check_share
from school.files.policy.things import check_trashed_folder as check_trashed_folder
from school.files.policy.things import may_see_history as may_see_history
