// kq consume --share: records of topics as a member of a share group.
#include <fmt/format.h>

#include "cli/consume.hpp"
#include "cli/table.hpp"

namespace kq::cli {
namespace {

using ShareConsumer = std::unique_ptr<kq_share_consumer, FreeWith<kq_share_consumer_free>>;

ShareConsumer join(const Common& common, const ConsumeOptions& options) {
  const Config config = common.config({"group.id", options.share.c_str(), "share.acknowledgement.mode", "explicit"});
  kq_share_consumer* made = nullptr;
  check(kq_share_consumer_new(config.get(), &made));
  ShareConsumer consumer(made);
  std::vector<const char*> topics;
  for (const std::string& topic : options.topics) topics.push_back(topic.c_str());
  check(kq_share_consumer_subscribe(made, topics.data(), topics.size()));
  return consumer;
}

// A record that did not leave is not accepted, and comes to another member.
void print_and_accept(kq_share_consumer* consumer, const kq_batch* batch, size_t count, RecordPrinter& printer) {
  for (size_t i = 0; i < count; ++i) printer.add(*kq_batch_at(batch, i));
  printer.write_out(true);
  check(kq_share_consumer_acknowledge(consumer, batch, 0, count, KQ_ACCEPT));
}

void tell_failed(const Common& common, const kq_batch* batch) {
  for (size_t i = 0; i < kq_batch_count(batch); ++i)
    if (const kq_error* error = kq_batch_error(batch, i)) note(common, fmt::format("offset {} may come again: {}", kq_batch_at(batch, i)->offset, describe(error)));
}

}  // namespace

int consume_shared(const Common& common, const ConsumeOptions& options) {
  const ShareConsumer consumer = join(common, options);
  RecordPrinter printer(common, options);
  const auto done = [&] { return options.count > 0 && printer.records() == options.count; };
  while (!done() && !interrupted()) {
    kq_batch* taken = nullptr;
    check(kq_share_consumer_poll(consumer.get(), 0, &taken));
    const Batch batch(taken);
    if (kq_batch_kind_of(taken) == KQ_RECORDS) {
      const size_t left = options.count > 0 ? options.count - printer.records() : kq_batch_count(taken);
      print_and_accept(consumer.get(), taken, std::min(left, kq_batch_count(taken)), printer);
      printer.show_progress();
    } else if (taken) {
      tell_failed(common, taken);
    } else {
      wait_readable(kq_share_consumer_fd(consumer.get()), -1, 1000);
    }
  }
  check(kq_share_consumer_close(consumer.get(), common.timeout_ms));
  printer.finish(fmt::format("share group {}", options.share), false);
  return exit_done;
}

}  // namespace kq::cli
