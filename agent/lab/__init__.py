"""Teaching the lab model to read: its data, its training, its scores and what ships of it."""
