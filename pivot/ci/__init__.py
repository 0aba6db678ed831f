"""Pivot in a CI job: inputs in; outputs, report, summary and exit code out.

`python -m pivot.ci` is what the GitHub Action, its image and the GitLab template run. What is
moved is moved by the use cases of the command line; here is only what a CI job adds.

- words: `table` (all inputs and outputs), `event` (who started the job, and is it trusted)
- the CI system: `host` (what it does for a job), in two kinds, `github` and `gitlab`;
  `oidc` (credentials of a role for the job's token), `comment` (on a pull request)
- `inputs`, how they are read; `policy`, what the job may do and what its results mean
- `use_cases` do what it is for; `outcome` counts what came of it; `told` is all that a job tells
- the faces of that, all pure: `report`, `outputs`, `summary` (with `markdown`),
  `notes` on lock files
- `run` is the whole `job`, and `publish` tells what it came to
- `bootstrap` installs what the program needs, where it runs without its image
"""
