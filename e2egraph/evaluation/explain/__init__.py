"""What a score rests on, and how an object looks."""
