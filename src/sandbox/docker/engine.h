#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "net/http.h"
#include "os/call_limit.h"
#include "os/guarded.h"

namespace slipway::sandbox::docker {

/// The socket of the daemon that `docker_host` (the environment's DOCKER_HOST; empty: the usual place) names.
/// `invalid` for tcp:// and ssh://: such a daemon does not see the files that a sandbox is made of.
Result<std::filesystem::path> daemon_socket(std::string_view docker_host);

/// The Engine API, version 1.41 or the oldest later one that the daemon speaks. Any thread; connections are kept and
/// shared one after the other. Errors carry the daemon's own words: `not_found` (404), `conflict` (409, 304), `invalid`
/// (400), `denied` (403), `unavailable` (no daemon, or it went away), else `internal`.
class Engine {
 public:
  explicit Engine(std::filesystem::path socket) : socket_(std::move(socket)) {}

  const std::filesystem::path& socket() const { return socket_; }

  /// Agrees on the version with the daemon. To be called once, before anything else. `unavailable`: no daemon, or one
  /// that is too old.
  Result<void> negotiate(const os::CallLimit& limit);

  /// The body of the answer. `target` without the version: `/containers/json?all=1`. `json` is the request's body.
  Result<std::string> get(const std::string& target, const os::CallLimit& limit);
  Result<std::string> post(const std::string& target, const std::string& json, const os::CallLimit& limit);
  Result<std::string> remove(const std::string& target, const os::CallLimit& limit);
  /// A POST whose answer comes line by line.
  Result<void> post_lines(const std::string& target, const std::vector<std::pair<std::string, std::string>>& headers,
                          const net::LineCutter::OnLine& on_line, const os::CallLimit& limit);

  /// A call that takes its time: sent, to be received by the caller (`receive`), whenever that is.
  Result<net::HttpConnection> begin(const std::string& method, const std::string& target, const os::CallLimit& limit);
  /// Gives the connection back where it can serve again.
  Result<std::string> receive(net::HttpConnection connection, const os::CallLimit& limit);

 private:
  static constexpr std::size_t kMostIdle = 8;

  Result<net::HttpConnection> connection();
  Result<std::string> call(net::HttpRequest request, const os::CallLimit& limit);

  const std::filesystem::path socket_;
  std::string prefix_;  // of every target: /v1.41
  os::Guarded<std::vector<net::HttpConnection>> idle_;
};

/// What to ask for of a daemon that answers `version_json` to GET /version: "1.41".
Result<std::string> choose_version(std::string_view version_json);

/// A JSON object as the value of `?filters=`, escaped: {"label":["a=b"]}.
std::string filters(const std::map<std::string, std::string>& wanted);

}  // namespace slipway::sandbox::docker
