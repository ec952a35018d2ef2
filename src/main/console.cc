#include "main/console.h"

#include <unistd.h>

#include <cstdio>

#include "base/text.h"
#include "cli/exit_codes.h"
#include "os/files.h"

namespace slipway::program {

int complain(const Error& error) {
  std::fputs(("slipway: " + printable(error.what, Colour::strip) + "\n").c_str(), stderr);
  return cli::exit_code_of(error);
}

int print(const Result<std::string>& text) {
  if (!text) return complain(text.error());
  return os::write_all(STDOUT_FILENO, *text) ? cli::kExitSucceeded : cli::kExitFailed;
}

}  // namespace slipway::program
