"""Sources: where documents come from before any model has written one."""
