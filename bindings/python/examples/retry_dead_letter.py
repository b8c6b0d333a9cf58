"""Retry and dead letter: what cannot be done is tried again later, and set aside after three times.

    retry_dead_letter.py SERVERS JOBS [HOW_MANY_JOBS]

A job that fails goes to JOBS-retry with its count in a header, so it holds up nobody behind it; after the last try it goes to JOBS-dead.
"""

import sys

import libkq as kq

TRIES = 3


def work(job: kq.Record) -> None:
    if job.value.startswith(b"bad"):
        raise ValueError("this one never works")


def main(servers: str, jobs: str, limit: str | None = None) -> None:
    settled = 0
    with (
        kq.Consumer(servers, jobs, jobs + "-retry", group="workers", start="earliest", enable_auto_commit=False) as consumer,
        kq.Producer(servers) as producer,
    ):
        for job in consumer:
            try:
                work(job)
                settled += 1
            except ValueError as error:
                tries = int(dict(job.headers).get("tries") or b"0") + 1
                dead = tries == TRIES
                headers = {"tries": str(tries), "error": str(error)}
                producer.send(jobs + ("-dead" if dead else "-retry"), job.value, job.key, headers=headers).wait()
                settled += dead
            consumer.commit(job)  # only once it is done, or safe elsewhere
            if limit is not None and settled >= int(limit):
                return


if __name__ == "__main__":
    main(*sys.argv[1:])
