"""Which way a question goes: features, heads, policy, and learning from outcomes."""
