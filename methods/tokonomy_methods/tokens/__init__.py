"""Pure functions over tensors of tokens: schedules, scores, selection, matching, merging."""
