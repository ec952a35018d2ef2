#pragma once

#include <string>

namespace slipway::cli {

/// How an answer is wanted.
struct Style {
  bool json = false;
  bool colour = false;
};

/// What a command prints on standard output, and how the process ends.
struct Answer {
  std::string text;
  int exit_code = 0;
};

}  // namespace slipway::cli
