"""Share the cached outputs of Pivot pipelines through S3 or a shared folder.

Where things are, lower layers first (a module imports only from layers below its own):

- words: `frozen`, `allocator`, `errors`, `guard`, `objects`, `remote_url`, `budget`, `pace`,
  `manifests`, `quantities`, `deadline`, `room`, `foreign_text`
- documents: `paths`, `documents`, `values`, `schema`, `project`, `keys`, `config`, `config_file`,
  `remote_choice`, `authorities`, `lockfile`, `lock_writer`, `ledger`, `tracked`, `gitignore`,
  `git`, `refs`, `snapshot`
- pipelines: `stage`, `parameters`, `fingerprint`, and `pipeline`, a package: files to one graph
- decisions, all pure: `globs`, `targets`, `plan`, `listing`
- effects: `references`, `history`, `crew`, `ahead`, `transfer`, `scratch` and `partials` (by
  `owner`), `proofs`, `cache` (with `arrivals`, `durable` and `guard`), `tree`, `workspace`,
  `copying`, `placement`, `exchange`, `observer`, `remembered`, `journal`, `remote` (its kinds:
  `folder`; `s3`, with `s3_stat`, `s3_download`, `s3_calls`, `s3_stores`, `s3_errors` and `aws`;
  several as one: `chain`), `remotes`; what only `doctor` asks of S3 are `s3_trials` and
  `aws_service`; `iam` knows what AWS has to allow
- use cases: `session`, `past` (other commits), `export`, `sums`, `push`, `fetch`, `checkout`,
  `verify` (with `deep`), which answer with `results`; `api` has them all
- running stages: `repro`, a package with its own decisions, effects and faces; `overview` and
  `track` are about stages and data as well
- the graph of stages: `graph` (a value), drawn by `graph_text`, `mermaid` and `dot`, all pure
- where stages stand: `whereabouts` of outputs, `stage_states` (the words) and `stage_needs` (the
  graph); `transfer_states` after a transfer; `status` with `standing`, which asks
  `pipeline_states` and, for what is known by its lock alone, `lock_states`; `needed`; and
  `status_report`
- what there is and where: `inventory`, a package: the page, text and JSON of `report`
- what works and what does not: `doctor`, a package with its own effects and faces
- clean-up of cache and remotes: `gc`, a package with its own decisions, effects and report
- import of DVC projects: `dvc`, a package with all of these layers
- comparison of parameters and metrics: `compare` (pure), `revision`, `readings`; `tables` and
  `compare_report` say what it found
- faces: `changes` (whom to ask), `report`, `progress`, `cli` (behind `start`); `ci`, a
  package: the runner for CI jobs
"""

__version__ = "0.1.0"
