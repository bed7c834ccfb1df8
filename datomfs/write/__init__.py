"""Making new versions: plan, upload, commit, publish. `writer` is the recipe; the other modules are its steps."""
