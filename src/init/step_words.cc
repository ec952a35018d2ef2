#include "init/step_words.h"

#include "base/text.h"

namespace slipway::init {

namespace {

/// What the shells of the SDKs are given: people wrote that.
const std::string* script_in(const model::Argv& argv) {
  const std::vector<std::string>& words = argv.words;
  for (const std::size_t before : {std::size_t{3}, std::size_t{4}}) {
    if (words.size() != before + 1) continue;
    const std::string shell = join({words.begin(), words.begin() + static_cast<std::ptrdiff_t>(before)}, " ");
    if (shell == "sh -e -c" || shell == "bash -euo pipefail -c") return &words.back();
  }
  return nullptr;
}

}  // namespace

std::string first_words(const model::StepSpec& step) {
  const auto* argv = std::get_if<model::Argv>(&step.action);
  const std::string* const script = argv == nullptr ? &std::get<model::Script>(step.action).text : script_in(*argv);
  std::string title;
  if (script == nullptr) {
    title = join(argv->words, " ");
  } else {
    for (const std::string_view line : split(*script, '\n')) {
      if (trim(line).empty()) continue;
      title = std::string(trim(line));
      break;
    }
  }
  return title;
}

Result<std::vector<std::string>> argv_of(const model::StepSpec& step, const OwnDirectory& runtime,
                                         const std::string& name) {
  if (const auto* argv = std::get_if<model::Argv>(&step.action)) return argv->words;
  SW_CHECK(runtime.write(name, std::get<model::Script>(step.action).text, 0444));
  std::vector<std::string> argv = step.shell.empty() ? std::vector<std::string>{"sh", "-e"} : step.shell;
  argv.push_back(runtime.path_of(name));
  return argv;
}

std::string working_dir_of(const model::StepSpec& step, const std::string& workspace) {
  const std::string source = workspace + "/src";
  if (step.working_dir.empty()) return source;
  return step.working_dir.starts_with('/') ? step.working_dir : source + "/" + step.working_dir;
}

}  // namespace slipway::init
