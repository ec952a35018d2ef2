#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "os/call_limit.h"
#include "os/fd.h"

/// HTTP/1.1 as a client over a stream socket that is already there: for daemons of this machine. No TLS, no proxies,
/// no redirects. What comes back is input from outside: sizes are limited, and what is not HTTP ends the connection.
namespace slipway::net {

/// A value with a control character would become another header or request: such a call fails with `invalid`.
struct HttpRequest {
  std::string method = "GET";
  std::string target;  ///< from `/` on, already escaped (`escape_component`)
  std::vector<std::pair<std::string, std::string>> headers = {};
  std::string body = {};
};

struct HttpResponse {
  int status = 0;
  std::string body;  ///< empty where a sink took it
};

struct HttpLimits {
  std::uint32_t header_bytes = 64U << 10U;
  std::uint64_t body_bytes = 16ULL << 20U;  ///< 0: none (for a sink)
};

/// Takes a piece of a successful answer's body. An error ends the call with it.
using BodySink = std::function<Result<void>(std::string_view piece)>;

/// One connection, kept open between calls where the other side allows it. One thread at a time.
/// Errors of every call: `unavailable` (the other side is gone, or broke off), `invalid` (no HTTP), `exhausted` (over a
/// limit), `timeout`, `cancelled`. After any of them the connection is good for nothing.
class HttpConnection {
 public:
  explicit HttpConnection(os::Fd socket, HttpLimits limits = {});
  HttpConnection(HttpConnection&&) noexcept;
  HttpConnection& operator=(HttpConnection&&) noexcept;
  ~HttpConnection();

  Result<HttpResponse> call(const HttpRequest& request, const os::CallLimit& limit);

  /// The two halves of `call`, for who has something to do in between.
  Result<void> send(const HttpRequest& request, const os::CallLimit& limit);
  /// With a `sink`, the body of an answer below 300 goes there as it comes; of any other it is kept as usual.
  Result<HttpResponse> receive(const os::CallLimit& limit, const BodySink& sink = {});

  /// Readable, or hung up: an answer has begun.
  int fd() const { return socket_.get(); }
  /// May it be used for another call? Also sees an end that came while nobody used it.
  bool is_reusable() const;

 private:
  Result<std::size_t> read_more(const os::CallLimit& limit);

  os::Fd socket_;
  HttpLimits limits_;
  std::string unread_;  // what came with the last answer's end
  bool sound_ = true;
};

/// For a part of a path or a value in a query.
std::string escape_component(std::string_view text);

/// Cuts what a sink gets into lines. A line over `most_bytes` is `exhausted`.
class LineCutter {
 public:
  using OnLine = std::function<Result<void>(std::string_view line)>;
  explicit LineCutter(OnLine on_line, std::size_t most_bytes = 1U << 20U)
      : on_line_(std::move(on_line)), most_bytes_(most_bytes) {}

  Result<void> take(std::string_view piece);
  /// The last line, where its end is missing.
  Result<void> finish();

 private:
  OnLine on_line_;
  std::size_t most_bytes_;
  std::string held_;
};

}  // namespace slipway::net
