"""Document stores: SQLite for one machine, Weaviate past that."""
