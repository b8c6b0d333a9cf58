"""Exactly once: what is read, what is written and how far reading has come are one transaction.

    exactly_once.py SERVERS FROM TO [HOW_MANY_RECORDS]
"""

import sys

import libkq as kq


def main(servers: str, source: str, target: str, limit: str | None = None) -> None:
    done = 0
    with (
        kq.Producer(servers, transactional_id=f"{source}-to-{target}") as producer,
        kq.Consumer(servers, source, group=f"{source}-to-{target}", start="earliest", enable_auto_commit=False,
                    isolation_level="read_committed") as consumer,
    ):  # fmt: skip
        for batch in consumer.batches():
            with producer.transaction():  # aborted where anything in it fails, and the batch comes again
                for record in batch:
                    producer.send(target, record.value.upper(), record.key)
                producer.send_offsets(consumer, batch)
            done += len(batch)
            if limit is not None and done >= int(limit):
                return


if __name__ == "__main__":
    main(*sys.argv[1:])
