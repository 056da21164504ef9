"""Verbs: take a file in, add a version, bring one back, put it away, hand out a link to it.

What a name may hold is in `names`, what contents are taken in `content` (and `families`), how
bytes come to rest safely in `writing`, what people do in `keeping` and `photos`, links in
`links`, and what a crash or a slow provider left behind is put right in `sweeping`.
"""
