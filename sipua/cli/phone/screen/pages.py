"""The pages below the calls: log, history, contacts, messages, trace, figures, accounts."""

from __future__ import annotations

import datetime
import time
from collections import deque
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text
from textual.containers import Vertical, VerticalScroll
from textual.widgets import OptionList, RichLog, TabbedContent, TabPane
from textual.widgets.option_list import Option

from sipua.cli.phone.finding import short
from sipua.cli.phone.screen.figures import account_line, statistics_text
from sipua.cli.phone.screen.keys import PAGES
from sipua.cli.phone.screen.shown import Shown
from sipua.cli.phone.screen.summary import summary_of
from sipua.cli.report import clock

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.events import Resize
    from textual.widget import Widget

    from sipua.cli.phone.bulletin import News
    from sipua.cli.phone.line import Line
    from sipua.cli.phone.phone import Phone

__all__ = ["Pages"]

#: SIP messages that are kept.
TRACED = 500

#: What is shown as long as there is nothing.
_EMPTY = {
    "history": "no calls yet",
    "contacts": "no contacts yet; n remembers somebody",
    "messages": "no messages yet; s writes one",
    "trace": "no SIP messages yet",
}

_STYLES = {
    "confirmed": "green",
    "registered": "green",
    "message": "bold",
    "call": "bold",
    "failed": "red",
    "registration_failed": "red",
    "disconnected": "yellow",
    "warning": "yellow",
}


class Log(RichLog):
    """Shows its end also after it has become smaller."""

    def on_resize(self, event: Resize) -> None:
        """There are more or fewer calls above it."""
        self.call_after_refresh(self.scroll_end, animate=False)


def _content(page: str) -> Widget:
    if page in ("events", "messages"):
        return Log(wrap=True, max_lines=2000)
    return VerticalScroll(Shown()) if page == "stats" else OptionList()


class Pages(Vertical):
    """All pages; `show` brings those up to date whose content is not a log."""

    def __init__(self, phone: Phone) -> None:
        super().__init__(id="pages")
        self._phone = phone
        self._traced: deque[tuple[str, str]] = deque(maxlen=TRACED)
        self._shown: dict[str, Any] = {}
        self._unseen: set[str] = set()

    def compose(self) -> ComposeResult:
        """A pane for each page."""
        titles = {name: f"{key} {title}" for name, key, title, _ in PAGES}
        with TabbedContent(initial="events"):
            for name, title in titles.items():
                with TabPane(title, id=name):
                    yield _content(name)

    def on_mount(self) -> None:
        """Say of each list that it is empty."""
        self._fill("trace", [])

    @property
    def active(self) -> str:
        """The page that is shown."""
        return self.query_one(TabbedContent).active

    def options(self, page: str) -> OptionList:
        """The list of a page."""
        return self.query_one(f"#{page} OptionList", OptionList)

    def focus_page(self, page: str) -> None:
        """Show it, and let its content have the keys."""
        self.query_one(TabbedContent).active = page
        self.query_one(f"#{page}").query("Log, OptionList, VerticalScroll").first().focus()

    @property
    def focused_page(self) -> str | None:
        """The page whose content has the keys."""
        focused = self.screen.focused
        return self.active if focused is not None and self in focused.ancestors else None

    def on_tabbed_content_tab_activated(self, event: TabbedContent.TabActivated) -> None:
        """What it has is seen."""
        self._mark(self.active, unseen=False)

    def _mark(self, page: str, *, unseen: bool) -> None:
        """A dot before the title of a page, for a missed call or a message that nobody has seen."""
        if unseen == (page in self._unseen):
            return
        self._unseen ^= {page}
        key, title = next((key, title) for name, key, title, _ in PAGES if name == page)
        label = f"{key}[bold $warning]•{title}[/]" if unseen else f"{key} {title}"
        self.query_one(TabbedContent).get_tab(page).label = label

    def highlighted(self, page: str) -> int | None:
        """The index of the line that is highlighted."""
        return self.options(page).highlighted

    @property
    def _width(self) -> int:
        """Of a line. A log that is not shown has none of its own."""
        return max(20, self.size.width - 3)

    # --- logs ---------------------------------------------------------------------------------------------

    def log_line(self, text: str, style: str = "") -> None:
        """A line of the log, with its time."""
        now = Text(f"{datetime.datetime.now():%H:%M:%S}", "dim")
        self.query_one("#events RichLog", RichLog).write(_hung(now, Text(text, style)), width=self._width)

    def tell(self, news: News) -> None:
        """Something happened."""
        if news.text is not None:
            self.log_line(news.text, _STYLES.get(news.name, ""))
        if news.name == "sip":
            self._trace(news)
        elif news.name == "message":
            self._mark("messages", unseen=self.active != "messages")
        elif news.name == "history" and news.fields["entry"]["outcome"] == "missed":
            self._mark("history", unseen=self.active != "history")

    def _trace(self, news: News) -> None:
        message, way = news.fields["message"], "←" if news.fields["direction"] == "in" else "→"
        first, sequence = summary_of(message, came=way == "←")
        title = f"{datetime.datetime.now():%H:%M:%S.%f}"[:-3]
        options = self.options("trace")
        if not self._traced:
            options.clear_options()
        self._traced.append((f"{title} {way} {first}", message))
        at_end = options.highlighted in (None, options.option_count - 1)
        if options.option_count >= TRACED:
            options.remove_option_at_index(0)
        options.add_option(Option(Text.assemble((title, "dim"), f" {way} {first}", (f"  {sequence}", "dim"))))
        if at_end:
            options.highlighted = options.option_count - 1

    def traced(self, index: int) -> tuple[str, str]:
        """Title and text of a SIP message."""
        return self._traced[index]

    # --- lists --------------------------------------------------------------------------------------------

    def show(self, chosen: Line | None) -> None:
        """As everything is now; `chosen` is the account that calls go out from."""
        book = self._phone.book
        if self._changed("history", (len(book.history), book.history[-1:], tuple(book.contacts))):
            self._fill("history", [self._history_line(entry) for entry in reversed(book.history)])
        if self._changed("contacts", tuple(book.contacts)):
            lines = [Text.assemble((f"{c.name:24} ", "bold"), c.target) for c in book.contacts]
            self._fill("contacts", lines, keep=True)
        lines = [
            Text.assemble(("▶ " if line is chosen else "  ", "bold"), account_line(line))
            for line in self._phone.lines
        ]
        if self._changed("lines", [str(line) for line in lines]):
            self._fill("lines", lines, keep=True)
        messages = self._phone.messages.all
        if self._changed("messages", [(message.time, message.state) for message in messages]):
            self._write_messages()
        second = (int(time.monotonic()), self._phone.selected)
        if self.active == "stats" and self._changed("stats", second):
            self.query_one("#stats Shown", Shown).show_text(statistics_text(self._phone.selected))

    def _changed(self, page: str, content: Any) -> bool:
        """Whether it is not what is shown; what is shown at first is nothing."""
        if page in self._shown and self._shown[page] == content:
            return False
        self._shown[page] = content
        return True

    def _fill(self, page: str, lines: list[Text], *, keep: bool = False) -> None:
        options = self.options(page)
        before = options.highlighted
        options.clear_options()
        options.add_options([Option(line) for line in lines])
        if not lines:
            options.add_option(Option(Text(_EMPTY[page], "dim"), disabled=True))
        if lines:
            options.highlighted = min(before or 0, len(lines) - 1) if keep else 0

    def _history_line(self, entry: Any) -> Text:
        when = datetime.datetime.fromisoformat(entry.time).astimezone()
        day = "%H:%M:%S" if when.date() == datetime.datetime.now().astimezone().date() else "%Y-%m-%d %H:%M"
        way = "←" if entry.direction == "incoming" else "→"
        name = self._phone.name_of(entry.remote)
        style = "red" if entry.outcome == "missed" else "" if entry.outcome == "answered" else "yellow"
        return Text.assemble(
            (f"{when:{day}} ", "dim"),
            f"{way} {name + '  ' if name else ''}{short(entry.remote)}  ",
            (entry.outcome, style),
            f"  {clock(entry.seconds)}" if entry.seconds else "",
        )

    def _write_messages(self) -> None:
        log = self.query_one("#messages RichLog", RichLog)
        log.clear()
        several = len(self._phone.lines) > 1
        for message in self._phone.messages.all:
            came = message.direction == "incoming"
            state = f"  ({message.state})" if message.state not in ("", "sent") else ""
            who = self._phone.name_of(message.remote) or short(message.remote)
            text = Text.assemble(
                (f"{'←' if came else '→'} {who}: ", "bold" if came else ""), message.body, (state, "yellow")
            )
            when = f"{message.time:%H:%M}{' ' + message.account if several else ''}"
            log.write(_hung(Text(when, "dim"), text), width=self._width)
        if not self._phone.messages.all:
            log.write(Text(_EMPTY["messages"], "dim"), width=self._width)


def _hung(first: Text, text: Text) -> Table:
    """`text` behind `first`; its further lines begin below its first one."""
    table = Table.grid(padding=(0, 1, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    table.add_row(first, text)
    return table
