"""ROC curves: the curve itself, its error band, many at once, and the errors of areas without resampling."""
