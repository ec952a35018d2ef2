#include "base/log.h"

#include <unistd.h>

#include <exception>

#include "base/text.h"

namespace slipway {

void StderrLog::write(LogLevel level, std::string_view event, std::initializer_list<LogField> fields) noexcept {
  if (level < lowest_) return;
  constexpr std::string_view kNames[] = {"debug", "info", "warn", "error"};
  try {
    std::string line(kNames[static_cast<std::size_t>(level)]);
    line.append(" event=").append(event);
    for (const LogField& field : fields) {
      line.append(" ").append(field.key).append("=");
      const std::string shown = printable(field.value, Colour::strip);
      const bool quoted = shown.empty() || shown.find_first_of(" \"=") != std::string::npos;
      line.append(quoted ? "\"" + shown + "\"" : shown);
    }
    line.push_back('\n');
    // One write, so that lines of several threads do not mix. A closed standard error is nobody's problem here.
    [[maybe_unused]] const auto written = ::write(STDERR_FILENO, line.data(), line.size());
  } catch (const std::exception&) {
    // Out of memory while logging: the event is lost, the program goes on.
  }
}

}  // namespace slipway
