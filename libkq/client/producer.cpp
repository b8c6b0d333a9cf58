#include "libkq/client/producer.hpp"

#include "libkq/client/producer_engine.hpp"

namespace kq::client {

Result<std::unique_ptr<Producer>> Producer::make(Loop& loop, Network& network, Logger& logger, const Config& config) {
  KQ_TRY_ASSIGN(ClusterOptions options, ClusterOptions::from(config));
  options.create_topics = true;                        // as with Java: the broker's auto.create.topics.enable decides
  auto engine = ProducerEngine::make(loop, network, logger, std::move(options), config);
  auto producer = std::unique_ptr<Producer>(new Producer(config.block_max, engine));
  loop.post([engine] { engine->start(); });
  return producer;
}

Producer::Producer(Duration block_max, std::shared_ptr<ProducerEngine> engine)
    : block_max_(block_max), engine_(std::move(engine)), accumulator_(&engine_->accumulator()) {}

Producer::~Producer() {
  if (!engine_->loop().forked()) abandon();
}

Error Producer::explain(Sending outcome, const Outbound& record) const {
  Error error = accumulator_->explain(outcome, record);
  if (outcome == Sending::aborting || outcome == Sending::no_transaction) {
    const auto why = engine_->transaction()->trouble();
    return why ? Error(why->code(), why->message(), why->verdict() == Verdict::fatal ? Verdict::fatal : Verdict::abort) : error;
  }
  if (outcome != Sending::topic_unknown) return error;
  const auto trouble = engine_->trouble();
  return trouble ? Error(error.code(), error.message() + ": " + trouble->message(), error.verdict()) : error;
}

Status Producer::send(const Outbound& record, Instant deadline) {
  for (;;) {
    const uint64_t seen = room().count();
    const Sending outcome = try_send(record);
    if (outcome == Sending::sent) [[likely]] return {};
    const bool may_wait = outcome == Sending::topic_unknown || outcome == Sending::memory_full || outcome == Sending::deliveries_full;
    if (!may_wait) return explain(outcome, record);
    if (!room().wait(seen, deadline)) return explain(outcome, record);
  }
}

std::unique_ptr<Deliveries> Producer::poll() {
  BatchRef batch = engine_->deliveries().take();
  return batch ? std::make_unique<Deliveries>(std::move(batch)) : nullptr;
}

void Producer::abandon() {
  accumulator_->close();
  engine_->loop().post([engine = engine_] { engine->stop(); });
}

bool Producer::has_deliveries() const { return !engine_->deliveries().empty(); }
int Producer::descriptor() { return engine_->deliveries().descriptor(); }
bool Producer::closed() const { return engine_->stopped(); }
Bell& Producer::room() { return engine_->memory().room; }
Bell& Producer::arrived() { return engine_->deliveries().arrived(); }
void Producer::purge() { engine_->purge(); }
TransactionEngine* Producer::transaction() { return engine_->transaction(); }
Bell& Producer::progress() { return engine_->progress(); }

}  // namespace kq::client
