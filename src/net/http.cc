#include "net/http.h"

#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>

#include <fmt/format.h>

#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>

#include "os/wait.h"

namespace slipway::net {

namespace http = boost::beast::http;

namespace {

constexpr int kFirstRedirect = 300;
constexpr std::size_t kReadBytes = 64U << 10U;
constexpr auto kWriteTurn = std::chrono::milliseconds(50);

bool is_clean(std::string_view text) {
  for (const char c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) return false;
  }
  return true;
}

Result<std::string> text_of(const HttpRequest& request) {
  bool clean = is_clean(request.method) && is_clean(request.target) && request.target.starts_with('/') &&
               request.target.find(' ') == std::string::npos;
  std::string text = fmt::format("{} {} HTTP/1.1\r\nHost: localhost\r\n", request.method, request.target);
  for (const auto& [name, value] : request.headers) {
    clean = clean && is_clean(name) && is_clean(value);
    text += fmt::format("{}: {}\r\n", name, value);
  }
  if (!clean) return fail(ErrorKind::invalid, "a request with control characters");
  if (!request.body.empty() || request.method == "POST" || request.method == "PUT") {
    text += fmt::format("Content-Length: {}\r\n", request.body.size());
  }
  text += "\r\n";
  text += request.body;
  return text;
}

Error error_of(const boost::system::error_code& code) {
  const bool too_large =
      code == http::error::header_limit || code == http::error::body_limit || code == http::error::buffer_overflow;
  return {too_large ? ErrorKind::exhausted : ErrorKind::invalid, "a broken HTTP answer: " + code.message()};
}

}  // namespace

HttpConnection::HttpConnection(os::Fd socket, HttpLimits limits) : socket_(std::move(socket)), limits_(limits) {}
HttpConnection::HttpConnection(HttpConnection&&) noexcept = default;
HttpConnection& HttpConnection::operator=(HttpConnection&&) noexcept = default;
HttpConnection::~HttpConnection() = default;

bool HttpConnection::is_reusable() const {
  if (!sound_ || !unread_.empty()) return false;
  pollfd polled{socket_.get(), POLLIN, 0};
  return ::poll(&polled, 1, 0) == 0;  // nothing may come unasked
}

Result<HttpResponse> HttpConnection::call(const HttpRequest& request, const os::CallLimit& limit) {
  SW_CHECK(send(request, limit));
  return receive(limit);
}

Result<void> HttpConnection::send(const HttpRequest& request, const os::CallLimit& limit) {
  SW_TRY(const std::string text, text_of(request));
  sound_ = false;  // until the answer is read
  std::string_view left = text;
  while (!left.empty()) {
    const ssize_t sent = ::send(socket_.get(), left.data(), left.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent > 0) {
      left.remove_prefix(static_cast<std::size_t>(sent));
      continue;
    }
    if (errno == EINTR) continue;
    if (errno != EAGAIN)
      return fail(ErrorKind::unavailable, std::string("the connection broke: ") + std::strerror(errno));
    if (limit.stop.stop_requested()) return fail(ErrorKind::cancelled, "stop requested");
    if (os::Clock::now() >= limit.deadline) return fail(ErrorKind::timeout, "sending a request");
    pollfd polled{socket_.get(), POLLOUT, 0};  // in short turns: only reading needs to notice a stop at once
    ::poll(&polled, 1, static_cast<int>(kWriteTurn.count()));
  }
  return {};
}

// 0: end of file.
Result<std::size_t> HttpConnection::read_more(const os::CallLimit& limit) {
  for (;;) {
    SW_CHECK(os::wait_readable(socket_.get(), limit));
    const std::size_t before = unread_.size();
    unread_.resize(before + kReadBytes);
    const ssize_t got = ::recv(socket_.get(), unread_.data() + before, kReadBytes, MSG_DONTWAIT);
    const int error = errno;
    unread_.resize(before + (got > 0 ? static_cast<std::size_t>(got) : 0));
    if (got >= 0) return static_cast<std::size_t>(got);
    if (error == EINTR || error == EAGAIN) continue;
    if (error == ECONNRESET) return 0;
    return fail(ErrorKind::unavailable, std::string("the connection broke: ") + std::strerror(error));
  }
}

Result<HttpResponse> HttpConnection::receive(const os::CallLimit& limit, const BodySink& sink) {
  http::response_parser<http::string_body> parser;
  parser.eager(true);
  parser.header_limit(limits_.header_bytes);
  if (limits_.body_bytes == 0) {
    parser.body_limit(boost::none);
  } else {
    parser.body_limit(limits_.body_bytes);
  }
  HttpResponse response;
  const auto hand_over = [&]() -> Result<void> {
    if (!sink || !parser.is_header_done() || parser.get().result_int() >= kFirstRedirect) return {};
    std::string piece;
    piece.swap(parser.get().body());
    return piece.empty() ? Result<void>() : sink(piece);
  };
  try {
    while (!parser.is_done()) {
      boost::system::error_code code;
      if (!unread_.empty()) {
        const std::size_t used = parser.put(boost::asio::buffer(unread_), code);
        unread_.erase(0, used);
        if (code && code != http::error::need_more) return std::unexpected(error_of(code));
        SW_CHECK(hand_over());
        if (parser.is_done() || (!code && used > 0)) continue;
      }
      SW_TRY(const std::size_t got, read_more(limit));
      if (got > 0) continue;
      if (!parser.got_some()) return fail(ErrorKind::unavailable, "the connection was closed without an answer");
      parser.put_eof(code);
      if (code) return fail(ErrorKind::unavailable, "the connection was closed in the middle of an answer");
    }
    response.status = static_cast<int>(parser.get().result_int());
    response.body = std::move(parser.get().body());
    sound_ = parser.keep_alive();
  } catch (const std::exception& problem) {  // of the parser: out of memory
    return fail(ErrorKind::internal, std::string("reading an HTTP answer: ") + problem.what());
  }
  return response;
}

std::string escape_component(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                       c == '_' || c == '.' || c == '~';
    if (plain) {
      escaped += c;
    } else {
      escaped += fmt::format("%{:02X}", static_cast<unsigned>(static_cast<unsigned char>(c)));
    }
  }
  return escaped;
}

Result<void> LineCutter::take(std::string_view piece) {
  for (;;) {
    const auto end = piece.find('\n');
    const std::string_view part = piece.substr(0, end);
    if (held_.size() + part.size() > most_bytes_) return fail(ErrorKind::exhausted, "a line that is too long");
    held_ += part;
    if (end == std::string_view::npos) return {};
    std::string line;
    line.swap(held_);
    SW_CHECK(on_line_(line));
    piece.remove_prefix(end + 1);
  }
}

Result<void> LineCutter::finish() {
  std::string line;
  line.swap(held_);
  return line.empty() ? Result<void>() : on_line_(line);
}

}  // namespace slipway::net
