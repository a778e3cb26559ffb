"""The clock time that a camera gave to the first frame: HH:MM:SS:FF, with ; before FF where numbers are dropped."""

import re
from fractions import Fraction


def advanced(timecode: str, seconds: Fraction, rate: Fraction) -> str | None:
    """The timecode of the frame `seconds` later, at `rate` frames per second; None for what is no timecode.

    29.97 frames per second are counted as 30; drop-frame timecodes leave out the first numbers of each minute
    but the tenth, 2 of 30 and 4 of 60, and so stay with the clock (SMPTE ST 12-1).
    """
    found = re.fullmatch(r"(\d\d):(\d\d):(\d\d)([:;.])(\d+)", timecode.strip())
    per_second = round(rate)
    if found is None or per_second < 1:
        return None
    mark = found[4]
    dropped = per_second // 15 if mark != ":" else 0
    per_minute, per_ten = 60 * per_second - dropped, 600 * per_second - 9 * dropped
    hours, minutes, second, frame = (int(found[part]) for part in (1, 2, 3, 5))
    minutes += 60 * hours
    count = (60 * minutes + second) * per_second + frame - dropped * (minutes - minutes // 10)
    count = (count + round(seconds * rate)) % (144 * per_ten)
    tens, rest = divmod(count, per_ten)
    count += dropped * (9 * tens + max(0, rest - dropped) // per_minute)
    minutes, second = divmod(count // per_second, 60)
    return f"{minutes // 60:02}:{minutes % 60:02}:{second:02}{mark}{count % per_second:02}"
