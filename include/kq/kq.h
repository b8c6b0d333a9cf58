/* kq.h: produce to and consume from Apache Kafka, and any broker that speaks its protocol.
 *
 *   kq_config   *config;    kq_config_new(&config);  kq_config_set(config, "bootstrap.servers", "localhost:9092");
 *   kq_producer *producer;  kq_producer_new(config, &producer);
 *   kq_record    record = KQ_RECORD_INIT;
 *   record.topic = "greetings";  record.value = "hello";  record.value_len = 5;
 *   kq_producer_send(producer, &record);
 *   kq_producer_close(producer, -1);  kq_producer_free(producer);  kq_config_free(config);
 *
 * (examples/ has it with the errors looked at.)  Reading order: errors, configuration, records, batches, producer, consumer,
 * groups, share groups, transactions, admin, statistics, loops, versions, Kafka's error codes.
 *
 * Seven conventions, true of every function below.
 *   own     kq_X_new gives you an X, kq_X_free takes it back.  Freeing NULL does nothing.  What you pass in is copied: it need
 *           only live for the call.
 *   borrow  A const pointer you receive belongs to the object you asked and lives as long as that object.
 *   fail    What can fail returns kq_error *.  NULL is success; *out is written on success alone.  The error is yours: free it.
 *   thread  Producer, consumer, admin and a loop with its own thread may be shared by threads.  Config, batch, rows, request and
 *           error are one thread's at a time, but any thread's: they are independent of the handle that they came from and may
 *           outlive it.
 *   call    kq runs none of your code.  Whatever happens reaches you by poll; a descriptor says when to poll.
 *   time    Timeouts are milliseconds: 0 asks and returns, -1 waits as long as it takes.  Points in time are milliseconds since
 *           1970.
 *   fork    In a forked child a handle of the parent answers KQ_ERR_FORKED; freeing it there closes descriptors, nothing more.
 */
#ifndef KQ_KQ_H
#define KQ_KQ_H

#include <stddef.h>
#include <stdint.h>

#ifdef SWIG
#define KQ_API
#else
#define KQ_API __attribute__((visibility("default")))
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* --------------------------------------------------------------------------------------------------------------- errors ---- */

typedef struct kq_error kq_error;

/* What to do about an error. */
typedef enum kq_verdict {
  KQ_OK      = 0,
  KQ_REFUSED = 1, /* this call was wrong, or was answered with no: change it; the handle goes on */
  KQ_RETRY   = 2, /* not now: nothing was done, do the same again later (for a full budget: after a poll) */
  KQ_ABORT   = 3, /* the transaction cannot be committed: abort it, the handle goes on */
  KQ_FATAL   = 4  /* the handle is of no use any more: free it */
} kq_verdict;

/* Codes: Kafka's own numbers (-1 and above; the enum kq_code at the end), and kq's, at -1000 and below. */
typedef enum kq_own_code {
  KQ_ERR_INTERNAL    = -1000, /* a fault in kq itself; the handle has turned fatal */
  KQ_ERR_ARGUMENT    = -1001, /* an argument that makes no sense */
  KQ_ERR_CONFIG      = -1002, /* a configuration key or value, or a file of them */
  KQ_ERR_SYSTEM      = -1003, /* the operating system refused; the message has its words */
  KQ_ERR_CLOSED      = -1004, /* the handle was closed before */
  KQ_ERR_TIMED_OUT   = -1005, /* the time given has passed; the message says what was missing */
  KQ_ERR_NO_ROOM     = -1006, /* a memory budget is full; the message says which, and what empties it */
  KQ_ERR_RESOLVE     = -1007, /* a host name has no address */
  KQ_ERR_TRANSPORT   = -1008, /* no connection could be made, or it broke */
  KQ_ERR_PROTOCOL    = -1009, /* the peer sent what the protocol forbids */
  KQ_ERR_NO_MEMORY   = -1010, /* the allocator refused */
  KQ_ERR_FORKED      = -1011, /* a handle was used in the child of a fork */
  KQ_ERR_UNSUPPORTED = -1012, /* this kq, or that broker, does not have it */
  KQ_ERR_DATA        = -1013  /* a file, or a record batch, does not hold what it should */
} kq_own_code;

/* All of these accept NULL: code 0, verdict KQ_OK, name "NONE", an empty message. */
KQ_API int32_t     kq_error_code(const kq_error *error);
KQ_API const char *kq_error_name(const kq_error *error);      /* of its code: "UNKNOWN_TOPIC_OR_PARTITION", "TIMED_OUT" */
KQ_API kq_verdict  kq_error_verdict(const kq_error *error);
KQ_API const char *kq_error_message(const kq_error *error);   /* for a person: what failed, where, why, and what helps */
KQ_API const char *kq_error_topic(const kq_error *error);     /* the topic that it is about; NULL: none in particular */
KQ_API int32_t     kq_error_partition(const kq_error *error); /* the partition that it is about; -1: none in particular */
KQ_API kq_error   *kq_error_copy(const kq_error *error);      /* yours, for instance of a const one from a batch */
KQ_API void        kq_error_free(kq_error *error);
/* Makes an error: for libraries on top of kq.  `message` may be NULL. */
KQ_API kq_error   *kq_error_new(int32_t code, kq_verdict verdict, const char *message);
/* The name of a code (the enumerator without KQ_ERR_): static; "UNKNOWN" for a number that kq does not know. */
KQ_API const char *kq_code_name(int32_t code);

/* -------------------------------------------------------------------------------------------------------- configuration ---- */

/* Keys and values as Kafka names and writes them ("linger.ms", "5"); librdkafka's names are accepted as aliases.  A config is a
 * list of strings: kq_X_new checks it as a whole and refuses an unknown key with the nearest known one, and a bad value with what
 * is allowed.  Producer, consumer and admin know each other's keys, so one config (or file) serves all three.  The object made
 * from it keeps a copy. */
typedef struct kq_config kq_config;

KQ_API kq_error   *kq_config_new(kq_config **out);
KQ_API void        kq_config_free(kq_config *config);
KQ_API kq_error   *kq_config_set(kq_config *config, const char *key, const char *value); /* replaces; value NULL: unset */
/* Reads a Java properties file; what it sets replaces what was set before. */
KQ_API kq_error   *kq_config_load(kq_config *config, const char *path);
KQ_API const char *kq_config_get(const kq_config *config, const char *key); /* what was set; NULL: nothing, the default holds */
KQ_API size_t      kq_config_count(const kq_config *config);                /* how many keys are set */
KQ_API const char *kq_config_key_at(const kq_config *config, size_t index); /* in the order of setting; NULL past the last */
KQ_API const char *kq_config_value_at(const kq_config *config, size_t index);

/* One option of the client, for listings and documentation.  Static. */
typedef struct kq_option {
  size_t      size;
  const char *name;          /* "linger.ms" */
  const char *alias;         /* librdkafka's name, where it differs; NULL: none */
  const char *type;          /* "string", "boolean", "int", "double", "list", "enum", "password"; times are "int", in ms */
  const char *default_value; /* as it would be set; NULL: none */
  const char *allowed;       /* "0 .. 900000", "none|gzip|snappy|lz4|zstd"; NULL: anything of the type */
  const char *doc;           /* a sentence or two */
} kq_option;

KQ_API size_t           kq_option_count(void);
KQ_API const kq_option *kq_option_at(size_t index); /* sorted by name; NULL past the last */

/* -------------------------------------------------------------------------------------------------------------- records ---- */

/* A header.  `key` of a received one is not terminated by a zero.  This struct never grows. */
typedef struct kq_header {
  const char *key;
  size_t      key_len;
  const void *value; /* NULL: no value */
  size_t      value_len;
} kq_header;

typedef enum kq_timestamp_type {
  KQ_NO_TIMESTAMP    = -1, /* of a record in an old format */
  KQ_CREATE_TIME     = 0,  /* the producer's */
  KQ_LOG_APPEND_TIME = 1   /* the broker's */
} kq_timestamp_type;

/* A record, on its way out, delivered, or received.  It grows at its end only: start one with KQ_RECORD_INIT. */
typedef struct kq_record {
  size_t           size;         /* sizeof(kq_record) as you compiled it */
  const char      *topic;
  int32_t          partition;    /* to send: -1 means by the key, or without one where it suits */
  int64_t          offset;       /* filled in by delivery and by consumption; -1: not known (acks=0) */
  int64_t          timestamp_ms; /* to send: -1 means now */
  const void      *key;          /* NULL: no key (an empty one is no NULL) */
  size_t           key_len;
  const void      *value;        /* NULL: a tombstone */
  size_t           value_len;
  const kq_header *headers;
  size_t           header_count;
  uint64_t         tag;            /* yours; comes back with the delivery, and never leaves the process */
  int32_t          leader_epoch;   /* of the received batch; -1: not known */
  int16_t          delivery_count; /* share groups: 1 at first; else 0 */
  int8_t           timestamp_type; /* a kq_timestamp_type; filled in by delivery and by consumption */
} kq_record;

#define KQ_RECORD_INIT {sizeof(kq_record), NULL, -1, -1, -1, NULL, 0, NULL, 0, NULL, 0, 0, -1, 0, 0}

/* -------------------------------------------------------------------------------------------------------------- batches ---- */

/* What poll gives: records or events.  A received batch holds on to the broker's response, which keys, values and headers point
 * into: nothing is copied.  Held batches count in the consumer's memory budget, so free them soon. */
typedef struct kq_batch kq_batch;

typedef enum kq_batch_kind {
  KQ_NOTHING    = 0,
  KQ_RECORDS    = 1, /* received records; those of a partition are in order */
  KQ_DELIVERIES = 2, /* sent records and what became of them: kq_batch_error(batch, i) is NULL where it went well */
  KQ_ASSIGNED   = 3, /* partitions that the group has added (topic and partition of each row) */
  KQ_REVOKED    = 4, /* partitions to be given up: committing is still possible, until the batch is released */
  KQ_LOST       = 5, /* partitions that are gone already: a commit would be refused */
  KQ_EVENT      = 6  /* anything else: kq_batch_event says what */
} kq_batch_kind;

typedef enum kq_event {
  KQ_NO_EVENT         = 0,
  KQ_END_OF_PARTITION = 1, /* everything up to the partition's end has been handed out (only with enable.partition.eof=true): each
                              row has topic, partition and the end as its offset.  It comes again after more records. */
  KQ_COMMITTED        = 2, /* what became of kq_consumer_commit_async: each row has topic, partition, offset and the call's tag;
                              kq_batch_error(batch, i) is NULL where it went well */
  KQ_ACKNOWLEDGED     = 3  /* what became of acknowledgements (share groups): each row has topic, partition and offset of a record,
                              and its error.  Of a commit_async it is all, with the call's tag; else what failed, with tag 0 */
} kq_event;

KQ_API kq_batch_kind    kq_batch_kind_of(const kq_batch *batch); /* KQ_NOTHING for NULL */
KQ_API kq_event         kq_batch_event(const kq_batch *batch);
KQ_API size_t           kq_batch_count(const kq_batch *batch);   /* 0 for NULL */
KQ_API const kq_record *kq_batch_at(const kq_batch *batch, size_t index);    /* NULL past the last.  A cheap getter. */
KQ_API const kq_error  *kq_batch_error(const kq_batch *batch, size_t index); /* NULL: this one went well */
KQ_API void             kq_batch_free(kq_batch *batch);

/* ------------------------------------------------------------------------------------------------------------- producer ---- */

/* Sends records.  The defaults are safe: idempotent, acks=all, retried until delivery.timeout.ms, same key to same partition
 * as Java's.  All threads of a process should share one.
 *
 * Memory is bounded by buffer.memory.  What is sent but not yet polled as a delivery costs a few bytes a record of it, so poll, or
 * set delivery.report=errors or none. */
typedef struct kq_producer kq_producer;

/* Connects in the background: an unreachable cluster shows in the first send or poll, not here. */
KQ_API kq_error *kq_producer_new(const kq_config *config, kq_producer **out);
/* Copies the record into its partition's batch and returns: a delivery tells the outcome.  Waits up to max.block.ms where the
 * topic is not known yet, or buffer.memory is full; then KQ_RETRY.  KQ_REFUSED: this record can never be sent (too large, no such
 * partition, ...).  Without error there will be exactly one delivery (as far as delivery.report asks for it). */
KQ_API kq_error *kq_producer_send(kq_producer *producer, const kq_record *record);
/* The same, never waits: KQ_RETRY where send would. */
KQ_API kq_error *kq_producer_try_send(kq_producer *producer, const kq_record *record);
/* Sends an array, in order, until one of them cannot be sent: *sent (unless NULL) says how many were, and the error is that of the
 * next one.  All elements have the size of the first. */
KQ_API kq_error *kq_producer_send_many(kq_producer *producer, const kq_record *records, size_t records_len, size_t *sent);
/* Gives up what has not been sent yet: deliveries with KQ_ERR_CLOSED follow soon.  What is on its way to a broker goes on. */
KQ_API kq_error *kq_producer_purge(kq_producer *producer);
/* Deliveries, KQ_DELIVERIES; *out is NULL where there was none within the timeout.  A failed delivery's record has its key, value
 * and headers again; a successful one has topic, partition, offset, timestamp and tag.  The error is KQ_FATAL alone: a record's
 * own failure is in the batch. */
KQ_API kq_error *kq_producer_poll(kq_producer *producer, int32_t timeout_ms, kq_batch **out);
/* A descriptor that is readable while poll has something to give.  kq's own: do not read or close it. */
KQ_API int       kq_producer_fd(const kq_producer *producer);
/* Sends at once what waits for company, and waits until all that was sent before has been acknowledged or has failed.  Does not
 * need anybody to poll.  KQ_RETRY when the time is over first. */
KQ_API kq_error *kq_producer_flush(kq_producer *producer, int32_t timeout_ms);
/* Records sent and neither acknowledged nor failed yet. */
KQ_API size_t    kq_producer_pending(const kq_producer *producer);
/* How many partitions a topic has.  Asks the cluster where that is not known, and may create the topic there, as sending would. */
KQ_API kq_error *kq_producer_partition_count(kq_producer *producer, const char *topic, int32_t timeout_ms, int32_t *out);
/* Takes no more records, flushes, and fails what is left when the time is over (the error says how many).  Deliveries can still be
 * polled.  Closing twice does nothing. */
KQ_API kq_error *kq_producer_close(kq_producer *producer, int32_t timeout_ms);
/* Closes without waiting: what was not acknowledged is given up, unpolled deliveries are dropped. */
KQ_API void      kq_producer_free(kq_producer *producer);

/* ------------------------------------------------------------------------------------------------------------- consumer ---- */

/* Reads records, of partitions that are assigned by hand, or that come from a group (subscribe).  It fetches ahead of poll, within
 * fetch.buffer.memory.  With a group.id it also keeps account of offsets: see "groups", below. */
typedef struct kq_consumer kq_consumer;
typedef struct kq_rows     kq_rows; /* see admin, below */

/* A partition, and where in it.  It grows at its end only: start one with KQ_TOPIC_PARTITION_INIT. */
typedef struct kq_topic_partition {
  size_t      size; /* sizeof(kq_topic_partition) as you compiled it */
  const char *topic;
  int32_t     partition;
  int64_t     offset;       /* or one of kq_offset */
  int32_t     leader_epoch; /* of the record at offset - 1; -1: not known */
  const char *metadata;     /* to commit: a note of yours beside the offset; NULL: none */
} kq_topic_partition;

/* In place of an offset: these are resolved by the broker when reading starts.  Also in place of a time. */
typedef enum kq_offset {
  KQ_LATEST        = -1,   /* the end: only what comes from now on */
  KQ_EARLIEST      = -2,   /* the first record that is still there */
  KQ_MAX_TIMESTAMP = -3,   /* the record with the largest timestamp (kq_consumer_offsets_at and list_offsets alone) */
  KQ_DEFAULT       = -1000 /* what the group has committed, if there is a group.id and it has; else what auto.offset.reset says */
} kq_offset;

#define KQ_TOPIC_PARTITION_INIT {sizeof(kq_topic_partition), NULL, 0, KQ_DEFAULT, -1, NULL}

KQ_API kq_error *kq_consumer_new(const kq_config *config, kq_consumer **out);
/* Reads exactly these partitions from now on (count 0: none).  A partition that was assigned before and is again, with KQ_DEFAULT,
 * goes on where it was.  An array's elements all have the size of the first. */
KQ_API kq_error *kq_consumer_assign(kq_consumer *consumer, const kq_topic_partition *partitions, size_t partitions_len);
/* Goes on at another offset (or one of kq_offset).  No later poll returns a record from before the seek. */
KQ_API kq_error *kq_consumer_seek(kq_consumer *consumer, const char *topic, int32_t partition, int64_t offset);
/* A paused partition stays assigned, and poll returns nothing of it. */
KQ_API kq_error *kq_consumer_pause(kq_consumer *consumer, const char *topic, int32_t partition);
KQ_API kq_error *kq_consumer_resume(kq_consumer *consumer, const char *topic, int32_t partition);
/* Up to max.poll.records records (KQ_RECORDS) of any of the partitions, or an event; *out is NULL where there was nothing within
 * the timeout.  Fails with
 *   a partition's own trouble (kq_error_topic, kq_error_partition): no such topic, not allowed, offset out of range with
 *       auto.offset.reset=none, a batch that is corrupt.  The partition rests until a seek or a new assignment; the others go on.
 *   KQ_ERR_NO_ROOM, KQ_RETRY: batches that you hold fill the budget: free some.
 *   the group's trouble: not allowed, no common protocol; it is tried again.  KQ_FATAL: another took this group.instance.id.
 * Check sums are verified (check.crcs) and batches decompressed here, on your thread. */
KQ_API kq_error *kq_consumer_poll(kq_consumer *consumer, int32_t timeout_ms, kq_batch **out);
/* The poll that waits now, or else the next one that would, returns at once, with nothing.  From any thread. */
KQ_API kq_error *kq_consumer_wakeup(kq_consumer *consumer);
/* A descriptor that is readable while poll has something to give.  kq's own: do not read or close it. */
KQ_API int       kq_consumer_fd(const kq_consumer *consumer);
/* The offset of the next record that poll will return; one of kq_offset while the broker has not resolved that yet. */
KQ_API kq_error *kq_consumer_position(const kq_consumer *consumer, const char *topic, int32_t partition, int64_t *out);
/* All that is assigned, as rows (see below): topic, partition, position, end_offset and lag (-1: not known yet), paused. */
KQ_API kq_error *kq_consumer_assignment(const kq_consumer *consumer, kq_rows **out);
/* Asks the leaders for the first offset at or after a time (KQ_EARLIEST, KQ_LATEST or KQ_MAX_TIMESTAMP in its place) and fills in
 * `offset` of each; -1 where there is none.  The partitions need not be assigned.  Fails as a whole with the first error. */
KQ_API kq_error *kq_consumer_offsets_at(kq_consumer *consumer, int64_t timestamp_ms, kq_topic_partition *partitions,
                                        size_t partitions_len, int32_t timeout_ms);
/* How many partitions a topic has. */
KQ_API kq_error *kq_consumer_partition_count(kq_consumer *consumer, const char *topic, int32_t timeout_ms, int32_t *out);
/* Commits what auto-commit would, leaves the group, stops fetching and closes the connections, within the time given (-1:
 * default.api.timeout.ms).  It closes in any case; the error tells of what was not committed.  Closing twice does nothing. */
KQ_API kq_error *kq_consumer_close(kq_consumer *consumer, int32_t timeout_ms);
/* Closes without waiting: nothing is committed, and the group learns of it when the session has ended. */
KQ_API void      kq_consumer_free(kq_consumer *consumer);

/* --------------------------------------------------------------------------------------------------------------- groups ---- */

/* Members of a group (group.id) share the partitions of the topics that they subscribe to: each has one reader at a time.  Which
 * ones are yours comes out of poll, before any record of them:
 *   KQ_ASSIGNED  added ones.  Reading goes on at the committed offset; a seek before the next poll is in time.
 *   KQ_REVOKED   they go to another member.  No later poll returns a record of them; you may still commit.  Done is said by
 *                kq_consumer_release, by freeing the batch, or by the next poll of the thread that received it; if none of it
 *                happens within max.poll.interval.ms, they come again as KQ_LOST.
 *   KQ_LOST      they belong to others already: stop what you do with them, and do not commit.
 * With group.protocol=classic and an eager assignor (all but cooperative-sticky) everything is revoked in each rebalance, and what
 * stays is assigned anew.
 *
 * max.poll.interval.ms runs only while there is something to poll and nobody polls; then the member gives way (KQ_LOST), and joins
 * again with the next poll.  So a consumer in an event loop that has nothing to do is never late.
 *
 * Auto-commit (enable.auto.commit) commits at intervals, on revocation and on close what was handed out before the latest poll
 * began, never what the latest poll returned: a record is committed only once you have come back for more, or have released its
 * batch. */

/* Joins the group with these topics; a new list replaces the one before. */
KQ_API kq_error *kq_consumer_subscribe(kq_consumer *consumer, const char *const *topics, size_t topics_len);
/* The same with all topics whose whole name matches a regular expression, those to come as well: matched here (ECMAScript's form)
 * with group.protocol=classic, and by the broker (RE2's) with group.protocol=consumer. */
KQ_API kq_error *kq_consumer_subscribe_pattern(kq_consumer *consumer, const char *pattern);
/* Leaves the group: what was assigned comes as KQ_REVOKED. */
KQ_API kq_error *kq_consumer_unsubscribe(kq_consumer *consumer);
/* You are done with a batch: of KQ_REVOKED, the partitions may go; of KQ_RECORDS, they may be committed without waiting for the
 * next poll.  It stays yours to free. */
KQ_API kq_error *kq_consumer_release(kq_consumer *consumer, kq_batch *batch);

/* Commits offsets (of the next record to read, so the last one's + 1) and waits for the answer, trying again while the coordinator
 * moves.  Count 0: all that polls have handed out, or, with enable.auto.offset.store=false, all that was stored.  Fails with the
 * first error; KQ_ERR_REBALANCE_IN_PROGRESS, KQ_RETRY: poll, then commit what is still yours; KQ_ERR_UNKNOWN_MEMBER_ID,
 * KQ_ERR_ILLEGAL_GENERATION: the partitions have gone to others meanwhile.  timeout_ms -1: default.api.timeout.ms. */
KQ_API kq_error *kq_consumer_commit(kq_consumer *consumer, const kq_topic_partition *offsets, size_t offsets_len,
                                    int32_t timeout_ms);
/* The same without waiting: poll gives the outcome, a KQ_EVENT of KQ_COMMITTED with this tag.  Commits happen in the order of the
 * calls. */
KQ_API kq_error *kq_consumer_commit_async(kq_consumer *consumer, const kq_topic_partition *offsets, size_t offsets_len,
                                          uint64_t tag);
/* Has auto-commit commit these offsets next: for enable.auto.offset.store=false. */
KQ_API kq_error *kq_consumer_store(kq_consumer *consumer, const kq_topic_partition *offsets, size_t offsets_len);
/* What the group has committed of these partitions (count 0: of all that is assigned), as rows: topic, partition, offset (-1:
 * nothing), leader_epoch, metadata (null: none); each with its own error. */
KQ_API kq_error *kq_consumer_committed(kq_consumer *consumer, const kq_topic_partition *partitions, size_t partitions_len,
                                       int32_t timeout_ms, kq_rows **out);

/* Who the consumer is in its group at the moment: what a transaction has to know to commit the consumer's offsets as a part of
 * itself.  It tells of the present member and generation alone: ask for it each time. */
typedef struct kq_group_metadata kq_group_metadata;

KQ_API kq_error   *kq_consumer_group_metadata(const kq_consumer *consumer, kq_group_metadata **out);
/* The same of a consumer that is not libkq's.  Generation -1 and NULL: no member, for a group that has none (partitions assigned by hand). */
KQ_API kq_error   *kq_group_metadata_new(const char *group_id, int32_t generation, const char *member_id,
                                         const char *group_instance_id, kq_group_metadata **out);
KQ_API void        kq_group_metadata_free(kq_group_metadata *metadata);
KQ_API const char *kq_group_metadata_group_id(const kq_group_metadata *metadata);
KQ_API const char *kq_group_metadata_member_id(const kq_group_metadata *metadata);          /* "": no member at the moment */
KQ_API int32_t     kq_group_metadata_generation(const kq_group_metadata *metadata);         /* or member epoch; -1: no member */
KQ_API const char *kq_group_metadata_group_instance_id(const kq_group_metadata *metadata);  /* NULL: not a static member */

/* --------------------------------------------------------------------------------------------------------- share groups ---- */

/* Members of a share group (group.id; KIP-932) share records, not partitions: a record goes to one of them, under a lock, and is done
 * with once that member has accepted it.  One that is released, or whose lock has run out, comes again, to any member, with a higher
 * delivery_count, until the group's limit (5 by default).  So there may be more members than partitions, and order is not kept.
 * Where a new group begins is the group's setting share.auto.offset.reset (latest by default).
 *
 * share.acknowledgement.mode says how records are acknowledged:
 *   implicit   (the default) what polls have given is accepted when the next poll begins, or by a commit.
 *   explicit   each record is acknowledged by a call.  Polling on with some unacknowledged is allowed; their locks run meanwhile.
 * Acknowledgements travel with the next fetch (so with a poll), or at once by a commit.  Those that fail come out of poll as
 * KQ_ACKNOWLEDGED: such a record comes again, unless it was accepted already.
 *
 *   kq_share_consumer_subscribe(consumer, topics, 1);
 *   for (;;) {
 *     kq_batch *batch;  kq_share_consumer_poll(consumer, 1000, &batch);
 *     for (size_t i = 0; i < kq_batch_count(batch); ++i)
 *       kq_share_consumer_acknowledge(consumer, batch, i, 1, work(kq_batch_at(batch, i)) ? KQ_ACCEPT : KQ_RELEASE);
 *     kq_batch_free(batch);
 *   }
 */
typedef struct kq_share_consumer kq_share_consumer;

typedef enum kq_acknowledge {
  KQ_ACCEPT  = 1, /* done */
  KQ_RELEASE = 2, /* not now: it may come again, to any member */
  KQ_REJECT  = 3, /* it cannot be done, by anybody: it does not come again */
  KQ_RENEW   = 4  /* it takes longer: its lock begins anew, and the record stays yours to acknowledge (brokers from 4.2 on) */
} kq_acknowledge;

/* Needs a group.id. */
KQ_API kq_error *kq_share_consumer_new(const kq_config *config, kq_share_consumer **out);
/* Joins the group with these topics; a new list replaces the one before. */
KQ_API kq_error *kq_share_consumer_subscribe(kq_share_consumer *consumer, const char *const *topics, size_t topics_len);
/* Leaves the group.  Records that you hold can still be acknowledged. */
KQ_API kq_error *kq_share_consumer_unsubscribe(kq_share_consumer *consumer);
/* Up to max.poll.records records (KQ_RECORDS), each with its delivery_count, or an event (KQ_ACKNOWLEDGED); *out is NULL where there was
 * nothing within the timeout.  Records are fetched when a poll finds none, so that locks do not run for nothing.  Fails as
 * kq_consumer_poll does; a batch that cannot be read is rejected, so that it does not come to others.  A member that does not poll
 * for max.poll.interval.ms, and does not wait for records either, leaves the group until it polls again. */
KQ_API kq_error *kq_share_consumer_poll(kq_share_consumer *consumer, int32_t timeout_ms, kq_batch **out);
/* The poll that waits now, or else the next one that would, returns at once, with nothing.  From any thread. */
KQ_API kq_error *kq_share_consumer_wakeup(kq_share_consumer *consumer);
/* A descriptor that is readable while poll has something to give, or to do: so poll until it gives nothing.  kq's own. */
KQ_API int       kq_share_consumer_fd(const kq_share_consumer *consumer);
/* Acknowledges `count` records of a batch from `first` on (SIZE_MAX: to its end).  Those that were acknowledged before keep what was
 * said of them: so reject the one that is bad, then accept all.  Refused (INVALID_RECORD_STATE) where all of them were, and with
 * share.acknowledgement.mode=implicit.  Nothing is waited for. */
KQ_API kq_error *kq_share_consumer_acknowledge(kq_share_consumer *consumer, const kq_batch *batch, size_t first, size_t count,
                                               kq_acknowledge how);
/* The same of one record by its offset: the batch need not be there any more. */
KQ_API kq_error *kq_share_consumer_acknowledge_at(kq_share_consumer *consumer, const char *topic, int32_t partition, int64_t offset,
                                                  kq_acknowledge how);
/* Sends what was acknowledged (in implicit mode: accepts what polls have given) and waits for the answers.  *out, unless `out` is NULL,
 * becomes rows with their own errors: topic, partition, first_offset, last_offset.  With out NULL it fails with the first of these.
 * timeout_ms -1: default.api.timeout.ms. */
KQ_API kq_error *kq_share_consumer_commit(kq_share_consumer *consumer, int32_t timeout_ms, kq_rows **out);
/* The same without waiting: poll gives the outcome, a KQ_EVENT of KQ_ACKNOWLEDGED with this tag. */
KQ_API kq_error *kq_share_consumer_commit_async(kq_share_consumer *consumer, uint64_t tag);
/* How long a record is locked for its member; -1: not known before the first records. */
KQ_API int32_t   kq_share_consumer_lock_timeout_ms(const kq_share_consumer *consumer);
/* Sends what was acknowledged, releases what was not (so commit first, in implicit mode, if the last poll's records are done), leaves
 * the group and closes the connections, within the time given (-1: default.api.timeout.ms).  It closes in any case. */
KQ_API kq_error *kq_share_consumer_close(kq_share_consumer *consumer, int32_t timeout_ms);
/* Closes without waiting: the records it holds come again once the broker sees the connection gone, or their locks have run out. */
KQ_API void      kq_share_consumer_free(kq_share_consumer *consumer);

/* --------------------------------------------------------------------------------------------------------- transactions ---- */

/* With transactional.id set, records are sent in transactions: those that read with isolation.level=read_committed see all of one or
 * nothing of it.  One is open at a time; send is refused outside.
 *
 *   for (;;) {
 *     kq_producer_begin(producer, -1);  poll, kq_producer_send ...;  kq_producer_send_offsets(...);  kq_producer_commit(producer, -1);
 *   }
 *
 * The verdict of an error says how to go on: KQ_RETRY, the same call again (it was late, and goes on meanwhile); KQ_ABORT,
 * kq_producer_abort, then begin anew and do the work again; KQ_FATAL, free the producer: another one has its transactional.id now
 * (PRODUCER_FENCED), or the cluster does not let it go on. */

/* Opens a transaction.  The first call makes this producer the only one with its transactional.id, and ends what an earlier one left
 * open: so call it before the consumer whose offsets you commit looks for them.  The cluster learns of a transaction by its first
 * record, so one may stay open without any for as long as you like. */
KQ_API kq_error *kq_producer_begin(kq_producer *producer, int32_t timeout_ms);
/* Commits offsets (of the next record to read, so the last one's + 1) of a consumer's group as part of the transaction.  `group`:
 * kq_consumer_group_metadata, asked for after the poll that gave the records. */
KQ_API kq_error *kq_producer_send_offsets(kq_producer *producer, const kq_topic_partition *offsets, size_t offsets_len,
                                          const kq_group_metadata *group, int32_t timeout_ms);
/* Sends what there is, waits for all of it, and commits.  KQ_ABORT where a record failed: then nothing was committed. */
KQ_API kq_error *kq_producer_commit(kq_producer *producer, int32_t timeout_ms);
/* Drops what was not sent, and aborts.  Closing a producer does so with an open transaction. */
KQ_API kq_error *kq_producer_abort(kq_producer *producer, int32_t timeout_ms);

/* ---------------------------------------------------------------------------------------------------------------- admin ---- */

/* Administration is a request with parameters, and rows with columns: one pair of kinds for all operations.
 *
 *   kq_request *request;  kq_request_new("create_topics", &request);
 *   kq_request_string(request, "topic", "orders");  kq_request_int64(request, "partitions", 4);
 *   kq_rows *rows;  kq_admin_run(admin, request, 5000, &rows);
 *   if (kq_rows_error(rows, 0)) ...
 *
 * The table of all operations.  `in`: parameters; those before the bar are about the whole request, those after it are given for
 * each item (kq_request_item starts the next); ... may be given several times, each adding a value, or not at all; = gives the
 * default; ? may stay unset; the others must be set.  `out`: columns; x[a b] are nested rows; ? may be null.  s string, i int64,
 * b bytes.  There is a row for each item, with its own error.  (kq_operation_... tell the same to programs, with a sentence on each.)
 *
 *   list_topics
 *     in   internal:i=0
 *     out  topic:s topic_id:s internal:i partitions:i
 *   describe_topics
 *     in   | topic:s   (no item: all)
 *     out  topic:s topic_id:s internal:i
 *          partitions[partition:i leader:i leader_epoch:i replicas[node:i] isr[node:i] offline[node:i]]
 *   create_topics
 *     in   validate_only:i=0 | topic:s partitions:i=-1 replication_factor:i=-1 config:s=... assignment:s=...
 *     out  topic:s topic_id:s partitions:i replication_factor:i
 *          each config is "key=value"; each assignment is the brokers of the next partition, "1,2,3"
 *   delete_topics
 *     in   | topic:s
 *     out  topic:s topic_id:s
 *   create_partitions
 *     in   validate_only:i=0 | topic:s partitions:i assignment:s=...
 *     out  topic:s partitions:i
 *          partitions is the new total; the assignments are those of the added ones
 *   delete_records
 *     in   | topic:s partition:i offset:i
 *     out  topic:s partition:i low_watermark:i
 *          records below the offset go; -1: all that there are
 *   describe_cluster
 *     in
 *     out  cluster_id:s controller:i nodes[node:i host:s port:i rack:s? fenced:i]
 *   describe_configs
 *     in   documentation:i=0 | resource_type:s resource:s config:s=...
 *     out  resource_type:s resource:s
 *          configs[config:s value:s? type:s source:s read_only:i sensitive:i documentation:s?
 *                  synonyms[config:s value:s? source:s]]
 *          resource_type is topic, broker, broker_logger, client_metrics or group
 *   alter_configs
 *     in   validate_only:i=0 | resource_type:s resource:s config:s operation:s=set value:s?
 *     out  resource_type:s resource:s
 *          operation is set, delete, append or subtract; items of one resource are changed together and share a row
 *   list_config_resources
 *     in   resource_type:s=...
 *     out  resource_type:s resource:s
 *   list_offsets
 *     in   isolation:s=read_uncommitted | topic:s partition:i timestamp:i
 *     out  topic:s partition:i offset:i timestamp:i leader_epoch:i
 *          timestamp may be -1 latest, -2 earliest, -3 max timestamp, -4 earliest local, -5 latest tiered
 *   list_groups
 *     in   state:s= type:s=
 *     out  group:s type:s? protocol_type:s state:s? coordinator:i
 *   describe_groups
 *     in   | group:s
 *     out  group:s type:s protocol_type:s state:s assignor:s epoch:i? coordinator:i
 *          members[member:s instance:s? client:s host:s epoch:i? assignment[topic:s partition:i]]
 *   delete_groups
 *     in   | group:s
 *     out  group:s
 *   list_group_offsets
 *     in   | group:s
 *     out  group:s
 *          offsets[topic:s partition:i offset:i leader_epoch:i metadata:s?]
 *   alter_group_offsets
 *     in   group:s | topic:s partition:i offset:i metadata:s?
 *     out  topic:s partition:i
 *          for a group without members; offset is of the next record to read
 *   delete_group_offsets
 *     in   group:s | topic:s partition:i
 *     out  topic:s partition:i
 *   list_share_group_offsets
 *     in   | group:s
 *     out  group:s
 *          offsets[topic:s partition:i offset:i? leader_epoch:i lag:i?]
 *   alter_share_group_offsets
 *     in   group:s | topic:s partition:i offset:i
 *     out  topic:s partition:i
 *   delete_share_group_offsets
 *     in   group:s | topic:s
 *     out  topic:s
 *          share groups have offsets of their own kind; these three are for those
 *   describe_producers
 *     in   | topic:s partition:i
 *     out  topic:s partition:i
 *          producers[producer_id:i producer_epoch:i last_sequence:i last_timestamp:i coordinator_epoch:i?
 *                    transaction_start_offset:i?]
 *   list_transactions
 *     in   state:s=... producer_id:i=... running_longer_ms:i=-1 pattern:s?
 *     out  transactional_id:s state:s producer_id:i coordinator:i
 *          pattern is a regular expression for the id
 *   describe_transactions
 *     in   | transactional_id:s
 *     out  transactional_id:s state:s producer_id:i producer_epoch:i timeout_ms:i start_time:i? coordinator:i
 *          partitions[topic:s partition:i]
 *   abort_transactions
 *     in   | topic:s partition:i producer_id:i producer_epoch:i coordinator_epoch:i=0
 *     out  topic:s partition:i producer_id:i
 *          for one that hangs, with no coordinator that knows of it: describe_producers finds it
 *   fence_producers
 *     in   | transactional_id:s
 *     out  transactional_id:s producer_id:i? producer_epoch:i?
 *          shuts out producers with this id and aborts what they have open
 *   describe_acls
 *     in   resource_type:s=any resource:s? pattern_type:s=any principal:s? host:s? operation:s=any permission:s=any
 *     out  resource_type:s resource:s pattern_type:s principal:s host:s operation:s permission:s
 *          as for delete_acls, one filter
 *   create_acls
 *     in   | resource_type:s resource:s pattern_type:s=literal principal:s host:s=* operation:s permission:s=allow
 *     out  resource_type:s resource:s pattern_type:s principal:s host:s operation:s permission:s
 *          resource_type is topic, group, cluster, transactional_id, delegation_token or user; pattern_type literal or
 *          prefixed; permission allow or deny; operation read, write and so on, with underscores
 *   delete_acls
 *     in   | resource_type:s=any resource:s? pattern_type:s=any principal:s? host:s? operation:s=any permission:s=any
 *     out  filter:i acls[resource_type:s resource:s pattern_type:s principal:s host:s operation:s permission:s]
 *          pattern_type may also be match: all rules that apply to a resource of that name
 *   describe_user_scram_credentials
 *     in   | user:s   (no item: all)
 *     out  user:s credentials[mechanism:s iterations:i]
 *   alter_user_scram_credentials
 *     in   | user:s mechanism:s operation:s=set password:s? iterations:i=4096
 *     out  user:s mechanism:s
 *          mechanism is SCRAM-SHA-256 or SCRAM-SHA-512; operation set or delete; the password is salted and hashed here
 *   describe_client_quotas
 *     in   strict:i=0 | entity:s match:s=any name:s?   (no item: all)
 *     out  user:s? client_id:s? ip:s? quotas[quota:s value:s]
 *          entity is user, client_id or ip; match is exact (with the name), default or any; an empty name in a row is
 *          the default of its kind; a value is a decimal number
 *   alter_client_quotas
 *     in   validate_only:i=0 | user:s? client_id:s? ip:s? quota:s value:s?
 *     out  user:s? client_id:s? ip:s? quota:s
 *          without a value the limit goes
 *   elect_leaders
 *     in   election:s=preferred | topic:s partition:i   (no item: all)
 *     out  topic:s partition:i
 *          election is preferred or unclean
 *   alter_partition_reassignments
 *     in   allow_replication_factor_change:i=1 | topic:s partition:i replicas:s?
 *     out  topic:s partition:i
 *          replicas are brokers, "1,2,3"; without them a reassignment under way is given up
 *   list_partition_reassignments
 *     in   | topic:s partition:i   (no item: all)
 *     out  topic:s partition:i replicas[node:i] adding[node:i] removing[node:i]
 *   describe_log_dirs
 *     in   topic:s=... | broker:i   (no item: all brokers)
 *     out  broker:i
 *          dirs[path:s total_bytes:i? usable_bytes:i?
 *               partitions[topic:s partition:i bytes:i offset_lag:i future:i]]
 *   alter_replica_log_dirs
 *     in   | broker:i topic:s partition:i path:s
 *     out  broker:i topic:s partition:i
 *   describe_features
 *     in
 *     out  feature:s min_version:i max_version:i version:i?
 *   update_features
 *     in   validate_only:i=0 | feature:s version:i change:s=upgrade
 *     out  feature:s
 *          change is upgrade, safe_downgrade or unsafe_downgrade; version 0: use it no more
 *   describe_quorum
 *     in
 *     out  leader:i leader_epoch:i high_watermark:i
 *          voters[node:i directory:s end_offset:i last_fetch:i? last_caught_up:i?]
 *          observers[node:i directory:s end_offset:i last_fetch:i? last_caught_up:i?]
 */
typedef struct kq_admin   kq_admin;
typedef struct kq_request kq_request;

KQ_API kq_error *kq_request_new(const char *operation, kq_request **out);
KQ_API void      kq_request_free(kq_request *request);
/* Starts one more item: what is set from now on is about it.  The first item needs no call. */
KQ_API kq_error *kq_request_item(kq_request *request);
/* Set a parameter.  Refused where the operation has none of that name and type. */
KQ_API kq_error *kq_request_string(kq_request *request, const char *name, const char *value);
KQ_API kq_error *kq_request_int64(kq_request *request, const char *name, int64_t value);
KQ_API kq_error *kq_request_bytes(kq_request *request, const char *name, const void *value, size_t value_len);

KQ_API kq_error *kq_admin_new(const kq_config *config, kq_admin **out);
KQ_API void      kq_admin_free(kq_admin *admin);
/* Runs a request and waits for its rows.  The error is that of the request as a whole; those of single items are in the rows.
 * timeout_ms -1: default.api.timeout.ms.  Requests go to several brokers where they must, in as few messages as they can. */
KQ_API kq_error *kq_admin_run(kq_admin *admin, const kq_request *request, int32_t timeout_ms, kq_rows **out);
/* Starts a request and returns; its rows come out of poll with this tag, within default.api.timeout.ms. */
KQ_API kq_error *kq_admin_start(kq_admin *admin, const kq_request *request, uint64_t tag);
/* The rows of a started request that has finished; *out is NULL where there was none within the timeout.  kq_rows_failure tells
 * whether the request as a whole failed. */
KQ_API kq_error *kq_admin_poll(kq_admin *admin, int32_t timeout_ms, kq_rows **out);
/* A descriptor that is readable while poll has something to give.  kq's own: do not read or close it. */
KQ_API int       kq_admin_fd(const kq_admin *admin);

KQ_API size_t          kq_rows_count(const kq_rows *rows); /* 0 for NULL */
KQ_API const kq_error *kq_rows_error(const kq_rows *rows, size_t row);   /* of this row; NULL: it went well */
KQ_API const kq_error *kq_rows_failure(const kq_rows *rows);             /* of the whole request; NULL: it went well */
KQ_API uint64_t        kq_rows_tag(const kq_rows *rows);                 /* as given to kq_admin_start; else 0 */
KQ_API const char     *kq_rows_operation(const kq_rows *rows);           /* "list_topics"; "assignment" for a consumer's */
/* A row's value in a column.  A null, a row past the last, or a column that is not there (or of another type): NULL, or
 * INT64_MIN. */
KQ_API const char     *kq_rows_string(const kq_rows *rows, size_t row, const char *column);
KQ_API int64_t         kq_rows_int64(const kq_rows *rows, size_t row, const char *column);
KQ_API const void     *kq_rows_bytes(const kq_rows *rows, size_t row, const char *column, size_t *out_len);
KQ_API const kq_rows  *kq_rows_nested(const kq_rows *rows, size_t row, const char *column); /* belongs to `rows` */
/* All of it as JSON: an array with an object for each row, nested rows as arrays, and "error" {code, name, message} in a row that
 * failed.  Belongs to `rows`; NULL where memory is out. */
KQ_API const char     *kq_rows_json(const kq_rows *rows);
KQ_API void            kq_rows_free(kq_rows *rows);

/* A parameter or column of an operation, for listings and for bindings that make native types.  Static. */
typedef struct kq_field {
  size_t      size;
  const char *name;          /* columns of nested rows have a dot: "partitions.leader" */
  char        type;          /* 's' string, 'i' int64, 'b' bytes, 'r' nested rows */
  uint8_t     nullable;      /* a column that may be null; a parameter that may stay unset */
  uint8_t     repeated;      /* a parameter that may be given several times */
  uint8_t     per_item;      /* a parameter that is given for each item */
  const char *default_value; /* of a parameter; NULL: none */
  const char *doc;
} kq_field;

KQ_API size_t          kq_operation_count(void);
KQ_API const char     *kq_operation_name(size_t index);                              /* NULL past the last */
KQ_API const char     *kq_operation_doc(const char *operation);                      /* NULL: no such operation */
KQ_API const kq_field *kq_operation_parameter(const char *operation, size_t index);  /* NULL past the last */
KQ_API const kq_field *kq_operation_column(const char *operation, size_t index);     /* NULL past the last */

/* ----------------------------------------------------------------------------------------------------------- statistics ---- */

/* What a handle has done since it was made: one row, whose columns are (in the form of the table above)
 *
 *   producer   age_ms:i records:i failed_records:i batches:i bytes:i retries:i pending_records:i
 *              buffer_bytes:i buffer_bytes_max:i delivery_bytes:i delivery_bytes_max:i
 *              batch_bytes_mean:i batch_bytes_p50:i batch_bytes_max:i batch_records_mean:i batch_records_p50:i batch_records_max:i
 *              nodes[...] partitions[topic:s partition:i leader:i records:i failed_records:i batches:i bytes:i retries:i
 *                                    waiting_batches:i]
 *   consumer   age_ms:i records:i bytes:i batches:i fetch_bytes:i fetch_bytes_max:i lag:i
 *              nodes[...] partitions[topic:s partition:i records:i bytes:i position:i end_offset:i lag:i paused:i]
 *   share      age_ms:i records:i bytes:i batches:i accepted:i released:i rejected:i renewed:i failed_acknowledgements:i
 *   consumer   fetch_bytes:i fetch_bytes_max:i nodes[...] partitions[topic:s partition:i assigned:i records:i bytes:i held:i]
 *   all        nodes[node:i host:s? port:i? requests:i failures:i in_flight:i bytes:i latency_us_mean:i latency_us_p50:i
 *                    latency_us_p95:i latency_us_p99:i latency_us_max:i latency_us[up_to:i count:i]]
 *
 * bytes are those of compressed batches; of a node, of the records sent or of the answers received.  latency_us is the time from a
 * produce or fetch request to its answer, a fetch's wait for records included; the histogram has a row for each bucket with any, and
 * the quantiles are a bucket's upper end, at most a quarter too high.  lag is -1 where it is not known yet.  retries counts batches
 * that were sent once more.  Counting is done by request and by batch, so it costs records nothing; asking takes a turn of the loop.
 * For a line of JSON in a log: kq_rows_json. */
KQ_API kq_error *kq_producer_statistics(kq_producer *producer, kq_rows **out);
KQ_API kq_error *kq_consumer_statistics(kq_consumer *consumer, kq_rows **out);
KQ_API kq_error *kq_share_consumer_statistics(kq_share_consumer *consumer, kq_rows **out);

/* ---------------------------------------------------------------------------------------------------------------- loops ---- */

/* Where a handle's connections and timers live.  kq_X_new gives each handle a thread of its own.  Otherwise make a loop first, and
 * the handles on it with kq_X_new_on:
 *   KQ_LOOP_THREAD  one thread of kq's, shared by all handles on it.
 *   KQ_LOOP_HOST    no thread: you drive it from your own event loop.  Wait until kq_loop_fd is readable or
 *                   kq_loop_next_deadline_ms has passed, then call kq_loop_step.  The loop and the handles on it are then one
 *                   thread's; a call on them that waits (send, poll, flush, close, run) drives the loop while it does. */
typedef struct kq_loop kq_loop;

typedef enum kq_loop_kind { KQ_LOOP_THREAD = 1, KQ_LOOP_HOST = 2 } kq_loop_kind;

KQ_API kq_error *kq_loop_new(kq_loop_kind kind, kq_loop **out);
/* The loop itself lives until the last handle on it is freed. */
KQ_API void      kq_loop_free(kq_loop *loop);
KQ_API int       kq_loop_fd(const kq_loop *loop);               /* -1 for KQ_LOOP_THREAD.  kq's own: wait on it, no more */
KQ_API int32_t   kq_loop_next_deadline_ms(const kq_loop *loop); /* from now, as poll(2) takes it; -1: none */
/* Does what can be done without waiting, for a bounded time; if more is left, the descriptor stays readable. */
KQ_API kq_error *kq_loop_step(kq_loop *loop);

KQ_API kq_error *kq_producer_new_on(kq_loop *loop, const kq_config *config, kq_producer **out);
KQ_API kq_error *kq_consumer_new_on(kq_loop *loop, const kq_config *config, kq_consumer **out);
KQ_API kq_error *kq_share_consumer_new_on(kq_loop *loop, const kq_config *config, kq_share_consumer **out);
KQ_API kq_error *kq_admin_new_on(kq_loop *loop, const kq_config *config, kq_admin **out);

/* ------------------------------------------------------------------------------------------------------------- versions ---- */

#define KQ_VERSION_MAJOR 0
#define KQ_VERSION_MINOR 1
#define KQ_VERSION_PATCH 0

KQ_API const char *kq_version(void);        /* of the library at run time: "0.1.0" */
KQ_API int32_t     kq_version_number(void); /* major * 1000000 + minor * 1000 + patch */

/* -------------------------------------------------------------------------------------------------- Kafka's error codes ---- */

typedef enum kq_code {
  KQ_ERR_UNKNOWN_SERVER_ERROR = -1,                         KQ_ERR_NONE = 0,
  KQ_ERR_OFFSET_OUT_OF_RANGE = 1,                           KQ_ERR_CORRUPT_MESSAGE = 2,
  KQ_ERR_UNKNOWN_TOPIC_OR_PARTITION = 3,                    KQ_ERR_INVALID_FETCH_SIZE = 4,
  KQ_ERR_LEADER_NOT_AVAILABLE = 5,                          KQ_ERR_NOT_LEADER_OR_FOLLOWER = 6,
  KQ_ERR_REQUEST_TIMED_OUT = 7,                             KQ_ERR_BROKER_NOT_AVAILABLE = 8,
  KQ_ERR_REPLICA_NOT_AVAILABLE = 9,                         KQ_ERR_MESSAGE_TOO_LARGE = 10,
  KQ_ERR_STALE_CONTROLLER_EPOCH = 11,                       KQ_ERR_OFFSET_METADATA_TOO_LARGE = 12,
  KQ_ERR_NETWORK_EXCEPTION = 13,                            KQ_ERR_COORDINATOR_LOAD_IN_PROGRESS = 14,
  KQ_ERR_COORDINATOR_NOT_AVAILABLE = 15,                    KQ_ERR_NOT_COORDINATOR = 16,
  KQ_ERR_INVALID_TOPIC_EXCEPTION = 17,                      KQ_ERR_RECORD_LIST_TOO_LARGE = 18,
  KQ_ERR_NOT_ENOUGH_REPLICAS = 19,                          KQ_ERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND = 20,
  KQ_ERR_INVALID_REQUIRED_ACKS = 21,                        KQ_ERR_ILLEGAL_GENERATION = 22,
  KQ_ERR_INCONSISTENT_GROUP_PROTOCOL = 23,                  KQ_ERR_INVALID_GROUP_ID = 24,
  KQ_ERR_UNKNOWN_MEMBER_ID = 25,                            KQ_ERR_INVALID_SESSION_TIMEOUT = 26,
  KQ_ERR_REBALANCE_IN_PROGRESS = 27,                        KQ_ERR_INVALID_COMMIT_OFFSET_SIZE = 28,
  KQ_ERR_TOPIC_AUTHORIZATION_FAILED = 29,                   KQ_ERR_GROUP_AUTHORIZATION_FAILED = 30,
  KQ_ERR_CLUSTER_AUTHORIZATION_FAILED = 31,                 KQ_ERR_INVALID_TIMESTAMP = 32,
  KQ_ERR_UNSUPPORTED_SASL_MECHANISM = 33,                   KQ_ERR_ILLEGAL_SASL_STATE = 34,
  KQ_ERR_UNSUPPORTED_VERSION = 35,                          KQ_ERR_TOPIC_ALREADY_EXISTS = 36,
  KQ_ERR_INVALID_PARTITIONS = 37,                           KQ_ERR_INVALID_REPLICATION_FACTOR = 38,
  KQ_ERR_INVALID_REPLICA_ASSIGNMENT = 39,                   KQ_ERR_INVALID_CONFIG = 40,
  KQ_ERR_NOT_CONTROLLER = 41,                               KQ_ERR_INVALID_REQUEST = 42,
  KQ_ERR_UNSUPPORTED_FOR_MESSAGE_FORMAT = 43,               KQ_ERR_POLICY_VIOLATION = 44,
  KQ_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER = 45,                 KQ_ERR_DUPLICATE_SEQUENCE_NUMBER = 46,
  KQ_ERR_INVALID_PRODUCER_EPOCH = 47,                       KQ_ERR_INVALID_TXN_STATE = 48,
  KQ_ERR_INVALID_PRODUCER_ID_MAPPING = 49,                  KQ_ERR_INVALID_TRANSACTION_TIMEOUT = 50,
  KQ_ERR_CONCURRENT_TRANSACTIONS = 51,                      KQ_ERR_TRANSACTION_COORDINATOR_FENCED = 52,
  KQ_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED = 53,        KQ_ERR_SECURITY_DISABLED = 54,
  KQ_ERR_OPERATION_NOT_ATTEMPTED = 55,                      KQ_ERR_KAFKA_STORAGE_ERROR = 56,
  KQ_ERR_LOG_DIR_NOT_FOUND = 57,                            KQ_ERR_SASL_AUTHENTICATION_FAILED = 58,
  KQ_ERR_UNKNOWN_PRODUCER_ID = 59,                          KQ_ERR_REASSIGNMENT_IN_PROGRESS = 60,
  KQ_ERR_DELEGATION_TOKEN_AUTH_DISABLED = 61,               KQ_ERR_DELEGATION_TOKEN_NOT_FOUND = 62,
  KQ_ERR_DELEGATION_TOKEN_OWNER_MISMATCH = 63,              KQ_ERR_DELEGATION_TOKEN_REQUEST_NOT_ALLOWED = 64,
  KQ_ERR_DELEGATION_TOKEN_AUTHORIZATION_FAILED = 65,        KQ_ERR_DELEGATION_TOKEN_EXPIRED = 66,
  KQ_ERR_INVALID_PRINCIPAL_TYPE = 67,                       KQ_ERR_NON_EMPTY_GROUP = 68,
  KQ_ERR_GROUP_ID_NOT_FOUND = 69,                           KQ_ERR_FETCH_SESSION_ID_NOT_FOUND = 70,
  KQ_ERR_INVALID_FETCH_SESSION_EPOCH = 71,                  KQ_ERR_LISTENER_NOT_FOUND = 72,
  KQ_ERR_TOPIC_DELETION_DISABLED = 73,                      KQ_ERR_FENCED_LEADER_EPOCH = 74,
  KQ_ERR_UNKNOWN_LEADER_EPOCH = 75,                         KQ_ERR_UNSUPPORTED_COMPRESSION_TYPE = 76,
  KQ_ERR_STALE_BROKER_EPOCH = 77,                           KQ_ERR_OFFSET_NOT_AVAILABLE = 78,
  KQ_ERR_MEMBER_ID_REQUIRED = 79,                           KQ_ERR_PREFERRED_LEADER_NOT_AVAILABLE = 80,
  KQ_ERR_GROUP_MAX_SIZE_REACHED = 81,                       KQ_ERR_FENCED_INSTANCE_ID = 82,
  KQ_ERR_ELIGIBLE_LEADERS_NOT_AVAILABLE = 83,               KQ_ERR_ELECTION_NOT_NEEDED = 84,
  KQ_ERR_NO_REASSIGNMENT_IN_PROGRESS = 85,                  KQ_ERR_GROUP_SUBSCRIBED_TO_TOPIC = 86,
  KQ_ERR_INVALID_RECORD = 87,                               KQ_ERR_UNSTABLE_OFFSET_COMMIT = 88,
  KQ_ERR_THROTTLING_QUOTA_EXCEEDED = 89,                    KQ_ERR_PRODUCER_FENCED = 90,
  KQ_ERR_RESOURCE_NOT_FOUND = 91,                           KQ_ERR_DUPLICATE_RESOURCE = 92,
  KQ_ERR_UNACCEPTABLE_CREDENTIAL = 93,                      KQ_ERR_INCONSISTENT_VOTER_SET = 94,
  KQ_ERR_INVALID_UPDATE_VERSION = 95,                       KQ_ERR_FEATURE_UPDATE_FAILED = 96,
  KQ_ERR_PRINCIPAL_DESERIALIZATION_FAILURE = 97,            KQ_ERR_SNAPSHOT_NOT_FOUND = 98,
  KQ_ERR_POSITION_OUT_OF_RANGE = 99,                        KQ_ERR_UNKNOWN_TOPIC_ID = 100,
  KQ_ERR_DUPLICATE_BROKER_REGISTRATION = 101,               KQ_ERR_BROKER_ID_NOT_REGISTERED = 102,
  KQ_ERR_INCONSISTENT_TOPIC_ID = 103,                       KQ_ERR_INCONSISTENT_CLUSTER_ID = 104,
  KQ_ERR_TRANSACTIONAL_ID_NOT_FOUND = 105,                  KQ_ERR_FETCH_SESSION_TOPIC_ID_ERROR = 106,
  KQ_ERR_INELIGIBLE_REPLICA = 107,                          KQ_ERR_NEW_LEADER_ELECTED = 108,
  KQ_ERR_OFFSET_MOVED_TO_TIERED_STORAGE = 109,              KQ_ERR_FENCED_MEMBER_EPOCH = 110,
  KQ_ERR_UNRELEASED_INSTANCE_ID = 111,                      KQ_ERR_UNSUPPORTED_ASSIGNOR = 112,
  KQ_ERR_STALE_MEMBER_EPOCH = 113,                          KQ_ERR_MISMATCHED_ENDPOINT_TYPE = 114,
  KQ_ERR_UNSUPPORTED_ENDPOINT_TYPE = 115,                   KQ_ERR_UNKNOWN_CONTROLLER_ID = 116,
  KQ_ERR_UNKNOWN_SUBSCRIPTION_ID = 117,                     KQ_ERR_TELEMETRY_TOO_LARGE = 118,
  KQ_ERR_INVALID_REGISTRATION = 119,                        KQ_ERR_TRANSACTION_ABORTABLE = 120,
  KQ_ERR_INVALID_RECORD_STATE = 121,                        KQ_ERR_SHARE_SESSION_NOT_FOUND = 122,
  KQ_ERR_INVALID_SHARE_SESSION_EPOCH = 123,                 KQ_ERR_FENCED_STATE_EPOCH = 124,
  KQ_ERR_INVALID_VOTER_KEY = 125,                           KQ_ERR_DUPLICATE_VOTER = 126,
  KQ_ERR_VOTER_NOT_FOUND = 127,                             KQ_ERR_INVALID_REGULAR_EXPRESSION = 128,
  KQ_ERR_REBOOTSTRAP_REQUIRED = 129,                        KQ_ERR_STREAMS_INVALID_TOPOLOGY = 130,
  KQ_ERR_STREAMS_INVALID_TOPOLOGY_EPOCH = 131,              KQ_ERR_STREAMS_TOPOLOGY_FENCED = 132,
  KQ_ERR_SHARE_SESSION_LIMIT_REACHED = 133
} kq_code;

#ifdef __cplusplus
}
#endif

#endif /* KQ_KQ_H */
