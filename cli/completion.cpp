// kq completion bash: a script that completes commands, options and topics, made from the commands themselves.
#include <fmt/format.h>

#include "cli/command.hpp"
#include "cli/table.hpp"

namespace kq::cli {
namespace {

constexpr std::string_view script_begin = R"bash(# bash completion for kq; made by `kq completion bash`
_kq_topics() {
  timeout 2 kq topic list -o tsv --timeout 1500 "$@" 2>/dev/null | cut -f 1
}

_kq_groups() {
  timeout 2 kq group list -o tsv --timeout 1500 "$@" 2>/dev/null | cut -f 1
}

_kq() {
  local word=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]} path=kq at choices= brokers=()
  for ((at = 1; at < COMP_CWORD; at++)); do
    case ${COMP_WORDS[at]} in
      -b | --bootstrap-servers) brokers=(-b "${COMP_WORDS[at+1]}") ;;
      -*) ;;
      *) [[ $_kq_commands == *" $path/${COMP_WORDS[at]} "* ]] && path+=/${COMP_WORDS[at]} ;;
    esac
  done
  case $previous in
    -o | --output) choices='auto table tsv json' ;;
    -z | --codec | --codecs) choices='none gzip snappy lz4 zstd' ;;
    -i | --input) choices='lines json' ;;
    --acks) choices='0 1 all' ;;
    -g | --group) choices=$(_kq_groups "${brokers[@]}") ;;
    --mechanism) choices='SCRAM-SHA-256 SCRAM-SHA-512' ;;
    --operation) choices='all read write create delete alter describe describe-configs alter-configs cluster-action idempotent-write' ;;
    -X | --property) choices=$(kq config list -o tsv | cut -f 1) ;;
    -F | --config) COMPREPLY=($(compgen -f -- "$word")); return ;;
  esac
  if [ -z "$choices" ]; then
    case $path in
)bash";

constexpr std::string_view script_end = R"bash(    esac
    if [[ $word != -* ]]; then
      case $path in
        kq/topic/describe | kq/topic/delete | kq/topic/delete-records | kq/topic/add-partitions | kq/produce | kq/consume | \
          kq/bench/* | kq/transaction/producers)
          choices=$(_kq_topics "${brokers[@]}")
          [[ $path == kq/produce ]] && choices+=" $(compgen -f -- "$word")" ;;
        kq/config/describe | kq/config/set | kq/config/delete) choices='topic broker group client_metrics broker_logger' ;;
        kq/admin) choices=$(kq admin -o tsv | cut -f 1) ;;
        kq/group/describe | kq/group/reset | kq/group/delete) choices=$(_kq_groups "${brokers[@]}") ;;
      esac
    fi
  fi
  COMPREPLY=($(compgen -W "$choices" -- "$word"))
}
complete -o default -F _kq kq
)bash";

// "      kq/topic) choices='create list ... --help' ;;" for every command; collects their paths.
void describe_command(const CLI::App& app, const std::string& path, const std::string& inherited, std::string& cases,
                      std::string& paths) {
  std::string options = inherited;
  for (const CLI::Option* option : app.get_options())
    for (const std::string& name : option->get_lnames())
      if (inherited.empty() || name != "help") options += " --" + name;
  std::string words;
  for (const CLI::App* child : app.get_subcommands(nullptr)) {
    words += child->get_name() + " ";
    paths += " " + path + "/" + child->get_name() + " ";
    describe_command(*child, path + "/" + child->get_name(), inherited.empty() ? options : inherited, cases, paths);
  }
  cases += fmt::format("      {}) choices='{}{}' ;;\n", path, words, options.substr(1));
}

int print_bash(const CLI::App& root) {
  std::string cases, paths;
  describe_command(root, "kq", "", cases, paths);
  print(fmt::format("_kq_commands='{}'\n{}{}{}", paths, script_begin, cases, script_end));
  return exit_done;
}

}  // namespace

void add_completion(const Commands& commands) {
  CLI::App* app =
      commands.root.add_subcommand("completion", "Print a shell's completion script")->fallthrough()->require_subcommand(1);
  CLI::App* bash = app->add_subcommand("bash", "For bash")->fallthrough();
  bash->footer("Example:\n  source <(kq completion bash)");
  bash->callback([&root = commands.root, &action = commands.action] { action = [&root] { return print_bash(root); }; });
}

}  // namespace kq::cli
