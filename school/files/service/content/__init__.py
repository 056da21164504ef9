"""What is really inside: the kind is decided by content, and the name must agree.

Nothing here trusts what the sender says. Each family has a room of its own: `pictures` (headers
and sizes in dots), `archives` and `office` (a ZIP and what may lie in it), `markup` (its XML),
`pdf`, `text`. What is refused is named in `refusals`, in words a person knows.
"""

from school.files.service.content.deciding import decide_kind as decide_kind
from school.files.service.content.pictures import MOST_PIXELS as MOST_PIXELS
from school.files.service.content.refusals import REFUSAL_SENTENCES as REFUSAL_SENTENCES
from school.files.service.content.refusals import Refused as Refused
