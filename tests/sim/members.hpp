// Applications in the simulator: consumers of a group, and those that transform in transactions.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>

#include "libkq/client/transaction_engine.hpp"
#include "tests/sim/group_history.hpp"

namespace kq::sim {

// How the application commits.
enum class Commits { by_itself, synchronously, asynchronously, in_transactions };

struct MemberOptions {
  std::string name;
  std::vector<client::Setting> settings;         // without group.id, auto-commit and the isolation level
  std::string pattern{};                         // to subscribe to; empty: the history's topic by its name
  Commits commits = Commits::by_itself;
  std::string transactional_id{};                // with in_transactions
  std::vector<client::Setting> producer{};
  std::string output{};                          // the topic that it writes to
};

// One process of a group.  turn() is what an application does between two waits; nothing in it waits.  History hears of everything.
class Member {
 public:
  Member(World&, GroupHistory&, MemberOptions);
  virtual ~Member();
  Member(const Member&) = delete;

  virtual void turn();
  void leave();                                  // begins to; it turns on until gone()
  bool leaving() const { return ending_ != nullptr; }
  bool gone() const;
  bool failed() const { return failed_; }        // for good: another has its place
  void stop_polling(Duration time) { idle_until_ = Clock::now() + time; }
  const MemberOptions& options() const { return options_; }
  std::string text() const { return options_.name + " " + doing(); }

 protected:
  struct Record {
    int32_t partition;
    int64_t offset;
    std::string value;
  };
  virtual bool busy() const { return committing_ != nullptr || idle_until_ > Clock::now(); }
  virtual void received(std::vector<Record>);
  virtual bool settled() const { return true; }  // nothing keeps it from leaving
  virtual std::string doing() const;
  client::Consumer& consumer() { return *process_->consumer; }
  void die();

  World& world_;
  GroupHistory& history_;
  const MemberOptions options_;
  std::unique_ptr<ConsumerProcess> process_;
  bool failed_ = false;

 private:
  // A call that goes on in the loop; the coroutine shares it.
  struct Commit {
    std::vector<client::GroupOffset> offsets{};
    std::optional<Result<bool>> outcome{};
  };

  void poll();
  void take(client::Batch&);
  void commit(bool synchronously);
  void commit_told(const std::vector<client::GroupOffset>&);
  void commit_failed(const Error&);
  void commit_again(int32_t partition, int64_t offset);
  static awaitable<void> run_commit(std::shared_ptr<client::Consumer>, std::shared_ptr<Commit>);
  static awaitable<void> run_end(std::shared_ptr<client::Consumer>, std::shared_ptr<std::optional<Result<bool>>>);

  std::map<int32_t, int64_t> done_;              // processed and not committed: the next offset
  std::map<int32_t, int64_t> asked_;             // to be committed, the latest
  std::shared_ptr<Commit> committing_;
  std::unique_ptr<client::Batch> revocation_;    // held until what was done is committed
  std::shared_ptr<std::optional<Result<bool>>> ending_;
  Instant idle_until_ = Instant::min();
  uint64_t tags_ = 0;
};

// Consumes, transforms and produces, in transactions: each record that it reads becomes `copies` records of its output.
class Transformer final : public Member {
 public:
  static constexpr int copies = 2;

  Transformer(World&, GroupHistory&, MemberOptions);

  void turn() override;

 private:
  enum class Stage { idle, beginning, sending, sending_offsets, committing, aborting };

  bool busy() const override { return stage_ != Stage::idle || Member::busy(); }
  bool settled() const override { return stage_ == Stage::idle; }
  std::string doing() const override;
  void received(std::vector<Record>) override;
  void go_on();
  void send();
  void call(Stage, client::TransactionEngine::Operation, std::shared_ptr<const client::TransactionOffsets> = nullptr);
  void ended(const Status&);
  void rewind();

  std::unique_ptr<client::Producer> producer_;
  Stage stage_ = Stage::idle;
  uint64_t call_ = 0;
  std::vector<Record> work_;
  size_t sent_ = 0;                              // of its copies
};

}  // namespace kq::sim
