"""Batches as Arrow tables."""

from __future__ import annotations

from typing import Any

from . import _kq


def table(batch: _kq.Batch) -> Any:
    """topic, partition, offset, timestamp, key, value; called by Batch.to_arrow."""
    try:
        import pyarrow as pa  # type: ignore[import-not-found,import-untyped,unused-ignore]
    except ImportError as error:
        raise ImportError("to_arrow needs pyarrow: pip install pyarrow") from error
    count = len(batch)

    def int64s(name: str, kind: Any) -> Any:
        return pa.Array.from_buffers(kind, count, [None, pa.py_buffer(batch._int64s(name))])

    def blobs(name: str) -> Any:
        data, ends, valid = batch._blob(name)
        return pa.Array.from_buffers(pa.large_binary(), count, [pa.py_buffer(valid), pa.py_buffer(ends), pa.py_buffer(data)])

    return pa.table(
        {
            "topic": pa.array([record.topic for record in batch], pa.string()).dictionary_encode(),
            "partition": int64s("partition", pa.int64()).cast(pa.int32()),
            "offset": int64s("offset", pa.int64()),
            "timestamp": int64s("timestamp", pa.timestamp("ms", tz="UTC")),
            "key": blobs("key"),
            "value": blobs("value"),
        }
    )
