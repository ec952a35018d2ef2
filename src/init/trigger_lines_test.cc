#include "init/trigger_lines.h"

#include <gtest/gtest.h>

#include <vector>

namespace slipway::init {
namespace {

std::vector<std::string> found_in(const std::string& text, std::size_t piece) {
  std::vector<std::string> found;
  const auto keep = [&](std::string_view json) { found.emplace_back(json); };
  TriggerLines lines;
  for (std::size_t at = 0; at < text.size(); at += piece) lines.feed(std::string_view(text).substr(at, piece), keep);
  lines.finish(keep);
  return found;
}

TEST(TriggerLines, AreFoundHoweverTheStreamIsCut) {
  const std::string text =
      "a\n::slipway-trigger::{\"a\":1}\n ::slipway-trigger::{}\n::slipway-trigger:x\n::slipway-trigger::\n"
      "::slipway-trigger::{}\r\n\n::slipway-trigger::{\"last\":1}";
  for (const std::size_t piece : {1, 2, 3, 7, 19, 20, 1000}) {
    EXPECT_EQ(found_in(text, piece), (std::vector<std::string>{"{\"a\":1}", "{}", "{\"last\":1}"})) << piece;
  }
}

TEST(TriggerLines, OneThatIsTooLongIsPassedOverAndTheNextIsFound) {
  const std::string text = "::slipway-trigger::" + std::string((1U << 20U) + 1, 'x') + "\n::slipway-trigger::{}\n";
  EXPECT_EQ(found_in(text, 65536), std::vector<std::string>{"{}"});
}

}  // namespace
}  // namespace slipway::init
