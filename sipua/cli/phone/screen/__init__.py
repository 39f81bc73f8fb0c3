"""The phone as a full screen, by textual: a view of `sipua.cli.phone.phone.Phone` and nothing else."""

from sipua.cli.phone.screen.app import PhoneApp, run_screen

__all__ = ["PhoneApp", "run_screen"]
