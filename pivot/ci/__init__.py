"""Pivot in a CI job: inputs in; outputs, report, summary and exit code out.

`python -m pivot.ci` is what the GitHub Action, its image and the GitLab template run. What is
moved is moved by the use cases of the command line; here is only what a CI job adds.

- words: `table` (all inputs and outputs), `event` (who started the job, and is it trusted)
- the CI system: `host` (what it does for a job), in two kinds, `github` and `gitlab`;
  `oidc` (credentials of a role for the job's token), `comment` (on a pull request)
- `inputs`, how they are read; `told`, what the job tells
- `bootstrap` installs what the program needs, where it runs without its image
"""
