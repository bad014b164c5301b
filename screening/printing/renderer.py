"""WeasyPrint in processes of its own: a helper, and for each page a child of it with limits.

The helper reads nothing that a patient wrote. renderer_process.py starts it without the rest of the
application.
"""

import base64
import gc
import json
import os
import resource
import signal
from datetime import datetime
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NoReturn, TypedDict
from xml.etree import ElementTree

from screening.printing import conformance, fonts, text_extraction
from screening.private_memory import forbid_dumps
from screening.reports import bidi

STYLES = Path(__file__).parent.parent.parent / "static" / "css"
ELEMENTS = "pdf-base.css"
PICTURE = "data:image/png;base64,"
SECONDS = 10  # for each page; one with the longest answers takes less than one second
MEMORY = 1 << 30  # bytes of address space
BY_SIGNAL = 128  # exit codes above it name the signal, as in shells
_CLOSED = 100  # exit code of a child whose connection was closed


class Attached(TypedDict):
    """A file within the PDF: its machine-readable source. `created` is a time in ISO 8601."""

    name: str
    description: str
    content: str
    created: str


class Page(TypedDict):
    """A page to print."""

    html: str  # well-formed XML too
    style: str  # file name of the style sheet
    to_be_signed: bool
    attached: Attached | None


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
            """Fetches only pictures that the page holds itself.

            WeasyPrint stops at a FatalURLFetchingError; after others it prints without the part.
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
    """Render the pages requested over a socket, each in a child process, until it is closed.

    This process renders WARM_UP first, so that no child has to load what it needs. Each child
    renders it too, unless a page waits already: most of the memory that a child writes to is then
    copied while nobody waits. If a child ends without an answer, this process ends with the child's
    exit code, or with BY_SIGNAL plus the number of the signal.
    """
    # Ctrl-C ends the server, which then closes the socket
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(10)  # patients who fill in the form go first
    forbid_dumps()
    connection = Connection(descriptor)
    gc.disable()  # almost nothing becomes garbage here
    try:
        renderer = Renderer()
        renderer.render(WARM_UP)
        gc.freeze()  # children share this memory for as long as nobody writes to it
    except Exception as err:  # noqa: BLE001 - every failure must be reported
        fault = str(err) if isinstance(err, Missing) else f"at start: {type(err).__name__}"
        request = json.loads(connection.recv_bytes())
        connection.send_bytes(_reply(request["number"], error=fault))
        os._exit(0)
    while True:
        child = os.fork()  # before a page is requested, so that nobody waits for it
        if child == 0:
            _serve_page(renderer, connection, seconds, memory)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if code == _CLOSED:
            os._exit(0)
        if code != 0:
            os._exit(BY_SIGNAL - code if code < 0 else code)


def _serve_page(renderer: Renderer, connection: Connection, seconds: int, memory: int) -> NoReturn:
    """Render one page within limits that the kernel enforces, reply and end the process."""
    code = 1
    try:
        if not connection.poll():
            renderer.render(WARM_UP)
        try:
            message = connection.recv_bytes()
        except (EOFError, ConnectionError):
            code = _CLOSED
            return  # type: ignore[misc] # `finally` ends the process
        signal.alarm(seconds)
        for limit, soft, hard in (
            (resource.RLIMIT_CPU, seconds, seconds + 1),
            (resource.RLIMIT_AS, memory, memory),
            (resource.RLIMIT_FSIZE, 0, 0),  # a child writes no file
        ):
            resource.setrlimit(limit, (soft, hard))
        request = json.loads(message)
        try:
            content, missing = renderer.render(request["page"])
            printed = base64.b64encode(content).decode()
            reply = _reply(request["number"], content=printed, missing="".join(sorted(missing)))
        except BaseException as err:  # noqa: BLE001 - only the name of a failure may be reported
            reply = _reply(request["number"], error=type(err).__name__)
        connection.send_bytes(reply)
        code = 0
    finally:
        os._exit(code)


def _reply(number: int, *, error: str = "", content: str = "", missing: str = "") -> bytes:
    reply = {"number": number, "error": error, "content": content, "missing": missing}
    return json.dumps(reply).encode()
