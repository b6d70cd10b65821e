"""Measure the routes of a workspace on questions of one's own, and say which is best."""
