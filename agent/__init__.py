"""Decides and acts: settings, workspace, commands; the router and the façade build on these."""
