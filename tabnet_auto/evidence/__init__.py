"""What was seen of the fit on real rows: samples of rows, cohorts, steps, drift; plain data."""
