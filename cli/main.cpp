// kq: the command.  Understands the words, runs one command, tells its failure.
#include <fmt/format.h>
#include <signal.h>

#include <map>

#include "cli/cat.hpp"
#include "cli/command.hpp"

namespace kq::cli {
namespace {

constexpr const char* exit_statuses =
    "Exit status: 0 done; 1 the cluster refused, or a record could not be delivered; 2 wrong usage or configuration;\n"
    "3 no broker could be reached, or time ran out; 4 a file or terminal failed; 130 interrupted.\n\n"
    "Examples:\n"
    "  kq topic create greetings -p 4\n"
    "  echo hello | kq produce greetings\n"
    "  kq consume greetings --from-beginning --until-end\n"
    "  kq group describe readers";

void add_common_options(CLI::App& root, Common& common) {
  static const std::map<std::string, Output> outputs = {
      {"auto", Output::automatic}, {"table", Output::table}, {"tsv", Output::tsv}, {"json", Output::json}};
  root.add_option("-b,--bootstrap-servers", common.bootstrap,
                  "Brokers to ask first, host:port with commas (default: localhost:9092)")
      ->envname("KQ_BOOTSTRAP_SERVERS");
  root.add_option("-F,--config", common.config_file, "A properties file of client settings (default: ~/.config/kq/kq.properties)")
      ->envname("KQ_CONFIG");
  root.add_option("-X,--property", common.properties, "A client setting, key=value; may be given again")->allow_extra_args(false);
  root.add_option("-o,--output", common.output, "auto (a table on a terminal, else tsv), table, tsv or json")
      ->transform(CLI::CheckedTransformer(outputs, CLI::ignore_case).description(""));
  root.add_option("--timeout", common.timeout_ms, "How long one question to the cluster may take, in milliseconds")
      ->capture_default_str();
  root.add_flag("-q,--quiet", common.quiet, "No summaries and no progress");
  root.set_version_flag("--version", [] { return std::string("kq ") + kq_version(); });
}

// kcat's flags mean other things than kq's own, so `cat` reads its words itself.
int cat(int argc, char** argv) {
  const auto options = parse_cat(argc, argv);
  return options ? run_cat(*options) : exit_done;
}

void add_cat(const Commands& commands) {
  commands.root.add_subcommand("cat", "Produce and consume with kcat's flags (kq cat -h)")->prefix_command()->callback([&action = commands.action] {
    action = []() -> int { throw Failure{exit_usage, "cat takes its options behind the word: kq cat -b ..."}; };
  });
}

int run(int argc, char** argv) {
  if (argc > 1 && std::string_view(argv[1]) == "cat") return cat(argc - 1, argv + 1);
  CLI::App root("kq: topics and records of Apache Kafka, and of any broker that speaks its protocol", "kq");
  Common common;
  Action action;
  root.require_subcommand(1)->footer(exit_statuses);
  root.failure_message(CLI::FailureMessage::simple);
  add_common_options(root, common);
  const Commands commands{root, common, action};
  for (auto* add : {add_topic, add_produce, add_consume, add_cat, add_group, add_cluster, add_config, add_transaction, add_acl, add_user,
                    add_quota, add_admin, add_bench, add_completion}) add(commands);
  try {
    root.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return root.exit(error) == 0 ? exit_done : exit_usage;
  }
  return action();
}

}  // namespace
}  // namespace kq::cli

int main(int argc, char** argv) {
  using namespace kq::cli;
  try {
    signal(SIGPIPE, SIG_IGN);  // a closed pipe is an error of the write that meets it
    catch_interrupts();
    return run(argc, argv);
  } catch (const Failure& failure) {
    if (!failure.message.empty()) fmt::print(stderr, "kq: {}\n", failure.message);
    return failure.status;
  } catch (const std::exception& error) {
    fmt::print(stderr, "kq: {}\n", error.what());
    return exit_io;
  }
}
