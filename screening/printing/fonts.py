"""The fonts of printed pages: the same files on every machine, by our own fontconfig file."""

import ctypes.util
import os
import tempfile
from contextlib import suppress
from hashlib import sha256
from html import escape
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

# FiraGO has Latin, Cyrillic, Greek, Arabic, Hebrew, Devanagari and Thai. Its package holds each
# file as bytes.
_PACKAGE = "pymupdf_fonts"
_FILES = ("FiraGO_Regular", "FiraGO_Bold")
# The fonts for what FiraGO lacks, by Debian package: their folder, one file that proves that the
# package is installed, and a description of the scripts for people.
_NOTO = {
    "fonts-noto-core": (
        Path("/usr/share/fonts/truetype/noto"),
        "NotoSans-Regular.ttf",
        "most other scripts",
    ),
    "fonts-noto-cjk": (
        Path("/usr/share/fonts/opentype/noto"),
        "NotoSansCJK-Regular.ttc",
        "Chinese, Japanese, Korean",
    ),
}
# Noto Sans, upright, and the three scripts in use today that only Noto Serif has.
_ACCEPTED = (
    "NotoSans*-Regular.*",
    "NotoSans*-Bold.*",
    "NotoSerifTibetan-*",
    "NotoSerifNyia*",
    "NotoSerifYezidi-*",
)

# Debian's packages bring a cache of their fonts; our folder holds the cache of the others.
_CONFIGURATION = """<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "urn:fontconfig:fonts.dtd">
<fontconfig>
{folders}
<cachedir>{own}</cachedir>
<cachedir>/var/cache/fontconfig</cachedir>
<selectfont>
<rejectfont><glob>*/Noto*</glob></rejectfont>
<acceptfont>{accepted}</acceptfont>
</selectfont>
</fontconfig>
"""


def use_own_fonts() -> None:
    """Point fontconfig at our fonts alone, before this process imports WeasyPrint."""
    home = _home(f"screening-fonts-{version('pymupdf-fonts')}")
    for name in _FILES:
        if not (home / f"{name}.ttf").exists():
            _write(home / f"{name}.ttf", import_module(f"{_PACKAGE}.{name}").fontbuffer)
    folders = (home, *(folder for folder, _file, _scripts in _NOTO.values()))
    configuration = _CONFIGURATION.format(
        own=escape(str(home)),
        folders="\n".join(f"<dir>{escape(str(folder))}</dir>" for folder in folders),
        accepted="".join(f"<glob>*/{pattern}</glob>" for pattern in _ACCEPTED),
    )
    # named by its content: two releases can use the same folder
    file = home / f"fonts-{sha256(configuration.encode()).hexdigest()[:8]}.conf"
    _write(file, configuration.encode())
    os.environ["FONTCONFIG_FILE"] = str(file)


def _home(name: str) -> Path:
    """Return a folder that later runs find again, or a new one where none can be written."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    for home in (cache / name, Path(tempfile.gettempdir()) / f"{name}-{os.getuid()}"):
        with suppress(OSError):
            home.mkdir(parents=True, exist_ok=True, mode=0o700)
            # where all users can write, another user may have made this folder
            status = home.lstat()
            is_ours = status.st_uid == os.getuid() and not status.st_mode & 0o022
            if is_ours and os.access(home, os.W_OK):
                return home
    return Path(tempfile.mkdtemp(prefix=f"{name}-"))


def _write(path: Path, content: bytes) -> None:
    """Write a file as a whole, so that another process never reads half of it."""
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
        file.write(content)
    Path(file.name).replace(path)


def missing_parts() -> list[str]:
    """Return what full speed and all scripts still need, each with the command to install it."""
    missing = []
    if find_spec(_PACKAGE) is None:
        missing.append("the font FiraGO: pip install --require-hashes -r requirements.txt")
    for package, (folder, file, scripts) in _NOTO.items():
        if not (folder / file).exists():
            missing.append(f"fonts for {scripts}: apt-get install {package}")
    if ctypes.util.find_library("harfbuzz-subset") is None:
        missing.append("fast font subsetting: apt-get install libharfbuzz-subset0")
    return missing
