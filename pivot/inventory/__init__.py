"""What a project has and where it is: `pivot report`, as a page, as text and as JSON.

Lower layers first:

- `values`: an inventory and its parts
- `tally`: count outputs, duplicates and growth; pure
- `look`: the use case: ask workspace, cache, remote and git, and count
- `markup` and `charts`: text that means nothing to a browser, tables and bars; pure
- `page` (with `page.css`): the page; `told`: text and JSON; all pure
"""
