"""``sipua phone``: the model of a phone, and three ways to use it: a screen, lines of text, and remote control.

`phone.Phone` holds accounts, calls, history, contacts and messages, and knows nothing of who looks at it: what happens
goes out as the events of `sipua.cli.events`, what is wanted comes in as the commands of `commands.COMMANDS`. Only
`screen` imports textual.
"""
