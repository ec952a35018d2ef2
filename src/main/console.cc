#include "main/console.h"

#include <signal.h>
#include <unistd.h>

#include <cstdio>

#include <boost/json.hpp>

#include "base/text.h"
#include "cli/exit_codes.h"
#include "os/files.h"

namespace slipway::program {

int complain(const Error& error) {
  std::fputs(("slipway: " + printable(error.what, Colour::strip) + "\n").c_str(), stderr);
  return cli::exit_code_of(error);
}

int give_up(const Error& error, const cli::CommonOptions& common, const SignalWatch& signals) {
  const int code = after_signals(complain(error), signals);
  if (common.json) print_error_line(error, code);
  return code;
}

void print_error_line(const Error& error, int exit_code) {
  const boost::json::object line{
      {"type", "error"}, {"message", printable(error.what, Colour::strip)}, {"exit_code", exit_code}};
  (void)os::write_all(STDOUT_FILENO, boost::json::serialize(line) + "\n");  // standard error has it too
}

int after_signals(int code, const SignalWatch& signals) {
  if (code != cli::kExitCancelled || signals.received() == 0) return code;
  return cli::kExitBySignal + signals.received();
}

int print(const Result<std::string>& text) {
  if (!text) return complain(text.error());
  return os::write_all(STDOUT_FILENO, *text) ? cli::kExitSucceeded : cli::kExitFailed;
}

}  // namespace slipway::program
