#include "broker/listeners.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "broker/config_table.hpp"

namespace kq::broker {
namespace {

using Protocols = std::map<std::string, SecurityProtocol, std::less<>>;

Error refused(std::string text) { return {own_code::config, std::move(text)}; }

std::string upper(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - ('a' - 'A'));
  return out;
}

std::optional<SecurityProtocol> protocol_of(std::string_view name) {
  using enum SecurityProtocol;
  for (const auto protocol : {plaintext, ssl, sasl_plaintext, sasl_ssl})
    if (upper(name) == name_of(protocol)) return protocol;
  return std::nullopt;
}

bool contains(const std::vector<std::string>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// NAME://host:port, the host maybe in brackets, maybe empty.  The protocol is found afterwards.
std::optional<Listener> parse_listener(std::string_view text) {
  const size_t scheme = text.find("://");
  const size_t colon = text.find_last_of(':');
  if (scheme == text.npos || scheme == 0 || colon == text.npos || colon < scheme + 3) return std::nullopt;
  std::string_view host = text.substr(scheme + 3, colon - scheme - 3);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  constexpr std::string_view host_letters = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-%._:";
  if (host.find_first_not_of(host_letters) != host.npos) return std::nullopt;
  const std::string_view digits = text.substr(colon + 1);
  uint16_t port = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (digits.empty() || error != std::errc{} || end != digits.data() + digits.size()) return std::nullopt;
  return Listener{.name = upper(text.substr(0, scheme)), .host = std::string(host), .port = port, .protocol = {}};
}

Result<Protocols> parse_protocols(const ListenerSettings& settings) {
  Protocols protocols;
  for (const auto part : split_list(settings.protocols)) {
    const size_t colon = part.find(':');
    const auto protocol = colon == part.npos ? std::nullopt : protocol_of(part.substr(colon + 1));
    if (!protocol)
      return refused("Invalid security protocol `" + std::string(part.substr(colon == part.npos ? 0 : colon + 1)) +
                     "` defined in listener.security.protocol.map");
    protocols[upper(part.substr(0, colon))] = *protocol;
  }
  // Where nobody speaks of TLS or SASL, a controller's listener needs no entry.
  const auto secured = [](std::string_view name) { return protocol_of(name).value_or(SecurityProtocol::plaintext) != SecurityProtocol::plaintext; };
  bool any_secured = false;
  for (const auto name : split_list(settings.controller_names)) any_secured |= secured(name);
  for (const auto text : split_list(settings.listeners)) any_secured |= secured(text.substr(0, text.find("://")));
  if (!settings.protocols_set && !any_secured)
    for (const auto name : split_list(settings.controller_names)) protocols.emplace(upper(name), SecurityProtocol::plaintext);
  return protocols;
}

Result<std::vector<Listener>> parse_listeners(const char* key, std::string_view value, const Protocols& protocols) {
  const std::string where = std::string(key) + "=" + std::string(value) + ": ";
  std::vector<Listener> out;
  for (const auto text : split_list(value)) {
    auto listener = parse_listener(text);
    if (!listener) return refused(where + "'" + std::string(text) + "' is not NAME://host:port");
    const auto protocol = protocols.find(listener->name);
    if (protocol == protocols.end())
      return refused(where + "no security protocol is defined for listener " + listener->name +
                     "; give it one in listener.security.protocol.map");
    listener->protocol = protocol->second;
    const auto same_name = [&](const Listener& other) { return other.name == listener->name; };
    if (std::any_of(out.begin(), out.end(), same_name)) return refused(where + "each listener must have a different name");
    out.push_back(std::move(*listener));
  }
  return out;
}

bool is_ipv6(const std::string& host) { return host.find(':') != host.npos; }

// Two listeners may share a port where one is IPv4 and the other IPv6.
Status check_ports(const std::vector<Listener>& listeners) {
  for (size_t i = 0; i < listeners.size(); ++i)
    for (size_t k = i + 1; k < listeners.size(); ++k)
      if (listeners[i].port != 0 && listeners[i].port == listeners[k].port && is_ipv6(listeners[i].host) == is_ipv6(listeners[k].host))
        return refused("listeners " + listeners[i].name + " and " + listeners[k].name + " have the same port " +
                       std::to_string(listeners[i].port) + "; only one with an IPv4 and one with an IPv6 address may");
  return {};
}

std::string own_host_name() {
  std::array<char, 256> name{};
  return gethostname(name.data(), name.size() - 1) == 0 && name[0] != '\0' ? std::string(name.data()) : "localhost";
}

Status choose_advertised(Config& config, const ListenerSettings& settings, const Protocols& protocols) {
  if (settings.advertised) {
    KQ_TRY_ASSIGN(auto all, parse_listeners("advertised.listeners", *settings.advertised, protocols));
    std::erase_if(all, [&](const Listener& l) { return contains(config.controller_listener_names, l.name); });
    if (all.empty())
      return refused("There must be at least one broker advertised listener. Perhaps all listeners appear in controller.listener.names?");
    config.advertised_listeners = std::move(all);
  } else {
    config.advertised_listeners = config.listeners;
    for (Listener& listener : config.advertised_listeners)
      if (listener.host.empty()) listener.host = own_host_name();
  }
  for (const Listener& listener : config.advertised_listeners)
    if (listener.host == "0.0.0.0" || listener.host == "::")
      return refused("advertised.listeners cannot use the nonroutable meta-address " + listener.host +
                     ": nobody can connect to it; set advertised.listeners to an address that clients reach");
  for (const Listener& listener : config.listeners)
    if (!config.listener(listener.name))
      return refused("listener " + listener.name + " is not in advertised.listeners: clients that use it would not learn where to go");
  return {};
}

Status choose_inter_broker(Config& config, const ListenerSettings& settings, const Protocols& protocols) {
  if (settings.inter_broker_name && settings.inter_broker_protocol_set)
    return refused("Only one of inter.broker.listener.name and security.inter.broker.protocol should be set.");
  config.inter_broker_listener_name = upper(settings.inter_broker_name.value_or(settings.inter_broker_protocol));
  if (settings.inter_broker_name && protocols.find(config.inter_broker_listener_name) == protocols.end())
    return refused("Listener with name " + config.inter_broker_listener_name +
                   " defined in inter.broker.listener.name not found in listener.security.protocol.map.");
  if (config.listener(config.inter_broker_listener_name)) return {};
  std::string names;
  for (const Listener& listener : config.advertised_listeners) names += (names.empty() ? "" : ",") + listener.name;
  return refused("inter.broker.listener.name must be a listener name defined in advertised.listeners. The valid options based on "
                 "currently configured listeners are " + names);
}

}  // namespace

std::string Listener::text() const {
  return name + "://" + (is_ipv6(host) ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

Status bind_listeners(Config& config, const ListenerSettings& settings) {
  for (const auto name : split_list(settings.controller_names)) config.controller_listener_names.push_back(upper(name));
  KQ_TRY_ASSIGN(const Protocols protocols, parse_protocols(settings));
  KQ_TRY_ASSIGN(auto all, parse_listeners("listeners", settings.listeners, protocols));
  KQ_TRY(check_ports(all));
  for (Listener& listener : all) {
    const bool controllers = contains(config.controller_listener_names, listener.name);
    (controllers ? config.controller_listeners : config.listeners).push_back(std::move(listener));
  }
  if (config.listeners.empty())
    return refused("listeners=" + std::string(settings.listeners) + ": all of them are in controller.listener.names, so no client could connect");
  for (const Listener& listener : config.listeners)
    if (listener.protocol != SecurityProtocol::plaintext)
      return refused("listener " + listener.name + " asks for " + name_of(listener.protocol) +
                     ", which this kqd does not speak yet; only PLAINTEXT can be served");
  KQ_TRY(choose_advertised(config, settings, protocols));
  return choose_inter_broker(config, settings, protocols);
}

}  // namespace kq::broker
