"""What ``inspect`` says of files and of data sets."""
