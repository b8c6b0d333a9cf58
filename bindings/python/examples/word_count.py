"""Counts words: lines come in on one topic, running totals go out on another, keyed by the word.

    word_count.py SERVERS LINES COUNTS [HOW_MANY_LINES]
"""

import collections
import re
import sys

import libkq as kq


def main(servers: str, lines: str, counts: str, limit: str | None = None) -> None:
    totals: collections.Counter[str] = collections.Counter()
    seen = 0
    with kq.Consumer(servers, lines, group="word-count", start="earliest") as consumer, kq.Producer(servers) as producer:
        for batch in consumer.batches():
            words = [word for record in batch for word in re.findall(r"\w+", record.value.decode().lower())]
            totals.update(words)
            producer.send_many(counts, [(word, str(totals[word])) for word in set(words)])
            producer.flush()
            consumer.commit(batch)
            seen += len(batch)
            if limit is not None and seen >= int(limit):
                return


if __name__ == "__main__":
    main(*sys.argv[1:])
