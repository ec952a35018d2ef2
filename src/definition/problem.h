#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "model/expression.h"

namespace slipway::definition {

/// error: the file cannot be used; note: it can, but not all of it has an effect.
enum class Severity { error, note };

/// One thing to tell the author of a file.
struct Problem {
  std::string code;  ///< `E012`: stable, explained in codes.h
  Severity severity = Severity::error;
  model::Place place;
  std::string message;
  std::string hint;         ///< how to put it right; may be empty
  int length = 0;           ///< bytes to underline; 0: the word at the place
  bool hides_line = false;  ///< its line holds a secret: it is not shown
};

/// As people read it, newline at the end:
///
///     ci.yaml:14:7: unknown key `dependson` in job `package`
///        14 |       dependson: [test]
///           |       ^~~~~~~~~ did you mean `depends_on`?
///
/// `source` is the text of the file; without it (or with a place outside it) only the first line and the hint are made.
/// A line over 120 bytes is shown in part. Bytes that could drive a terminal are escaped.
std::string render(const Problem& problem, std::string_view source);

/// One JSON object on one line: {"type":"problem","code","severity","file","line","column","message","hint"}.
std::string to_json(const Problem& problem);

/// By file, line, column and code, with repetitions taken out.
void sort_problems(std::vector<Problem>& problems);

bool has_errors(const std::vector<Problem>& problems);

}  // namespace slipway::definition
