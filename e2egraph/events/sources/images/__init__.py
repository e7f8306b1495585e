"""Image files: their planes, their containers, and the points they hold."""
