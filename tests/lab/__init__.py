"""Real SIP servers for the interop tests: see README.md beside this file."""
