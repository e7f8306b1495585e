"""Point clouds in memory and in the shards and the manifest of a data set."""
