"""The page for teachers names every problem there is, and says rightly which rows stay out."""

from __future__ import annotations

import re
from pathlib import Path

from school.roster.sheet.problems import BLOCKING, MESSAGES

PAGE = Path(__file__).parent.parent.parent / "docs" / "teachers" / "import.md"
# Other wordings of a code, and what nobody has to act on.
NOT_CODES = {"day_not_in_month", "hidden_characters_removed"}
OURS = {"ambiguous_match": True}


def test_every_problem_code_is_explained():
    told = dict(re.findall(r"^\| `(\w+)` \| (yes|no) \|", PAGE.read_text(), flags=re.MULTILINE))
    codes = {code: code in BLOCKING for code in MESSAGES if code not in NOT_CODES} | OURS
    assert told == {code: "yes" if blocking else "no" for code, blocking in codes.items()}
