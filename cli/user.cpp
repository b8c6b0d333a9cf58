// kq user list|set|delete: users that log in by SCRAM.
#include <fmt/format.h>
#include <termios.h>
#include <unistd.h>

#include "cli/command.hpp"
#include "cli/line_reader.hpp"
#include "cli/table.hpp"

namespace kq::cli {
namespace {

struct UserOptions {
  std::vector<std::string> users;
  std::string mechanism = "SCRAM-SHA-512", password_file;
  int32_t iterations = 4096;
};

// A line from the terminal that is not shown while it is typed.
class Unseen {
 public:
  Unseen() {
    if (tcgetattr(STDIN_FILENO, &before_) != 0) return;
    termios quiet = before_;
    quiet.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    changed_ = tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet) == 0;
  }
  ~Unseen() {
    if (changed_) tcsetattr(STDIN_FILENO, TCSAFLUSH, &before_);
  }
  Unseen(const Unseen&) = delete;

 private:
  termios before_{};
  bool changed_ = false;
};

std::string read_password(const UserOptions& options) {
  const bool asked = options.password_file.empty() && isatty(STDIN_FILENO);
  if (asked) fmt::print(stderr, "Password for {}: ", options.users.front());
  const Unseen unseen;
  LineReader lines(options.password_file.empty() ? std::vector<std::string>{} : std::vector{options.password_file});
  const auto line = lines.next();
  if (asked) fmt::print(stderr, "\n");
  if (!line || line->empty()) throw Failure{exit_usage, "the password is empty"};
  return std::string(*line);
}

int list(const Common& common, const UserOptions& options) {
  Request request("describe_user_scram_credentials");
  for (const std::string& user : options.users) request.next().set("user", user);
  const RowsOwner answer = request.run(common.admin().get(), common.timeout_ms);
  const Rows rows(answer.get());
  Table table({{"user"}, {"mechanism"}, {"iterations", true}});
  for (size_t i = 0; i < rows.size(); ++i) {
    const Rows credentials = rows.nested(i, "credentials");
    for (size_t k = 0; k < credentials.size(); ++k)
      table.add({rows.string(i, "user").c_str(), credentials.string(k, "mechanism").c_str(), credentials.int64(k, "iterations")});
  }
  table.print(common.output);
  return report(rows, "user list");
}

int set(const Common& common, const UserOptions& options) {
  Request request("alter_user_scram_credentials");
  request.set("user", options.users.front()).set("mechanism", options.mechanism).set("iterations", options.iterations);
  request.set("password", read_password(options));
  const RowsOwner answer = request.run(common.admin().get(), common.timeout_ms);
  return report(Rows(answer.get()), "user set");
}

int remove(const Common& common, const UserOptions& options) {
  Request request("alter_user_scram_credentials");
  for (const std::string& user : options.users) request.next().set("user", user).set("mechanism", options.mechanism).set("operation", "delete");
  const RowsOwner answer = request.run(common.admin().get(), common.timeout_ms);
  return report(Rows(answer.get()), "user delete");
}

void add_mechanism(CLI::App* app, UserOptions& options) {
  app->add_option("--mechanism", options.mechanism, "SCRAM-SHA-256 or SCRAM-SHA-512")
      ->capture_default_str()
      ->check(CLI::IsMember({"SCRAM-SHA-256", "SCRAM-SHA-512"}));
}

}  // namespace

void add_user(const Commands& commands) {
  CLI::App* noun = commands.root.add_subcommand("user", "List, set and delete users that log in by SCRAM")->fallthrough()->require_subcommand(1);

  auto listing = std::make_shared<UserOptions>();
  CLI::App* app = verb(commands, noun, "list", "List users and how they log in", list, listing);
  app->add_option("user", listing->users, "Only these");

  auto setting = std::make_shared<UserOptions>();
  app = verb(commands, noun, "set", "Give a user a password", set, setting);
  app->add_option("user", setting->users, "The user's name")->required()->expected(1);
  add_mechanism(app, *setting);
  app->add_option("--iterations", setting->iterations, "How often the password is hashed, 4096 to 16384")->capture_default_str();
  app->add_option("--password-file", setting->password_file, "Its first line is the password (default: asked for, or from the standard input)");
  app->footer(
      "The password is salted and hashed here; the cluster never sees it, and it stands in no command line.\n\n"
      "Examples:\n  kq user set alice\n  pass show kafka/alice | kq user set alice --mechanism SCRAM-SHA-256");

  auto deletion = std::make_shared<UserOptions>();
  app = verb(commands, noun, "delete", "Take a password away", remove, deletion);
  app->add_option("user", deletion->users, "The users' names")->required();
  add_mechanism(app, *deletion);
}

}  // namespace kq::cli
