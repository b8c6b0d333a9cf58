/* broker.h: a broker inside your process.
 *
 *   kq_config *config;  kq_config_new(&config);  kq_config_set(config, "log.dirs", "/var/lib/app/kq");
 *   kq_broker *broker;  kq_broker_start(config, 2, &broker);
 *   kq_broker_address(broker, 0);                           what goes into a client's bootstrap.servers
 *   kq_broker_stop(broker);  kq_broker_free(broker);  kq_config_free(config);
 *
 * It is kqd, whole: any client in this process or outside it may connect.  It behaves as a guest: threads, descriptors and memory
 * are all that it takes.  It installs no signal handler, changes no limit, locale, umask or working directory, prints nothing, and runs
 * none of your code.  Several may live in one process, each with a directory of its own.  The conventions are kq.h's; link with
 * -lkq-broker -lkq (pkg-config kq-broker). */
#ifndef KQ_BROKER_H
#define KQ_BROKER_H

#include <kq/kq.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct kq_broker kq_broker;

/* Starts a broker and returns once clients may connect.  `config` holds keys of Apache Kafka's server.properties.  log.dirs must
 * be set: an empty directory is formatted, one of another cluster, of a running broker or of something foreign is refused.  listeners is
 * PLAINTEXT://127.0.0.1:0 unless set: a free port of this machine.  Log lines go to `log_descriptor`, which stays yours and must stay open until
 * kq_broker_free; -1: nowhere. */
KQ_API kq_error *kq_broker_start(const kq_config *config, int log_descriptor, kq_broker **out);

/* Where it listens: "127.0.0.1:41873", a listener an index, in the order of `listeners`; NULL past the last. */
KQ_API const char *kq_broker_address(const kq_broker *broker, size_t index);

/* What broke inside, after which nothing is served any more (KQ_ERR_INTERNAL, fatal); NULL: nothing.  Any thread. */
KQ_API kq_error *kq_broker_failure(const kq_broker *broker);

/* Closes the connections and leaves the data synced and marked as cleanly stopped: the next start replays nothing.  May take as long as
 * the disk needs.  Once; a second call answers KQ_ERR_CLOSED. */
KQ_API kq_error *kq_broker_stop(kq_broker *broker);

/* Frees it.  One that was not stopped is left as by a crash: nothing acknowledged is lost, the next start checks the end of its logs.
 * In a forked child it stops nothing and joins nothing. */
KQ_API void kq_broker_free(kq_broker *broker);

#ifdef __cplusplus
}
#endif
#endif
