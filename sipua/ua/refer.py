"""REFER outside of calls (:rfc:`3515#section-2`): asking somebody to call, and being asked."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from sipua.errors import ParseError
from sipua.session import referred
from sipua.session.headers import HeaderLike, header_list
from sipua.session.refer import refer_headers, refer_to_value
from sipua.session.reply import respond
from sipua.session.subscriber import ReferSubscriber
from sipua.session.subscriptions import PACKAGE, ReferUsages
from sipua.sip import Dialog, OutOfOrder, make_response
from sipua.ua.requests import new_request
from sipua.ua.targets import request_target

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sipua.emitter import Handler
    from sipua.session.host import SessionHost
    from sipua.session.session import RTCSession
    from sipua.sip import URI, Replaces, Request, Response, ServerTransaction
    from sipua.ua.ua import UA

logger = logging.getLogger("sipua.ua")


class ReferDialog:
    """The dialog of a REFER: it lives as long as the subscription in it."""

    def __init__(self, ua: UA) -> None:
        self.contact = ua.contact()
        self.usages = ReferUsages(self, busy=self._register_dialog, idle=self._forget)
        self._host: SessionHost = ua
        self._ua = ua
        self._dialog: Dialog | None = None
        self._subscriber: ReferSubscriber | None = None
        self._ids: list[tuple[str, str, str]] = []

    def __str__(self) -> str:
        return f"REFER of {self._ua}"

    # --- our REFER -----------------------------------------------------------------------------------------

    def send(self, subscriber: ReferSubscriber, request: Request) -> None:
        """Send the REFER. A NOTIFY may make the dialog before the response does (:rfc:`6665#section-4.4.1`)."""

        def accepted(response: Response) -> None:
            try:
                if self._dialog is None:
                    self._take(Dialog.from_uac(subscriber.request, response))
                elif response.to_tag == self._dialog.remote_tag:
                    self._dialog.refresh(response)
            except ParseError as error:
                logger.warning("%s: %d: %s", self, response.code, error)  # a NOTIFY may yet make the dialog

        subscriber.on_request_accepted = accepted
        self._subscriber = subscriber
        self._register((request.call_id, request.from_tag or "", ""))
        subscriber.send(request, None)

    def _first_notify(self, request: Request) -> bool:
        """Make the dialog from a NOTIFY; False when it belongs to another branch of a REFER that forked."""
        if self._dialog is not None:
            return False
        dialog = Dialog.from_uas(request, request.to_tag or "")
        if self._subscriber is not None:
            dialog.local_cseq = self._subscriber.sequence
        dialog.confirm()
        self._take(dialog)
        return True

    # --- the peer's REFER ----------------------------------------------------------------------------------

    def receive_refer(self, transaction: ServerTransaction, request: Request) -> None:
        """The REFER that makes the dialog, if somebody takes it."""
        ua = self._ua

        def refuse(code: int, headers: tuple[tuple[str, str], ...], phrase: str | None) -> None:
            ua.respond(
                transaction, make_response(request, code, phrase, to_tag=transaction.to_tag, headers=headers)
            )

        def usages() -> ReferUsages:
            self._dialog = Dialog.from_uas(request, transaction.to_tag)
            self._dialog.confirm()
            return self.usages

        if not request.contact:
            refuse(400, (), "Missing Contact")
            return
        referred.receive_refer(usages, ua, transaction, request, None, refuse)

    # --- the dialog ------------------------------------------------------------------------------------------

    def receive_request(self, transaction: ServerTransaction, request: Request) -> None:
        """A request in the dialog; called by the user agent."""
        dialog = self._dialog
        try:
            if dialog is None or dialog.remote_tag != request.from_tag:
                if request.method != "NOTIFY" or not self._first_notify(request):
                    respond(self, transaction, request, 481)
                    return
            else:
                dialog.receive_request(request)
            event = request.event
        except (OutOfOrder, ParseError) as error:
            respond(self, transaction, request, error.status or 400)
            return
        handler = {"NOTIFY": self.usages.on_notify, "SUBSCRIBE": self.usages.on_subscribe}.get(request.method)
        if handler is None:
            respond(self, transaction, request, 405)
        elif event is None:
            respond(self, transaction, request, 400, phrase="Missing Event")
        elif event.package.lower() != PACKAGE:
            respond(self, transaction, request, 489, (("Allow-Events", PACKAGE),))
        else:
            handler(transaction, request, event)

    def close(self) -> None:
        """The user agent stops; called by it."""
        self.usages.close()

    def _take(self, dialog: Dialog) -> None:
        self._dialog = dialog
        self._register_dialog()

    def _register_dialog(self) -> None:
        assert self._dialog is not None
        self._register(self._dialog.id)

    def _register(self, id: tuple[str, str, str]) -> None:
        self._ids.append(id)
        self._host.add_dialog(id, self)

    def _forget(self) -> None:
        for id in self._ids:
            self._host.remove_dialog(id)
        self._ids.clear()


def refer(
    ua: UA,
    target: str | URI,
    refer_to: str | URI | None,
    replaces: RTCSession | Replaces | None,
    refer_sub: bool,
    extra_headers: HeaderLike,
    event_handlers: Mapping[str, Handler] | None,
) -> ReferSubscriber:
    """What `UA.refer` does."""
    uri = request_target(target, ua.configuration.uri)
    value = refer_to_value(ua, refer_to, replaces)
    headers = header_list(extra_headers)
    dialog = ReferDialog(ua)
    request = new_request(
        "REFER",
        uri,
        from_=ua.identity.from_value(),
        to=f"<{uri}>",
        route=ua.identity.route(),
        headers=(
            ("Contact", dialog.contact),
            *refer_headers(value, str(ua.configuration.uri), refer_sub=refer_sub),
            *ua.standard_headers(),
            *headers,
        ),
    )
    subscriber = ReferSubscriber(dialog.usages, value, event_handlers)
    dialog.send(subscriber, request)
    return subscriber
