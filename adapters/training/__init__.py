"""Train LoRA adapters: read and check what they learn from, train, say how far it is."""
