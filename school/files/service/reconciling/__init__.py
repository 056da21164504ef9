"""What lies at the providers and what the rows say, compared and put right.

Look (looking), read a thirtieth again (verifying), decide whether the rows may be believed (trust),
act (mending); domains that keep objects of their own say which they want (known).
"""

from school.files.service.reconciling.known import know_keys
from school.files.service.reconciling.outcome import Kind, Mode, Outcome, Stop
from school.files.service.reconciling.running import RECONCILE, plan_reconcile, reconcile
from school.files.service.reconciling.trust import distrust, find_distrust, trust

__all__ = [
    "RECONCILE",
    "Kind",
    "Mode",
    "Outcome",
    "Stop",
    "distrust",
    "find_distrust",
    "know_keys",
    "plan_reconcile",
    "reconcile",
    "trust",
]
