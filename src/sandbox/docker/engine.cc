#include "sandbox/docker/engine.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include <boost/json.hpp>

#include "base/text.h"
#include "net/unix_socket.h"

namespace slipway::sandbox::docker {

namespace json = boost::json;

namespace {

constexpr int kLeast = 41;               // 1.41: Docker 20.10, what this code was written against
constexpr std::size_t kMostWords = 500;  // of an error of the daemon's

std::string words_of(const net::HttpResponse& response) {
  boost::system::error_code bad;
  const json::value answer = json::parse(response.body, bad);
  std::string text = response.body;
  if (!bad && answer.is_object()) {
    if (const json::value* message = answer.get_object().if_contains("message"); message && message->is_string()) {
      text = message->get_string().c_str();
    }
  }
  text = text.substr(0, kMostWords);
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < 0x20) c = ' ';
  }
  return text.empty() ? "answer " + std::to_string(response.status) : text;
}

Result<std::string> body_of(net::HttpResponse response) {
  if (response.status >= 200 && response.status < 300) return std::move(response.body);
  const auto kind = [&] {
    switch (response.status) {
      case 304:
      case 409: return ErrorKind::conflict;
      case 400: return ErrorKind::invalid;
      case 401:
      case 403: return ErrorKind::denied;
      case 404: return ErrorKind::not_found;
      case 503: return ErrorKind::unavailable;
      default: return ErrorKind::internal;
    }
  }();
  return fail(kind, "Docker: " + words_of(response));
}

// The minor number of "1.MINOR".
std::optional<int> minor_of(const json::object& answer, std::string_view key) {
  const json::value* value = answer.if_contains(key);
  if (value == nullptr || !value->is_string()) return std::nullopt;
  const std::string text(value->get_string());
  int minor = 0;
  constexpr std::string_view kMajor = "1.";
  if (!text.starts_with(kMajor)) return std::nullopt;
  const char* end = text.data() + text.size();
  const auto [stopped, error] = std::from_chars(text.data() + kMajor.size(), end, minor);
  if (error != std::errc() || stopped != end || minor < 0) return std::nullopt;
  return minor;
}

}  // namespace

Result<std::string> choose_version(std::string_view version_json) {
  boost::system::error_code bad;
  const json::value document = json::parse(std::string(version_json), bad);
  if (bad || !document.is_object()) return fail(ErrorKind::invalid, "Docker's /version is no JSON object");
  const auto newest = minor_of(document.get_object(), "ApiVersion");
  if (!newest) return fail(ErrorKind::invalid, "Docker's /version names no version of its API");
  if (*newest < kLeast) {
    return fail(ErrorKind::unavailable, "the Docker daemon speaks version 1." + std::to_string(*newest) +
                                            " of its API; 1.41 (Docker 20.10) or newer is needed");
  }
  // The oldest of those that both know: what it means has not changed.
  const int least = std::max(kLeast, minor_of(document.get_object(), "MinAPIVersion").value_or(kLeast));
  return "1." + std::to_string(least);
}

Result<std::filesystem::path> daemon_socket(std::string_view docker_host) {
  constexpr std::string_view kUnix = "unix://";
  if (docker_host.empty()) return std::filesystem::path("/var/run/docker.sock");
  if (docker_host.starts_with(kUnix) && docker_host.size() > kUnix.size()) {
    return std::filesystem::path(docker_host.substr(kUnix.size()));
  }
  if (docker_host.starts_with('/')) {
    const std::string path = printable(docker_host, Colour::strip);
    return fail(ErrorKind::invalid, "DOCKER_HOST=" + path + " needs `unix://` before the path: unix://" + path);
  }
  if (docker_host.find("://") == std::string_view::npos) {  // not shown: an address may hold a password
    return fail(ErrorKind::invalid, "DOCKER_HOST has no `://` in it: a socket is named unix:///path/of/docker.sock");
  }
  if (docker_host == kUnix) return fail(ErrorKind::invalid, "DOCKER_HOST=unix://: the socket's path is missing");
  return fail(
      ErrorKind::invalid,
      "DOCKER_HOST=" + std::string(docker_host.substr(0, docker_host.find("://"))) +
          "://...: the Docker backend needs a daemon of this machine (unix:///path/of/docker.sock); one that is "
          "reached over a network shares no file system with slipway");
}

Result<net::HttpConnection> Engine::connection() {
  auto idle = idle_.with([](std::vector<net::HttpConnection>& all) {
    std::vector<net::HttpConnection> taken;
    while (!all.empty() && taken.empty()) {
      if (all.back().is_reusable()) taken.push_back(std::move(all.back()));
      all.pop_back();
    }
    return taken;
  });
  if (!idle.empty()) return std::move(idle.front());
  auto socket = net::connect_unix(socket_);
  if (!socket) {
    const bool denied = socket.error().kind == ErrorKind::denied;
    return fail(
        denied ? ErrorKind::denied : ErrorKind::unavailable,
        socket.error().what + (denied ? " (are you in the group `docker`?)" : " (is the Docker daemon running?)"));
  }
  return net::HttpConnection(std::move(*socket));
}

Result<void> Engine::negotiate(const os::CallLimit& limit) {
  SW_TRY(const std::string answer, get("/version", limit));
  SW_TRY(const std::string version, choose_version(answer));
  prefix_ = "/v" + version;
  return {};
}

Result<net::HttpConnection> Engine::begin(const std::string& method, const std::string& target,
                                          const os::CallLimit& limit) {
  SW_TRY(net::HttpConnection to, connection());
  SW_CHECK(to.send({method, prefix_ + target, {}, {}}, limit));
  return to;
}

Result<std::string> Engine::receive(net::HttpConnection from, const os::CallLimit& limit) {
  SW_TRY(net::HttpResponse response, from.receive(limit));
  if (from.is_reusable()) {
    idle_.with([&](std::vector<net::HttpConnection>& all) {
      if (all.size() < kMostIdle) all.push_back(std::move(from));
    });
  }
  return body_of(std::move(response));
}

Result<std::string> Engine::call(net::HttpRequest request, const os::CallLimit& limit) {
  request.target = prefix_ + request.target;
  if (!request.body.empty()) request.headers.emplace_back("Content-Type", "application/json");
  SW_TRY(net::HttpConnection to, connection());
  SW_CHECK(to.send(request, limit));
  return receive(std::move(to), limit);
}

Result<std::string> Engine::get(const std::string& target, const os::CallLimit& limit) {
  return call({"GET", target, {}, {}}, limit);
}

Result<std::string> Engine::post(const std::string& target, const std::string& json, const os::CallLimit& limit) {
  return call({"POST", target, {}, json}, limit);
}

Result<std::string> Engine::remove(const std::string& target, const os::CallLimit& limit) {
  return call({"DELETE", target, {}, {}}, limit);
}

Result<void> Engine::post_lines(const std::string& target,
                                const std::vector<std::pair<std::string, std::string>>& headers,
                                const net::LineCutter::OnLine& on_line, const os::CallLimit& limit) {
  auto socket = net::connect_unix(socket_);
  if (!socket) return fail(ErrorKind::unavailable, socket.error().what);
  net::HttpConnection to(std::move(*socket), {.body_bytes = 0});
  SW_CHECK(to.send({"POST", prefix_ + target, headers, {}}, limit));
  net::LineCutter lines(on_line);
  SW_TRY(net::HttpResponse response, to.receive(limit, [&](std::string_view piece) { return lines.take(piece); }));
  SW_CHECK(body_of(std::move(response)));
  return lines.finish();
}

std::string filters(const std::map<std::string, std::string>& wanted) {
  json::object object;
  for (const auto& [key, value] : wanted) object[key] = json::array{value};
  return net::escape_component(json::serialize(object));
}

}  // namespace slipway::sandbox::docker
