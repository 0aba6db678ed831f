"""Find out what works and what does not, one thing after the other, each with its cure.

- words: `checks`, what is asked and what all answers mean for pull and push; pure
- decisions: `answers` and `grants`, what one answer of a service means; pure
- effects, one kind of place each: `local` (project, configuration, cache), `bucket` (by
  `s3_trials` and `aws_service`), `folder`
- `examine` asks one after the other, what depends on a failure not at all, and cleans up
- `report` says what was found, as text or JSON; pure
"""
