// ApiVersions, key 18, v0-4.  v1: throttle time.  v3: flexible; the client's name; features.  v4: features whose levels begin at 0.
// A version above these is answered in version 0 with error 35 (connection.cpp).
#include <algorithm>

#include "broker/broker.hpp"
#include "broker/cluster/features.hpp"
#include "broker/cluster/image.hpp"
#include "broker/dispatch.hpp"
#include "broker/handlers/handlers.hpp"

namespace kq::broker {
namespace {

bool alphanumeric(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); }

// [a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])?
bool valid_software(std::string_view text) {
  if (text.empty() || !alphanumeric(text.front()) || !alphanumeric(text.back())) return false;
  return std::ranges::all_of(text, [](char c) { return alphanumeric(c) || c == '-' || c == '.'; });
}

void add_features(const cluster::Image& image, int16_t version, ApiVersionsResponse& response) {
  for (const cluster::Feature& feature : cluster::features) {
    if (feature.min == 0 && version < 4) continue;             // clients of version 3 take a 0 for a fault (KAFKA-17492)
    auto& supported = response.supported_features.emplace_back();
    supported.name = feature.name;
    supported.min_version = feature.min;
    supported.max_version = feature.max;
  }
  const auto finalized = [&](std::string_view name, int16_t level) {
    auto& feature = response.finalized_features.emplace_back();
    feature.name = name;
    feature.min_version_level = feature.max_version_level = level;
  };
  for (const auto& [name, level] : image.features) finalized(name, level);
  if (image.kraft_version > 0) finalized(cluster::kraft_version_feature, image.kraft_version);
  response.finalized_features_epoch = image.offset;
}

}  // namespace

awaitable<ApiVersionsResponse> handle(Broker&, Call& call, const ApiVersionsRequest& request) {
  ApiVersionsResponse response;
  if (call.version >= 3) {
    if (!valid_software(request.client_software_name) || !valid_software(request.client_software_version)) {
      response.error_code = Code::invalid_request;
      co_return response;
    }
    call.session.client_software_name = request.client_software_name;
    call.session.client_software_version = request.client_software_version;
    add_features(*call.image, call.version, response);
  }
  for (const Api& api : apis()) {
    auto& listed = response.api_keys.emplace_back();
    listed.api_key = api.key;
    listed.min_version = api.listed_from;
    listed.max_version = api.newest;
  }
  co_return response;
}

}  // namespace kq::broker
