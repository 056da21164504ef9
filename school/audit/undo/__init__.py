"""Take a recorded act back: put `before` where `after` still stands, keep what people did since.

Works on any table whose events name it in `entity`, from the tables' own description. What the
rows drag along (search words, sorting names) is put right by what the owning domain registered.
"""

from school.audit.undo.owners import Kept as Kept
from school.audit.undo.owners import UndoReport as UndoReport
from school.audit.undo.owners import is_known as is_known
from school.audit.undo.owners import undoable as undoable
from school.audit.undo.verbs import may_be_undone as may_be_undone
from school.audit.undo.verbs import undo_change_set as undo_change_set
from school.audit.undo.verbs import undo_event as undo_event
