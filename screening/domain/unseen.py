"""Remove invisible characters from a text, except those that change how letters or emoji look."""

import re

# Default_Ignorable_Code_Point of Unicode, without joiners, variation selectors and tags, which have
# patterns of their own below.
_NEVER_SEEN = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff0-\ufffb"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a]"
)
# letters and symbols that look like a space
_BLANKS = str.maketrans(dict.fromkeys("\u2800\u3164\uffa0", " "))
# those of Unicode, and \x0b, which Word and PowerPoint use
_LINE_ENDS = re.compile("\r\n|[\r\x0b\x0c\x85\u2028\u2029]")
_EMOJI = (
    "\u00a9\u00ae\u203c\u2049\u2122\u2139\u2190-\u21ff\u2300-\u23ff\u24c2\u25a0-\u27bf\u2900-\u297f\u2b00-\u2bff"
    "\u3030\u303d\u3297\u3299\U0001f000-\U0001faff"
)
# Scripts in which a joiner chooses the form of a letter: Arabic to Mandaic, those of India, Tibet,
# Burma and Cambodia, Mongolian, and scripts that join letters like these.
_JOINING = (
    "\u0620-\u08ff\u0900-\u0dff\u0f40-\u0fff\u1000-\u109f\u1700-\u18af\u1900-\u1aad\u1b00-\u1c4f\ua800-\uaaff"
    "\uabc0-\uabff\ufb50-\ufdff\ufe70-\ufefc\U00010a00-\U00011fff\U0001e900-\U0001e95f"
)
_VARIANTS = re.compile(
    # A selector of colour or plain text counts only after an emoji or a digit on a keycap.
    f"(?<![{_EMOJI}])(?<![0-9#*](?=\ufe0f\u20e3))[\ufe0e\ufe0f]"
    "|[\ufe00-\ufe0d]|(?<![\u1820-\u18aa])[\u180b-\u180f]"
)
# flags of regions, such as Scotland
_FLAG = "\U0001f3f4[\U000e0030-\U000e0039\U000e0061-\U000e007a]{3,6}\U000e007f"
_TAGS = re.compile(f"({_FLAG})|[\U000e0000-\U000e0fff]")
_SEVERAL_JOINERS = re.compile("([\u200c\u200d])[\u200c\u200d]+")
_JOINERS = re.compile(
    f"(?<![{_JOINING}])\u200c|\u200c(?![{_JOINING}])"
    f"|(?<![{_JOINING}])(?:(?<![{_EMOJI}\ufe0f])\u200d|\u200d(?![{_EMOJI}]))(?![{_JOINING}])"
)


def without_unseen(text: str) -> str:
    """Return the text without invisible characters and marks of direction.

    Every line end becomes a newline. Joiners stay within words of scripts that join letters, such
    as Persian and Hindi; variation selectors and joiners stay within emoji, and tags within flags.
    Control characters stay: the caller refuses them.
    """
    if text.isascii():
        return _LINE_ENDS.sub("\n", text)
    text = _LINE_ENDS.sub("\n", _NEVER_SEEN.sub("", text).translate(_BLANKS))
    text = _TAGS.sub(lambda match: match[1] or "", text)
    return _JOINERS.sub("", _SEVERAL_JOINERS.sub(r"\1", _VARIANTS.sub("", text)))
