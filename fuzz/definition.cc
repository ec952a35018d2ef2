// Any bytes as a file of definitions, of ours or of another dialect: no crash, no endless work, a workflow exactly when
// there is no error, every problem can be shown, and what `convert` writes can be read.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "definition/reader.h"

using namespace slipway;

namespace {

void check(const std::vector<definition::Problem>& problems, std::string_view text) {
  for (const definition::Problem& problem : problems) {
    if (problem.code.empty() || problem.message.empty()) std::abort();
    const std::string shown = definition::render(problem, text);
    if (shown.empty() || shown.back() != '\n') std::abort();
    if (shown.find('\033') != std::string::npos) std::abort();  // it would drive the reader's terminal
    if (definition::to_json(problem).find('\n') != std::string::npos) std::abort();
  }
}

// Reads any path that a `job_file` may name: the file itself again.
definition::ReadOptions options_for(std::string_view text) {
  definition::ReadOptions options;
  options.open = [text](const std::string&) -> Result<std::string> { return std::string(text); };
  return options;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  for (const char* name : {"fuzz.yaml", ".reactorcide/jobs/fuzz.yaml", ".reactorcide/workflows/fuzz.yaml"}) {
    const definition::ReadResult result = definition::read_workflow(text, name, options_for(text));
    if (result.workflow.has_value() == definition::has_errors(result.problems)) std::abort();
    check(result.problems, text);
    const definition::Converted converted = definition::convert(text, name, options_for(text));
    check(converted.problems, text);
    const bool is_whole = text.size() < 100'000;  // far below the limits, which `{{ "{{" }}` may bring nearer
    if (is_whole && !converted.yaml.empty() && !definition::read_workflow(converted.yaml, "converted.yaml").workflow)
      std::abort();
  }
  if (definition::is_registry(text)) {
    const auto jobs = definition::convert_registry(text, "fuzz.yaml", {.name = {}, .url = {}, .all = true});
    if (!jobs || jobs->empty()) std::abort();
    check(jobs->front().problems, text);
  }
  return 0;
}
