"""Phi-3 and its LoRA adapters. This package knows neither Haystack nor the agent."""
