// Every tests/golden/definition/*.yaml against the `.expected` beside it: what people are told about the file, or how
// it was understood. SLIPWAY_ACCEPT=1 writes what is found instead.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <fmt/format.h>

#include "definition/reader.h"

namespace slipway::definition {
namespace {

namespace fs = std::filesystem;

const fs::path kGolden = fs::path(SLIPWAY_SOURCE_DIR) / "tests/golden/definition";

std::string contents(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

std::string summary_of(const model::Workflow& workflow) {
  std::string text = fmt::format("{} {}\n", workflow.is_single_job ? "job" : "workflow", workflow.name);
  for (const model::JobDefinition& job : workflow.jobs) {
    text += fmt::format("  {} [{} steps]\n", job.name, job.steps.size());
    for (const auto& [key, place] : job.places) text += fmt::format("    {} {}:{}\n", key, place.line, place.column);
    for (const auto& [key, origin] : job.origins) text += fmt::format("    {} <- {}\n", key, origin);
    for (const auto& [where, late] : job.late) text += fmt::format("    {} later\n", where);
  }
  return text;
}

TEST(Golden, EveryFileReadsAsItWasAccepted) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(kGolden)) {
    if (entry.path().extension() == ".yaml") files.push_back(entry.path());
  }
  ASSERT_GE(files.size(), 10U);
  for (const fs::path& path : files) {
    const std::string source = contents(path);
    const ReadResult read = read_workflow(source, path.filename().string());
    std::string found;
    for (const Problem& problem : read.problems) found += fmt::format("[{}] {}", problem.code, render(problem, source));
    if (read.workflow) found += summary_of(*read.workflow);
    EXPECT_EQ(read.workflow.has_value(), !has_errors(read.problems)) << path;
    const fs::path expected = fs::path(path).replace_extension(".expected");
    if (std::getenv("SLIPWAY_ACCEPT") != nullptr) std::ofstream(expected, std::ios::binary) << found;
    EXPECT_EQ(found, contents(expected)) << path;
  }
}

}  // namespace
}  // namespace slipway::definition
