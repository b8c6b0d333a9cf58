package io.kq;

import java.util.concurrent.atomic.AtomicInteger;

/**
 * The records that were gathered together, until the last of them is done.  A record's tag is the chunk's number and its place in it.
 * The sending side adds records under the gathering's lock; whoever learns of an outcome takes the record, once.
 */
final class Chunk {
  static final int RECORDS_BITS = 9;
  static final int RECORDS_MAX = 1 << RECORDS_BITS;

  final long number;
  private final Gathering gathering;
  private final SentRecord[] records = new SentRecord[RECORDS_MAX];
  private int count;
  private volatile boolean handedOver;
  /** Records that are not done; while more may be added, RECORDS_MAX above that. */
  private final AtomicInteger open = new AtomicInteger(RECORDS_MAX);

  Chunk(long number, Gathering gathering) {
    this.number = number;
    this.gathering = gathering;
  }

  long firstTag() {
    return number << RECORDS_BITS;
  }

  int count() {
    return count;
  }

  void add(SentRecord record) {
    record.gatheredIn(this);
    records[count++] = record;
  }

  /** Takes out the record at a place; null: somebody has it already. */
  SentRecord take(int place) {
    SentRecord record = records[place];
    records[place] = null;
    return record;
  }

  /** All of it is kq's now.  True: and all of it is done. */
  boolean sealed() {
    handedOver = true;
    return open.addAndGet(count - RECORDS_MAX) == 0;
  }

  /** So many more are done.  True: that was the last of them. */
  boolean done(int records) {
    return open.addAndGet(-records) == 0;
  }

  /** Nothing will be heard of what is left of it. */
  void abandon(RuntimeException why) {
    for (int place = 0; place < RECORDS_MAX; place++) {
      SentRecord record = take(place);
      if (record != null) record.failed(why);
    }
  }

  void handOver() {
    if (!handedOver) gathering.handOver(this);
  }
}
