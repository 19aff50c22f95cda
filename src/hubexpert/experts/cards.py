"""The cards of a pool, for what they may tell of the order in which it is scored."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from hubexpert import hub
from hubexpert.errors import HubExpertError
from hubexpert.experts.prior import MOST_TEXT
from hubexpert.records import Source

AT_ONCE = 8


def cards(sources: Sequence[Source]) -> dict[str, str]:
    """Repository -> the beginning of its card at the commit.

    Cards only order what is scored anyway, so scoring does not fail for want of them: offline, or where the Hub does
    not answer, there are none.
    """
    if hub.offline():
        return {}
    with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
        try:
            texts = list(pool.map(lambda source: hub.read_text(source, "README.md", MOST_TEXT), sources))
        except HubExpertError:
            pool.shutdown(wait=False, cancel_futures=True)
            return {}
    return {source.repo: text for source, text in zip(sources, texts, strict=True)}
