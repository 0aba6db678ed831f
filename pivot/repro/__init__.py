"""Run the stages that have to run, and put the outputs of the others in place.

- decisions, all pure: `decide` (has a stage to run, and why), `overlay` (what a path would hold)
- effects: `processes` (commands), `exclusive` (one run at a time), `keeping` (outputs into the
  cache), `saving` and `before` (what is to be replaced is not lost), `supplies` (what cache and
  remote have), `strays` (files that nobody declared), `git_advice`,
  `housekeeping`
- the run: `start`, `planner` (with `inputs` and `parameter_values`), `run`, `schedule`, `runner`;
  it answers with `results`
- faces: `watcher`, `log`, `report`
"""
