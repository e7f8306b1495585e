"""Pictures of what there is: jets, events, data sets, and what a score owes to each node."""
