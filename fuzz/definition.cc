// Any bytes as a workflow file: no crash, no endless work, a workflow exactly when there is no error, and every problem
// can be shown.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "definition/reader.h"

using namespace slipway;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const definition::ReadResult result = definition::read_workflow(text, "fuzz.yaml");
  if (result.workflow.has_value() == definition::has_errors(result.problems)) std::abort();
  for (const definition::Problem& problem : result.problems) {
    if (problem.code.empty() || problem.message.empty()) std::abort();
    const std::string shown = definition::render(problem, text);
    if (shown.empty() || shown.back() != '\n') std::abort();
    if (shown.find('\033') != std::string::npos) std::abort();  // it would drive the reader's terminal
    if (definition::to_json(problem).find('\n') != std::string::npos) std::abort();
  }
  return 0;
}
