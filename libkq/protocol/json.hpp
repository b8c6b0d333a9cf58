// Messages as JSON, for logs, dumps and tests.
#pragma once

#include <string>

#include "libkq/protocol/wire.hpp"

namespace kq {

enum class Secrets : bool { hidden, shown };

// A visitor (wire.hpp) that appends one message as JSON on one line: names as in the schema, bytes and records in hex, ids in Kafka's
// 22 characters, tagged fields where they would be sent, unknown ones under "_tags".  Secrets (passwords, salts, tokens, whole
// envelopes) become "***".  Which configuration values are secret only the caller knows.
class JsonPrinter {
 public:
  JsonPrinter(std::string& to, int16_t version_of_message, bool is_flexible, Secrets secrets)
      : version(version_of_message), flexible(is_flexible), to_(to), secrets_(secrets) {}

  const int16_t version;
  const bool flexible;

  template <class T>
  void operator()(const char* name, const T& field, bool = true) { print_name(name), print(field); }
  void rigid(const char* name, const std::optional<std::string_view>& field) { (*this)(name, field); }
  template <class T>
  void secret(const char* name, const T& field) {
    if (secrets_ == Secrets::hidden) (*this)(name, std::string_view{"***"});
    else (*this)(name, field);
  }
  void absent(const char*, bool) {}

  void tags(NoTags) {}
  void tags(const UnknownTags&);
  template <class Unknown, class Known>
  void tags(const Unknown& unknown, const Known& known) {
    if (!flexible) return;
    TagPrinter tagged{*this};
    known(tagged);
    tags(unknown);
  }

  template <WireStruct T>
  void print(const T& message) {
    to_ += '{';
    T::fields(message, *this);
    to_ += '}';
  }

 private:
  struct TagPrinter {
    void operator()(uint32_t, const char* name, const auto& field, bool is_default) {
      if (!is_default) wire(name, field);
    }
    JsonPrinter& wire;
  };

  void comma();
  void print_name(const char* name);

  void print(bool field) { to_ += field ? "true" : "false"; }
  template <WireInteger Int>
  void print(Int field) { print(int64_t{field}); }
  void print(int64_t field);
  void print(Code field) { print(static_cast<int64_t>(field)); }
  void print(double field);
  void print(const Uuid& field);
  void print(std::string_view field);                    // what is not UTF-8 shows U+FFFD
  void print(Bytes field);
  void print(const Records& field);
  template <class T>
  void print(const std::vector<T>& field) {
    to_ += '[';
    for (const T& element : field) comma(), print(element);
    to_ += ']';
  }
  template <class T>
  void print(const std::optional<T>& field) {
    if (field) print(*field);
    else to_ += "null";
  }

  std::string& to_;
  Secrets secrets_;
};

template <class Message>
std::string to_json(const Message& message, int16_t version, Secrets secrets = Secrets::hidden) {
  std::string text;
  JsonPrinter{text, version, version >= Message::flexible, secrets}.print(message);
  return text;
}

}  // namespace kq
