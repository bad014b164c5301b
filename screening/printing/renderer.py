"""WeasyPrint in processes of its own: a helper, and for each page a child of it with limits.

The helper reads nothing that a patient wrote. renderer_process.py starts it without the rest of the
application.
"""

import base64
import gc
import json
import os
import resource
import select
import signal
import socket
from contextlib import suppress
from datetime import datetime
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NoReturn
from xml.etree import ElementTree

from screening.printing import conformance, fonts, text_extraction
from screening.printing.page import Attached, Page
from screening.private_memory import forbid_dumps
from screening.reports import bidi

STYLES = Path(__file__).parent.parent.parent / "static" / "css"
ELEMENTS = "pdf-base.css"
PICTURE = "data:image/png;base64,"


class Missing(Exception):
    """A library for printing is not installed; the message names the command that installs it."""


class Renderer:
    """WeasyPrint with one font configuration and with style sheets that are parsed once.

    A new font configuration for each page would take longer and leak memory.
    """

    def __init__(self) -> None:
        fonts.use_own_fonts()
        # Imported here: WeasyPrint reads the font configuration when it is imported.
        try:
            import weasyprint
            from cssselect2 import ElementWrapper
            from weasyprint.text.fonts import FontConfiguration
            from weasyprint.urls import FatalURLFetchingError, URLFetcher
        except OSError as err:
            raise Missing(
                "Pango is missing; run: apt-get install libpango-1.0-0 libpangoft2-1.0-0"
            ) from err

        class RefuseOthers(URLFetcher):  # type: ignore[misc]
            """A fetcher that refuses all pictures but those that the page itself holds.

            WeasyPrint stops at a FatalURLFetchingError; after other errors it prints the page
            without the picture.
            """

            def fetch(self, url: str, headers: Any = None) -> Any:
                if url.startswith(PICTURE):
                    return super().fetch(url, headers)
                raise FatalURLFetchingError(f"a printed page asked for {url[:100]!r}")

        text_extraction.install()
        self._weasyprint = weasyprint
        self._fonts = FontConfiguration()
        self._fetcher = RefuseOthers(allowed_protocols=("data",))
        self._styles = {file.name: self._style(file) for file in sorted(STYLES.glob("pdf*.css"))}
        elements = self._styles[ELEMENTS]
        fetcher = self._fetcher

        class XmlPage(weasyprint.HTML):  # type: ignore[misc]
            """A page that is read as XML and styled by our few elements, which takes less time."""

            base_url = None
            url_fetcher = fetcher
            media_type = "print"

            def __init__(self, text: str) -> None:
                # Our templates declare no entities, so none can be expanded.
                self.etree_element = ElementTree.fromstring(text)  # noqa: S314
                bidi.resolve(self.etree_element)
                self.wrapper_element = ElementWrapper.from_html_root(
                    self.etree_element, content_language=None
                )

            def _ua_stylesheets(self, forms: bool = False) -> list[Any]:
                return [elements]

        self._page_class = XmlPage

    def _style(self, file: Path) -> Any:
        text = file.read_text(encoding="utf-8")
        return self._weasyprint.CSS(string=text, url_fetcher=self._fetcher, font_config=self._fonts)

    def render(self, page: Page) -> tuple[bytes, set[str]]:
        """Return the page as a tagged PDF, and the characters that no font has."""
        style = self._styles[page["style"]]
        html = self._page_class(page["html"])
        document = html.render(font_config=self._fonts, stylesheets=[style])
        if (attached := page["attached"]) is not None:
            created = datetime.fromisoformat(attached["created"])
            attachment = self._weasyprint.Attachment(
                string=attached["content"],
                name=attached["name"],
                description=attached["description"],
                relationship="Source",
                created=created,
                modified=created,
                url_fetcher=self._fetcher,
            )
            document.metadata.attachments = [attachment]
        conformance.identify(document)
        repair = conformance.Repair(to_be_signed=page["to_be_signed"])
        content: bytes = document.write_pdf(pdf_variant=conformance.VARIANT, finisher=repair)
        return content, {chr(code) for font in document.fonts.values() for code in font.missing}


# A sample page that nobody sees. It has each kind of part once, so that little is left to load for
# a summary. It takes a fifth of the time of a summary.
WARM_UP = Page(
    html=(
        '<html lang="en"><head><title>Page</title></head><body><main><h1>Page</h1>'
        '<div class="finding caution"><h3>1. <span class="tag">Tag</span> Heading</h3>'
        '<p>Text <span class="small">more text</span></p></div>'
        '<table><caption>Table</caption><thead><tr><th scope="col">Head</th></tr></thead>'
        "<tbody><tr><td>Cell</td></tr></tbody></table>"
        '<ul class="boxes"><li>Item</li></ul>'
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><title>Shape</title>'
        '<path d="M0 0h9v9z" fill="#111"/></svg>'
        f'<img class="qr" alt="Picture" src="{PICTURE}iVBORw0KGgoAAAANSUhEUgAAAAEAAAABAQAAAAA3bvkk'
        'AAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg=="/>'
        "</main></body></html>"
    ),
    style="pdf.css",
    to_be_signed=True,
    attached=Attached(
        name="page.json", description="Page", content="{}", created="2026-11-23T10:00:00+00:00"
    ),
)


def serve(descriptor: int, seconds: int, memory: int) -> NoReturn:
    """Render the pages that arrive over a socket, each in a child process, until it is closed.

    Each message brings another socket, over which a page is read and answered: several processes
    may share this renderer. This process passes it on and reads no page. It renders WARM_UP first,
    so that no child has to load what it needs. Each child renders it too, unless a page waits
    already: most of the memory that a child writes to is then copied while nobody waits. If a child
    ends without an answer, this process answers with its exit code or the name of its signal.
    """
    # Ctrl-C ends the server, which then closes the socket
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(10)  # patients who fill in the form go first
    forbid_dumps()
    requests = socket.socket(fileno=descriptor)
    gc.disable()  # almost nothing becomes garbage here
    try:
        renderer = Renderer()
        renderer.render(WARM_UP)
        gc.freeze()  # children share this memory for as long as nobody writes to it
    except Exception as err:  # noqa: BLE001 - every failure must be reported
        fault = str(err) if isinstance(err, Missing) else f"at start: {type(err).__name__}"
        _refuse(_next_page(requests), fault)
        os._exit(0)
    page = None
    while True:
        ours, theirs = socket.socketpair()
        child = os.fork()  # before a page is requested, so that nobody waits for it
        if child == 0:
            ours.close()
            _serve_page(renderer, requests, theirs, seconds, memory)
        theirs.close()
        page = page or _next_page(requests)
        with ours:
            try:
                socket.send_fds(ours, [b"."], [page.fileno()])
                taken = True
            except BrokenPipeError:  # the child was killed while it waited
                taken = False
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if taken:
            if code:
                _refuse(page, signal.Signals(-code).name if code < 0 else f"exit code {code}")
            page.close()
            page = None


def _next_page(requests: socket.socket) -> Connection:
    """Wait for the socket of the next page; end this process when no process can send one."""
    _message, descriptors, _flags, _address = socket.recv_fds(requests, 1, 1)
    if not descriptors:
        os.killpg(0, signal.SIGKILL)  # with the child that waits
    return Connection(descriptors[0])


def _refuse(page: Connection, error: str) -> None:
    with suppress(OSError):  # the process that waited has ended
        page.send_bytes(_reply(error=error))


def _serve_page(
    renderer: Renderer, requests: socket.socket, parent: socket.socket, seconds: int, memory: int
) -> NoReturn:
    """Render one page within limits that the kernel enforces, reply and end the process."""
    code = 1
    try:
        nobody_waits = not select.select([requests, parent], [], [], 0)[0]
        requests.close()
        if nobody_waits:
            renderer.render(WARM_UP)
        page = _next_page(parent)
        message = page.recv_bytes()
        signal.alarm(seconds)
        for limit, soft, hard in (
            (resource.RLIMIT_CPU, seconds, seconds + 1),
            (resource.RLIMIT_AS, memory, memory),
            (resource.RLIMIT_FSIZE, 0, 0),  # a child writes no file
        ):
            resource.setrlimit(limit, (soft, hard))
        try:
            content, missing = renderer.render(json.loads(message))
            printed = base64.b64encode(content).decode()
            reply = _reply(content=printed, missing="".join(sorted(missing)))
        except BaseException as err:  # noqa: BLE001 - only the name of a failure may be reported
            reply = _reply(error=type(err).__name__)
        page.send_bytes(reply)
        code = 0
    except (EOFError, ConnectionError):
        code = 0  # the process that sent the page has ended
    finally:
        os._exit(code)


def _reply(*, error: str = "", content: str = "", missing: str = "") -> bytes:
    return json.dumps({"error": error, "content": content, "missing": missing}).encode()
