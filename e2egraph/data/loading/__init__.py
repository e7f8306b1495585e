"""From the jets of a data set to batches: the order of an epoch, pools read ahead, padded or ragged batches."""
