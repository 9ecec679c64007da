"""Others' programs that do what ours do, measured in the same run. Each lives in an environment of its own, or in ours."""
