"""Replays loads against :class:`scrim.core.budget.Budget`: scenarios, board, judge, picture."""
