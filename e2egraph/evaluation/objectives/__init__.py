"""What judging a run means, objective by objective: metrics, tables, plots and report sections."""
