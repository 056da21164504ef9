"""A believable school to look at: 600 students in 24 classes, families, some history."""
