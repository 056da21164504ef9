"""Who changed what, when, from what to what; and the change sets that make bulk work undoable.

Audit and undo are one mechanism: every write records its event in the same transaction, and
undoing reads those events backwards.
"""
