"""Share the cached outputs of Pivot pipelines through S3 or a shared folder.

Where things are, lower layers first (a module imports only from layers below its own):

- words: `errors`, `objects`
- documents: `documents`, `project`, `config`, `lockfile`, `tracked`, `git`
- decisions: `references`, `plan`
- effects: `transfer`, `remote` (`folder`, `s3`), `aws`, `cache`, `workspace`
- use cases: `api`
- faces: `report`, `progress`, `cli`
"""

__version__ = "0.1.0"
