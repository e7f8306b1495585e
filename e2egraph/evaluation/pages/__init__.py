"""``report.html``: one self-contained page of an evaluation or an ablation, for a browser without network."""
