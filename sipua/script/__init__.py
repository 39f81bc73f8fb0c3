"""Scripts: what shall happen in a call, and what must, as a list of steps. See docs/scripts.md.

::

    script = parse_script("dtmf 123; expect tone 440 within 5s")
    call = ua.call("600", **script.media_options)
    outcome = await run_script(script, call)
    assert outcome.passed, str(outcome)
"""

from sipua.script.junit import junit_xml, write_junit
from sipua.script.lexer import ScriptError
from sipua.script.runner import Outcome, StepResult, run_script
from sipua.script.script import Script, load_script, parse_script
from sipua.script.stage import StepFailed

__all__ = [
    "Outcome",
    "Script",
    "ScriptError",
    "StepFailed",
    "StepResult",
    "junit_xml",
    "load_script",
    "parse_script",
    "run_script",
    "write_junit",
]
