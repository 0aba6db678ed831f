"""Put out of the cache or a remote what no commit needs any more, so that it can be put back.

- words: `place` (where objects go out of, and its trash), `documents` (receipts, and the claim of
  a project to a place)
- `plan` decides what goes, what stays and why; pure
- effects: `folder` and `s3` (the two kinds of places), `places` opens them, `claims` and `local`
  say whether that may be done; `past` reads documents of many commits, `repository` what else git
  has, and `protected` from these and the worktrees all that is needed
- `run` is the use case, which answers with `results`; `report` says what it came to

Why nothing that is needed can get lost: docs/decisions/0028-gc.md.
"""
