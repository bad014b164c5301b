"""WeasyPrint, in processes of its own: a helper that stays, and one child of it for each page, which may use little.

The helper reads nothing that a patient wrote. It is started without the rest of the application
(see renderer_process.py).
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
from screening.reports import bidi

STYLES = Path(__file__).parent.parent.parent / "static" / "css"
ELEMENTS = "pdf-base.css"
PICTURE = "data:image/png;base64,"
SECONDS = 10  # a page of the longest answers takes less than one
MEMORY = 1 << 30  # bytes of address space
BY_SIGNAL = 128  # as shells count
_CLOSED = 100  # the exit code of a child whose line was closed


class Attached(TypedDict):
    """A file within the PDF, which is its machine-readable source.

    `created` is an ISO 8601 moment.
    """

    name: str
    description: str
    content: str
    created: str


class Page(TypedDict):
    """What is to be printed: HTML that is XML too, its style sheet, whether it is to be signed, its attachment."""

    html: str
    style: str
    to_be_signed: bool
    attached: Attached | None


class Missing(Exception):
    """A library that printing needs is not installed. Says which command installs it."""


class Renderer:
    """WeasyPrint with one font configuration and style sheets that are parsed once.

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
            """Fetches nothing but a picture that the page holds itself.

            Only this error stops WeasyPrint: others it swallows, and prints without the part.
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

        class Ours(weasyprint.HTML):  # type: ignore[misc]
            """A page of ours, as WeasyPrint wants it: read as XML, with our few elements, it is done much sooner."""

            base_url = None
            url_fetcher = fetcher
            media_type = "print"

            def __init__(self, text: str) -> None:
                self.etree_element = ElementTree.fromstring(text)  # noqa: S314 - it has no entities but those of XML
                bidi.resolve(self.etree_element)
                self.wrapper_element = ElementWrapper.from_html_root(
                    self.etree_element, content_language=None
                )

            def _ua_stylesheets(self, forms: bool = False) -> list[Any]:
                return [elements]

        self._ours = Ours

    def _style(self, file: Path) -> Any:
        text = file.read_text(encoding="utf-8")
        return self._weasyprint.CSS(string=text, url_fetcher=self._fetcher, font_config=self._fonts)

    def render(self, page: Page) -> tuple[bytes, set[str]]:
        """The page as a tagged PDF, and the characters that no font has."""
        style = self._styles[page["style"]]
        document = self._ours(page["html"]).render(font_config=self._fonts, stylesheets=[style])
        if (one := page["attached"]) is not None:
            created = datetime.fromisoformat(one["created"])
            attachment = self._weasyprint.Attachment(
                string=one["content"],
                name=one["name"],
                description=one["description"],
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


# A page that nobody sees. It has one of each kind of part, so that little is left to load for a
# summary, and takes a fifth of its time.
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
    """Render each page asked for over this socket, in a child each, until the other side closes it.

    This process renders WARM_UP first: what that makes it load, no child has to. Each child renders
    it too, unless a page waits already, so that most of the memory that it needs a copy of is
    copied while nobody waits. Where a child ends without an answer, this process ends too, with the
    child's exit code, or BY_SIGNAL and the number of the signal.
    """
    # Ctrl-C is for the server, which then closes the socket
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(10)  # patients who fill in the form go first
    # nothing that a patient wrote is to be left behind
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    connection = Connection(descriptor)
    gc.disable()  # next to nothing of what is made here is ever garbage
    try:
        renderer = Renderer()
        renderer.render(WARM_UP)
        gc.freeze()  # children share this memory for as long as nobody writes to it
    except Exception as err:  # noqa: BLE001 - whatever it was, it must be told
        why = str(err) if isinstance(err, Missing) else f"at start: {type(err).__name__}"
        connection.send_bytes(_reply(json.loads(connection.recv_bytes())["number"], error=why))
        os._exit(0)
    while True:
        child = os.fork()  # before there is anything to do, so that nobody waits for it
        if child == 0:
            _child(renderer, connection, seconds, memory)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if code != 0:
            os._exit(0 if code == _CLOSED else BY_SIGNAL - code if code < 0 else code)


def _child(renderer: Renderer, connection: Connection, seconds: int, memory: int) -> NoReturn:
    """Render one page within limits that the kernel keeps, answer, end."""
    code = 1
    try:
        if not connection.poll():
            renderer.render(WARM_UP)
        try:
            asked = connection.recv_bytes()
        except (EOFError, ConnectionError):
            code = _CLOSED
            return  # type: ignore[misc] # the last line ends the process
        signal.alarm(seconds)
        for limit, soft, hard in (
            (resource.RLIMIT_CPU, seconds, seconds + 1),
            (resource.RLIMIT_AS, memory, memory),
            (resource.RLIMIT_FSIZE, 0, 0),  # it has no file to write
        ):
            resource.setrlimit(limit, (soft, hard))
        request = json.loads(asked)
        try:
            content, missing = renderer.render(request["page"])
            printed = base64.b64encode(content).decode()
            reply = _reply(request["number"], content=printed, missing="".join(sorted(missing)))
        except BaseException as err:  # noqa: BLE001 - whatever it was, only its name may be told
            reply = _reply(request["number"], error=type(err).__name__)
        connection.send_bytes(reply)
        code = 0
    finally:
        os._exit(code)


def _reply(number: int, *, error: str = "", content: str = "", missing: str = "") -> bytes:
    return json.dumps(
        {"number": number, "error": error, "content": content, "missing": missing}
    ).encode()
