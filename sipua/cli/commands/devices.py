"""``sipua devices``: the microphones and speakers of this machine."""

from __future__ import annotations

import click

from sipua.cli.exits import ExitCode
from sipua.cli.options import OutputOptions, output_options
from sipua.cli.running import Run, execute

HELP = """List microphones and speakers, with the number and the name that --mic and --speaker take.

Needs the package sounddevice: pip install "sipua-webrtc[audio]".
"""


@click.command("devices", help=HELP)
@output_options
def command(output: OutputOptions) -> int:
    """List them."""

    async def work(run: Run) -> int:
        from sipua.media.devices import list_devices

        devices = list_devices()
        for device in devices:
            uses = [
                f"{word}{' (default)' if default else ''}"
                for word, channels, default in (
                    ("microphone", device.inputs, device.default_input),
                    ("speaker", device.outputs, device.default_output),
                )
                if channels
            ]
            text = f"{device.index:3}  {device.name}  [{device.host}]  {', '.join(uses)}  {device.rate} Hz"
            run.output.event(
                "device",
                text,
                index=device.index,
                name=device.name,
                host=device.host,
                inputs=device.inputs,
                outputs=device.outputs,
                rate=device.rate,
                default_input=device.default_input,
                default_output=device.default_output,
            )
        if not devices:
            text = "there are no sound devices; calls work with files and tones"
            run.output.event("warning", text, message=text)
        return ExitCode.OK

    return execute(output, work)
