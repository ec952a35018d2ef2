#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

namespace slipway {

/// error: a human must act; warn: degraded and handled; info: state changes; debug: the rest.
enum class LogLevel { debug, info, warn, error };

struct LogField {
  std::string_view key;
  std::string value;
};

/// Where Slipway's own events go (a job's output is data, not log). One line, one event: `warn event=... key=value`.
/// Any thread may call; a call never blocks for long and never fails. No secret, environment value or job output in it.
class Log {
 public:
  virtual ~Log() = default;
  virtual void write(LogLevel level, std::string_view event, std::initializer_list<LogField> fields) noexcept = 0;
};

/// Lines on standard error, from `lowest` up.
class StderrLog final : public Log {
 public:
  explicit StderrLog(LogLevel lowest) : lowest_(lowest) {}
  void write(LogLevel level, std::string_view event, std::initializer_list<LogField> fields) noexcept override;

 private:
  LogLevel lowest_;
};

}  // namespace slipway
