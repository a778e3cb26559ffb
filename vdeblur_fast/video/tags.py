"""Which of a file's tags are carried over to the new file."""

WRITTEN_BY_MUXER = {"major_brand", "minor_version", "compatible_brands", "encoder", "duration"}
ONLY_MP4 = {"handler_name", "vendor_id"}
OF_THE_OLD_CODING = ("bps", "number_of_bytes", "number_of_frames", "_statistics_")
MP4_FORMATS = ("mp4", "mov", "ipod", "3gp", "3g2")
HOLD_NEGATIVE = (*MP4_FORMATS, "matroska", "webm")  # times before zero, which sound and B-frames have
MP4_TAGS = {  # what MP4 stores without being asked to store any tag whatever
    "title", "artist", "album_artist", "composer", "album", "date", "comment", "genre", "copyright",
    "grouping", "lyrics", "description", "synopsis", "show", "episode_id", "network", "keywords",
    "creation_time", "track", "disc", "handler_name", "language", "vendor_id", "timecode", "author",
    "performer", "season_number", "episode_sort", "media_type", "hd_video", "gapless_playback",
    "compilation", "encoding_tool",
}  # fmt: skip


def container_tags(metadata: dict[str, str]) -> dict[str, str]:
    """The tags of a container that describe its content."""
    return {key: value for key, value in metadata.items() if key.lower() not in WRITTEN_BY_MUXER}


def stream_tags(metadata: dict[str, str], format_name: str) -> dict[str, str]:
    """The tags of a stream that describe its content, not the way it was coded or multiplexed."""
    left_out = WRITTEN_BY_MUXER if format_name in MP4_FORMATS else WRITTEN_BY_MUXER | ONLY_MP4
    tags = {
        key: value
        for key, value in metadata.items()
        if key.lower() not in left_out and not key.lower().startswith(OF_THE_OLD_CODING)
    }
    if name := tags.pop("name", None):  # what FFmpeg calls the title of a track when it reads it from MP4
        tags.setdefault("title", name)
    return tags


def muxer_options(format_name: str, metadata: dict[str, str], timescale: int) -> dict[str, str]:
    """Options of the muxer that keep tags and times.

    MP4: the index first (so that playing can begin while loading), any tag stored where there are unusual
    ones, and edit lists counted as finely as the frames, or a late start would be rounded to milliseconds.
    Matroska: sound that begins before the picture, as AAC does, stays there instead of delaying the picture.
    """
    if format_name == "matroska":
        return {"avoid_negative_ts": "disabled"}
    if format_name not in MP4_FORMATS:
        return {}
    unusual = any(key.lower() not in MP4_TAGS for key in metadata)
    flags = "+faststart+use_metadata_tags" if unusual else "+faststart"
    return {"movflags": flags, "movie_timescale": str(timescale)}
