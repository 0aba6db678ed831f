"""Turn a DVC project into one of ours; nothing here imports DVC or runs what a project holds.

- documents: `notes`, `recorded` (`dvc.lock`, `*.dvc`), `settings` (`.dvc/config`), `templates`,
  `variables` and `declared` (`dvc.yaml`), `comments` (writes YAML and keeps its comments)
- decisions, pure: `translated` (one stage), `converted` (one `dvc.yaml`), `plan`
- effects: `store` (DVC's cache), `look` (what there is), `survey` (makes the plan)
- use case and face: `conversion`, `told`
"""
