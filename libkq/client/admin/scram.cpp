// Operations on users' SCRAM credentials: describe, alter.
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include <array>
#include <map>

#include "libkq/client/admin/names.hpp"
#include "libkq/client/admin/story.hpp"
#include "libkq/protocol/messages/alter_user_scram_credentials.hpp"
#include "libkq/protocol/messages/describe_user_scram_credentials.hpp"

namespace kq::client::admin {
namespace {

constexpr Named mechanisms[] = {{1, "SCRAM-SHA-256"}, {2, "SCRAM-SHA-512"}};
constexpr Named alterations[] = {{0, "set"}, {1, "delete"}};
constexpr size_t salt_bytes = 26;                                   // as many as Kafka's tool draws
constexpr int64_t iterations_max = 16384;                           // what Kafka takes; the least is 4096

// ---- describe ------------------------------------------------------------------------------------------------------------------

awaitable<Result<Rows>> tell_describe(std::shared_ptr<Cluster> cluster, const Request& request, Instant deadline) {
  DescribeUserScramCredentialsRequest message;
  message.users.reset();
  for (size_t item = 0; item < request.count(); ++item) {
    if (!message.users) message.users.emplace();
    message.users->emplace_back().name = request.string(item, "user");
  }
  auto reply = co_await cluster->request(any_node, message, deadline);
  if (!reply) co_return std::move(reply.error());
  const auto& response = reply->message;
  if (response.error_code != Code::none) co_return no_to("describe_user_scram_credentials", response.error_code, response.error_message);
  Rows rows = make_rows(describe_user_scram_credentials);
  std::map<std::string_view, kq_rows::Row*> asked;                  // the broker's order is another
  for (size_t item = 0; item < request.count(); ++item) {
    const std::string_view user = request.string(item, "user");
    asked[user] = &rows->add().set("user", user);
  }
  for (const auto& user : response.results) {
    const auto found = asked.find(user.user);
    auto& row = found != asked.end() ? *found->second : rows->add().set("user", user.user);
    kq_rows& credentials = row.nested("credentials");
    for (const auto& each : user.credential_infos)
      credentials.add().set("mechanism", name_in(mechanisms, each.mechanism)).set("iterations", each.iterations);
    if (user.error_code != Code::none) row.fail(no_to(user.user, user.error_code, user.error_message));
  }
  co_return rows;
}

// ---- alter ---------------------------------------------------------------------------------------------------------------------

// What travels in place of a password, wiped when it has been sent.
struct Secret {
  std::array<std::byte, salt_bytes> salt{};
  std::array<std::byte, EVP_MAX_MD_SIZE> salted{};
  size_t salted_size = 0;

  Secret() = default;
  Secret(const Secret&) = delete;
  ~Secret() { OPENSSL_cleanse(this, sizeof *this); }
};

// RFC 5802's SaltedPassword: PBKDF2 with the mechanism's hash.
Status fill(Secret& secret, int8_t mechanism, std::string_view password, int64_t iterations) {
  const EVP_MD* hash = mechanism == 1 ? EVP_sha256() : EVP_sha512();
  secret.salted_size = static_cast<size_t>(EVP_MD_get_size(hash));
  auto* salt = reinterpret_cast<unsigned char*>(secret.salt.data());
  const bool made = RAND_bytes(salt, salt_bytes) == 1 &&
                    PKCS5_PBKDF2_HMAC(password.data(), static_cast<int>(password.size()), salt, salt_bytes, static_cast<int>(iterations),
                                      hash, static_cast<int>(secret.salted_size), reinterpret_cast<unsigned char*>(secret.salted.data())) == 1;
  if (!made) return Error(own_code::system, "OpenSSL could not salt the password");
  return {};
}

Status add_setting(AlterUserScramCredentialsRequest& message, const Request& request, size_t item, int8_t mechanism,
                   std::vector<std::unique_ptr<Secret>>& secrets) {
  const auto password = request.string_or_null(item, "password");
  const int64_t iterations = request.int64(item, "iterations");
  if (!password || password->empty()) return Error(own_code::argument, "alter_user_scram_credentials: a credential needs a password");
  if (iterations < 1 || iterations > iterations_max)
    return Error(own_code::argument, "alter_user_scram_credentials: iterations are 4096 to " + std::to_string(iterations_max));
  Secret& secret = *secrets.emplace_back(std::make_unique<Secret>());
  KQ_TRY(fill(secret, mechanism, *password, iterations));
  auto& upsertion = message.upsertions.emplace_back();
  upsertion.name = request.string(item, "user");
  upsertion.mechanism = mechanism;
  upsertion.iterations = static_cast<int32_t>(iterations);
  upsertion.salt = secret.salt;
  upsertion.salted_password = Bytes(secret.salted).first(secret.salted_size);
  return {};
}

awaitable<Result<Rows>> tell_alter(std::shared_ptr<Cluster> cluster, const Request& request, Instant deadline) {
  AlterUserScramCredentialsRequest message;
  std::vector<std::unique_ptr<Secret>> secrets;
  for (size_t item = 0; item < request.count(); ++item) {
    const auto mechanism = number_in(mechanisms, request.string(item, "mechanism"), "mechanism");
    if (!mechanism) co_return mechanism.error();
    const auto operation = number_in(alterations, request.string(item, "operation"), "operation");
    if (!operation) co_return operation.error();
    if (*operation == 0) {
      Status added = add_setting(message, request, item, *mechanism, secrets);
      if (!added) co_return std::move(added.error());
    } else {
      auto& deletion = message.deletions.emplace_back();
      deletion.name = request.string(item, "user");
      deletion.mechanism = *mechanism;
    }
  }
  auto reply =
      co_await ask_controller(cluster, message, deadline, [](const AlterUserScramCredentialsResponse& r) { return codes_of(r.results); });
  if (!reply) co_return std::move(reply.error());
  Rows rows = make_rows(alter_user_scram_credentials);
  const auto& results = reply->message.results;                     // one for each user
  for (size_t item = 0; item < request.count(); ++item) {
    const std::string_view user = request.string(item, "user");
    auto& row = rows->add().set("user", user).set("mechanism", request.string(item, "mechanism"));
    const auto answer = std::ranges::find(results, user, [](const auto& result) { return result.user; });
    if (answer == results.end()) row.fail(unmentioned(user));
    else if (answer->error_code != Code::none) row.fail(no_to(user, answer->error_code, answer->error_message));
  }
  co_return rows;
}

// ---- tables --------------------------------------------------------------------------------------------------------------------

constexpr kq_field describe_in[] = {item("user", 's', "The user's name.")};
constexpr kq_field describe_out[] = {
    column("user", 's', "The user's name."),
    column("credentials", 'r', "Each way in; passwords are told by nobody."),
    column("credentials.mechanism", 's', "SCRAM-SHA-256 or SCRAM-SHA-512."),
    column("credentials.iterations", 'i', "How often the password was hashed."),
};
constexpr kq_field alter_in[] = {
    item("user", 's', "The user's name."),
    item("mechanism", 's', "SCRAM-SHA-256 or SCRAM-SHA-512."),
    item("operation", 's', "set or delete.", "set"),
    nullable(item("password", 's', "For set.  It is salted and hashed here: the broker never sees it.")),
    item("iterations", 'i', "For set: how often it is hashed, 4096 to 16384.", "4096"),
};
constexpr kq_field alter_out[] = {column("user", 's', "As asked for."), column("mechanism", 's', "As asked for.")};

}  // namespace

constinit const Operation describe_user_scram_credentials{"describe_user_scram_credentials", "Which users can log in by SCRAM.", describe_in,
                                                          describe_out, true, tell_describe};
constinit const Operation alter_user_scram_credentials{"alter_user_scram_credentials", "Sets and deletes users' SCRAM passwords.", alter_in,
                                                       alter_out, false, tell_alter};

}  // namespace kq::client::admin
