// What is made from the tables: the schema, docs/language.md, docs/errors.md, and every example in them.
#include <gtest/gtest.h>

#include <algorithm>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include <fmt/format.h>
#include <boost/json.hpp>

#include "definition/codes.h"
#include "definition/document.h"
#include "definition/keys.h"
#include "definition/reader.h"
#include "definition/schema.h"
#include "definition/yaml_text.h"

namespace slipway::definition {
namespace {

namespace fs = std::filesystem;
const fs::path kRoot = SLIPWAY_SOURCE_DIR;

std::string contents(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

void expect_file(const fs::path& path, const std::string& made) {
  if (std::getenv("SLIPWAY_ACCEPT") != nullptr) std::ofstream(path, std::ios::binary) << made;
  EXPECT_EQ(contents(path) == made, true) << path << " is not what the tables make: run with SLIPWAY_ACCEPT=1";
}

TEST(Documents, LanguageReferenceIsWhatTheTableMakes) { expect_file(kRoot / "docs/language.md", reference_markdown()); }
TEST(Documents, ErrorReferenceIsWhatTheCatalogueMakes) { expect_file(kRoot / "docs/errors.md", errors_markdown()); }
TEST(Documents, SchemaIsAJsonDocumentOfDraft202012) {
  const boost::json::value parsed = boost::json::parse(schema());
  EXPECT_EQ(parsed.at("$schema").as_string(), "https://json-schema.org/draft/2020-12/schema");
  EXPECT_TRUE(parsed.at("$defs").as_object().contains("step"));
}

TEST(Codes, AreSortedAndUnique) {
  for (std::size_t i = 1; i < codes().size(); ++i) EXPECT_LT(codes()[i - 1].code, codes()[i].code);
}

bool has_problem(const std::vector<Problem>& problems, std::string_view code) {
  return std::ranges::any_of(problems, [&](const Problem& problem) { return problem.code == code; });
}

TEST(Codes, WrongExamplesHaveTheErrorAndRightOnesHaveNone) {
  for (const Code& code : codes()) {
    if (!code.code.starts_with("E0")) continue;
    if (!code.wrong.empty()) {
      EXPECT_TRUE(has_problem(read_workflow(code.wrong, "wrong.yaml").problems, code.code)) << code.code;
    }
    if (code.right.ends_with('.')) continue;
    for (const Problem& problem : read_workflow(code.right, "right.yaml").problems) {
      ADD_FAILURE() << code.code << ": " << render(problem, code.right);
    }
  }
}

TEST(Codes, EveryCodeThatTheSourcesUseIsExplained) {
  std::set<std::string> used;
  for (const auto& entry : fs::recursive_directory_iterator(kRoot / "src")) {
    if (entry.path().extension() != ".cc" || entry.path().filename().string().ends_with("_test.cc")) continue;
    const std::string text = contents(entry.path());
    for (std::size_t at = text.find("\"E"); at != std::string::npos; at = text.find("\"E", at + 1)) {
      const std::string code = text.substr(at + 1, 4);
      const bool is_code = text.size() > at + 5 && text[at + 5] == '"' &&
                           std::all_of(code.begin() + 1, code.end(), [](char c) { return c >= '0' && c <= '9'; });
      if (is_code) used.insert(code);
    }
  }
  EXPECT_GT(used.size(), 40U);
  for (const std::string& code : used) EXPECT_NE(find_code(code), nullptr) << code;
  for (const Code& code : codes()) EXPECT_TRUE(used.contains(std::string(code.code))) << code.code << " is never given";
}

/// A file in which the key stands with its example.
std::string file_with(const Context& context, const Key& key) {
  const std::string entry = fmt::format("{}: {}", key.name, key.example);
  const std::string_view name = context.name;
  if (&context == &kWorkflowContext)
    return fmt::format("workflow: {{{}{}}}\n", entry, key.name == "jobs" ? "" : ", jobs: [{name: a, run: x}]");
  if (&context == &kStepContext) {
    const bool acts = key.name == "run" || key.name == "command";
    const bool named = key.name == "name";
    return fmt::format(
        "workflow: {{jobs: [{{name: a, run: x, artifacts: [{{name: dist, paths: [d]}}]}}, {{name: b, depends_on: [a], "
        "steps: [{{name: unit, run: x}}, {{name: lint, run: x}}, {{{}{}{}}}]}}]}}\n",
        named ? "" : "name: z, ", entry, acts ? "" : ", run: x");
  }
  if (&context == &kTemplateContext) {
    const bool acts = key.name == "run" || key.name == "command" || key.name == "steps";
    return fmt::format(
        "workflow: {{presets: {{release: {{A: b}}}}, templates: {{build: {{{}{}}}}}, jobs: [{{name: a, run: x}}]}}\n",
        entry, acts ? "" : ", run: x");
  }
  if (name == "job" || name == "defaults") {
    const bool acts = key.name == "run" || key.name == "command" || key.name == "steps";
    const std::string templates =
        "templates: {build: {params: {compiler: {default: gcc}}, run: x}}, presets: {release: {A: b}}";
    const std::string also = key.name == "with" ? ", template: build" : acts ? "" : ", run: x";
    return fmt::format(
        "workflow: {{{}, jobs: [{{name: test, run: x, artifacts: [{{name: dist, paths: [d]}}]}}, {{name: b, "
        "{}{}}}]}}\n",
        templates, entry, also);
  }
  return {};
}

TEST(Keys, EveryExampleOfJobsStepsAndWorkflowsIsRead) {
  int tried = 0;
  const auto try_key = [&](const Context& context, const Key& key) {
    if (&context == &kJobContext && key.name == "name") return;
    const std::string text = file_with(context, key);
    if (text.empty()) return;
    ++tried;
    for (const Problem& problem : read_workflow(text, "example.yaml").problems)
      ADD_FAILURE() << key.name << ": " << render(problem, text);
  };
  for (const Context* context : {&kWorkflowContext, &kJobContext, &kStepContext, &kTemplateContext}) {
    for_each_key(*context, [&](const Key& key) { try_key(*context, key); });
  }
  EXPECT_GT(tried, 100);
}

TEST(Keys, EveryKeyHasWordsAndAnExample) {
  for (const Context* context : contexts()) {
    for (const Key& key : context->keys) {
      EXPECT_FALSE(key.doc.empty()) << context->name << "." << key.name;
      EXPECT_FALSE(key.example.empty()) << context->name << "." << key.name;
    }
  }
}

TEST(YamlScalar, ReadsBackAsTheTextThatItWas) {
  for (const std::string text :
       {"plain-1.2", "true",      "yes",         "1",          "",      "a: b", "- x",  "on", "go test ./...",
        "debian:12", "a, b",      "it's \"so\"", "say \"so\"", "a # b", "~",    "null", " a", "a ",
        "a:",        "a\nb\n",    "a\n\nb",      " a\nb",      "\n",    "a\tb", "\x01", "é",  "a\\\"",
        "{{ x }}",   "a\nb\n\n\n"}) {
    for (const std::size_t indent : {0, 4}) {
      const std::string yaml =
          indent == 0 ? "{key: [" + yaml_scalar(text) + "]}" : "key: " + yaml_scalar(text, indent) + "\n";
      Source source(yaml, "x.yaml");
      const auto document = parse_document(source);
      ASSERT_TRUE(document != nullptr && document->root != nullptr && source.problems().empty()) << yaml;
      const Node* value = document->root->entries.at(0).value;
      if (indent == 0) value = value->items.at(0);
      EXPECT_EQ(value->text, text) << yaml;
      EXPECT_EQ(value->kind, Node::Kind::scalar) << yaml;
    }
  }
  EXPECT_EQ(yaml_scalar("a\nb\n", 2), "|\n  a\n  b");
  EXPECT_EQ(yaml_scalar("a\nb\n"), R"("a\nb\n")");
  EXPECT_EQ(yaml_scalar("\"so\""), "'\"so\"'");
}

}  // namespace
}  // namespace slipway::definition
